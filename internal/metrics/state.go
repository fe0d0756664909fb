package metrics

import (
	"cmp"
	"context"
	"errors"
	"time"

	"dmconnector/internal/delivery"
)

// The operations on the state that are measured.
const (
	accepting  = "accept"
	confirming = "confirm"
	completing = "complete"
	claiming   = "claim"
	lookingAt  = "backlog"
)

var operations = []string{accepting, confirming, completing, claiming, lookingAt}

// Store returns the store with its operations measured.
func (m *Metrics) Store(s delivery.Store) delivery.Store { return &timedStore{s, m} }

type timedStore struct {
	delivery.Store
	metrics *Metrics
}

func (s *timedStore) Accept(ctx context.Context, e *delivery.Entry) (delivery.Acceptance, error) {
	return timed(s.metrics, accepting, func() (delivery.Acceptance, error) { return s.Store.Accept(ctx, e) })
}

func (s *timedStore) Confirm(ctx context.Context, id string, attempt int) error {
	var rejected error
	_, err := timed(s.metrics, confirming, func() (struct{}, error) {
		err := s.Store.Confirm(ctx, id, attempt)
		if errors.Is(err, delivery.ErrSuperseded) || errors.Is(err, delivery.ErrLost) {
			rejected, err = err, nil // the state has answered
		}
		return struct{}{}, err
	})
	return cmp.Or(rejected, err)
}

func (s *timedStore) Complete(ctx context.Context, o delivery.Outcome) (bool, error) {
	return timed(s.metrics, completing, func() (bool, error) { return s.Store.Complete(ctx, o) })
}

func (s *timedStore) Claim(ctx context.Context, n int, except []string) ([]delivery.Job, error) {
	return timed(s.metrics, claiming, func() ([]delivery.Job, error) { return s.Store.Claim(ctx, n, except) })
}

func timed[T any](m *Metrics, operation string, step func() (T, error)) (T, error) {
	begun := time.Now()
	result, err := step()
	m.stateTime.WithLabelValues(operation).Observe(time.Since(begun).Seconds())
	if err != nil {
		m.stateErrors.WithLabelValues(operation).Inc()
	}
	return result, err
}
