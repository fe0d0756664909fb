package store

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/registry"
)

// health knows whether the state could be written lately, and since when.
type health struct {
	mu      sync.Mutex
	failure error     // of the last write
	noted   time.Time // when that was
	since   time.Time // when writing began to work again
	asked   time.Time // when it was tried because somebody asked
}

// note takes the result of a write. One that was refused, or given up, tells
// nothing of the state.
func (h *health) note(err error) {
	if refused(err) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && (h.failure != nil || h.since.IsZero()) {
		h.since = time.Now()
	}
	h.failure, h.noted = err, time.Now()
}

// refused reports whether a step, or its caller, chose not to write.
func refused(err error) bool {
	if _, ok := errors.AsType[*delivery.Error](err); ok {
		return true
	}
	for _, refusal := range []error{registry.ErrNotFound, registry.ErrExists, registry.ErrChanged, context.Canceled, delivery.ErrSuperseded, delivery.ErrLost} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// steady is how long writing has worked without a failure.
func (h *health) steady() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure != nil || h.since.IsZero() {
		return 0
	}
	return time.Since(h.since)
}

// askEvery bounds how often a question is worth a write.
const askEvery = time.Second

// answer returns what is known, and whether it is worth finding out more.
func (h *health) answer(stale time.Duration) (failure error, ask bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ask = (h.failure != nil || time.Since(h.noted) > stale) && time.Since(h.asked) > askEvery
	if ask {
		h.asked = time.Now()
	}
	return h.failure, ask
}

// Ready reports why the state cannot be written, if it cannot. It tries when the
// last write failed, or was long ago where others may have failed since.
func (s *Store) Ready(ctx context.Context) error {
	stale := 2 * beatEvery
	if s.kind != Postgres {
		stale = math.MaxInt64
	}
	failure, ask := s.healthy.answer(stale)
	if ask {
		return s.beat(ctx)
	}
	return failure
}

const (
	beatEvery = 2 * time.Second
	// liveFor is how long after its last beat a replica counts.
	liveFor = 3*beatEvery + time.Second
)

// beat tells the others that this process is there, and counts them. SQLite has no
// others, only rows of those that ran before.
func (s *Store) beat(ctx context.Context) error {
	var live int64
	now := s.engine.now()
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO replica (id, seen_at) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, s.self, micros(now)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM replica WHERE seen_at < $1`, micros(now.Add(-time.Hour))); err != nil {
			return err
		}
		return t.row(`SELECT count(*) FROM replica WHERE seen_at > $1`, micros(now.Add(-liveFor))).Scan(&live)
	})
	if err == nil && s.kind == Postgres {
		s.replicas.Store(max(live, 1))
	}
	return err
}

// leave tells the others that this process is gone.
func (s *Store) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.engine.write(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM replica WHERE id = $1`, s.self)
		return err
	})
}
