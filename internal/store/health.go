package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/registry"
)

// health knows whether a send would work, and since when writing works.
type health struct {
	mu      sync.Mutex
	failure error     // of a write or a probe, until a later probe succeeds
	failed  time.Time // when that was
	since   time.Time // when writing began to work again; zero while it does not
	probed  time.Time // when the last probe began
}

// record takes the result of a write. One that its step declined, or its caller gave up,
// says nothing about the state.
func (h *health) record(err error) {
	_, declined := errors.AsType[*delivery.Error](err)
	if declined || errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrExists) || errors.Is(err, registry.ErrChanged) || errors.Is(err, context.Canceled) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil:
		h.failure, h.failed, h.since = err, time.Now(), time.Time{}
	case h.since.IsZero():
		h.since = time.Now()
	}
}

// steady is how long writing has worked without a failure.
func (h *health) steady() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return 0
	}
	return time.Since(h.since)
}

const (
	// probeInterval bounds how often somebody who asks causes a probe.
	probeInterval = time.Second
	probeTime     = 2 * time.Second // /readyz waits as long
	// probeSize is the content of a large message: what has room for one has room for
	// most.
	probeSize = 1 << 10
)

// Ready returns why a send would not work now, if it would not. It probes the state, on
// SQLite only after a failure.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.damage.found(); err != nil {
		return err
	}
	h := &s.health
	h.mu.Lock()
	failure := h.failure
	due := (failure != nil || s.kind == Postgres) && time.Since(h.probed) > probeInterval
	if due {
		h.probed = time.Now()
	}
	h.mu.Unlock()
	if due {
		return s.probe(ctx)
	}
	return failure
}

// errUndo rolls back a probe that succeeded.
var errUndo = errors.New("the probe is undone")

// probe accepts a message, as a send does, and undoes that. SQLite finds out that the disk
// is full only when it commits, so there the probe is committed and leaves nothing. As
// that waits for the disk, SQLite is probed only after a failure.
func (s *Store) probe(ctx context.Context) error {
	begun, now, id := time.Now(), s.engine.now(), delivery.NewID()
	unique := s.Hash("probe", id)
	e := &delivery.Entry{
		ID: id, Mode: delivery.Queued, Address: unique, Body: unique, Idempotency: &unique, Supersede: &unique,
		Charges: []delivery.Charge{{Limit: "probe", Subject: unique, Count: 1, Per: time.Second}}, Payload: make([]byte, probeSize), Expires: begun,
	}
	row, err := s.messageRow(e, now)
	if err != nil {
		return err
	}
	s.health.mu.Lock()
	s.health.probed = begun
	s.health.mu.Unlock()
	// Whoever asks may leave.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	err = s.engine.write(ctx, func(t *tx) error {
		if _, err := accept(t, e, row, now); err != nil {
			return err
		}
		if s.kind == Postgres {
			return errUndo
		}
		t.topics = nil
		if _, err := t.exec(`DELETE FROM message WHERE id = $1`, id); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM rate_limit WHERE subject = $1`, unique[:])
		return err
	})
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil && !errors.Is(err, errUndo):
		h.failure, h.failed = err, time.Now()
	case h.failed.Before(begun):
		h.failure = nil
	}
	return h.failure
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
