package metrics

import (
	"context"
	"time"

	"dmconnector/internal/delivery"
)

// operations are the steps of the state that are counted.
const (
	admitting  = "admit"
	settling   = "settle"
	overtaking = "overtaken"
	takingUp   = "take_up"
	lookingAt  = "backlog"
)

var operations = []string{admitting, settling, overtaking, takingUp, lookingAt}

// Keeper returns the keeper with its steps counted.
func (m *Metrics) Keeper(k delivery.Keeper) delivery.Keeper { return &keeper{k, m} }

type keeper struct {
	delivery.Keeper
	metrics *Metrics
}

func (k *keeper) Admit(ctx context.Context, e *delivery.Entry) (delivery.Admission, error) {
	return timed(k.metrics, admitting, func() (delivery.Admission, error) { return k.Keeper.Admit(ctx, e) })
}

func (k *keeper) Settle(ctx context.Context, s delivery.Settlement) (bool, error) {
	return timed(k.metrics, settling, func() (bool, error) { return k.Keeper.Settle(ctx, s) })
}

func (k *keeper) Overtaken(ctx context.Context, id string) (bool, error) {
	return timed(k.metrics, overtaking, func() (bool, error) { return k.Keeper.Overtaken(ctx, id) })
}

func (k *keeper) TakeUp(ctx context.Context, n int, without []string) ([]delivery.Work, error) {
	return timed(k.metrics, takingUp, func() ([]delivery.Work, error) { return k.Keeper.TakeUp(ctx, n, without) })
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
