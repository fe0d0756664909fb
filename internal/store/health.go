package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/registry"
)

// health knows whether the state could be written lately, and since when.
type health struct {
	mu       sync.Mutex
	failure  error     // of the last write
	recorded time.Time // when that was
	since    time.Time // when writing began to work again
	probed   time.Time // when somebody asked and it was tried
}

// record takes the result of a write. One that its step declined, or its caller gave up,
// says nothing about the state.
func (h *health) record(err error) {
	_, failed := errors.AsType[*delivery.Error](err)
	if failed || errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrExists) || errors.Is(err, registry.ErrChanged) || errors.Is(err, context.Canceled) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil && (h.failure != nil || h.since.IsZero()) {
		h.since = time.Now()
	}
	h.failure, h.recorded = err, time.Now()
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

// probeInterval bounds how often somebody who asks causes a write.
const probeInterval = time.Second

// Ready returns why the state cannot be written, if it cannot. It tries to, if the last
// write failed, or was long ago, so that PostgreSQL may have gone since.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.damage.found(); err != nil {
		return err
	}
	h := &s.health
	h.mu.Lock()
	failure, stale := h.failure, s.kind == Postgres && time.Since(h.recorded) > 2*heartbeatInterval
	probe := (failure != nil || stale) && time.Since(h.probed) > probeInterval
	if probe {
		h.probed = time.Now()
	}
	h.mu.Unlock()
	if probe {
		return s.heartbeat(ctx)
	}
	return failure
}

const (
	heartbeatInterval = 2 * time.Second
	// liveFor is how long after its last heartbeat a replica counts.
	liveFor = 3*heartbeatInterval + time.Second
)

// heartbeat tells the other replicas of this process, and counts them. SQLite has no
// others, only rows of earlier processes.
func (s *Store) heartbeat(ctx context.Context) error {
	now := s.engine.now()
	live, err := transact(ctx, s.write, func(t *tx) (int64, error) {
		if _, err := t.exec(`INSERT INTO replica (id, seen_at) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, s.self, micros(now)); err != nil {
			return 0, err
		}
		if _, err := t.exec(`DELETE FROM replica WHERE seen_at < $1`, micros(now.Add(-time.Hour))); err != nil {
			return 0, err
		}
		return liveReplicas(t, now)
	})
	if err == nil && s.kind == Postgres {
		s.replicas.Store(max(live, 1))
	}
	return err
}

func liveReplicas(t *tx, now time.Time) (int64, error) {
	return value[int64](t, `SELECT count(*) FROM replica WHERE seen_at > $1`, micros(now.Add(-liveFor)))
}
