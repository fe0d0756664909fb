package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"dmconnector/internal/delivery"
)

const (
	pollEvery  = 500 * time.Millisecond
	expiryTime = time.Second
	sweepEvery = time.Minute
	// chunk is what is deleted at once: SQLite's one writer must not be held up.
	chunk = 500
	// auditRetention is how long changes are remembered.
	auditRetention = 400 * 24 * time.Hour
)

// Run keeps the state in order until ctx ends: it ends what has expired and what
// a process that is gone has left behind, tells when messages are due, and
// deletes what is old.
func (s *Store) Run(ctx context.Context) {
	watching := make(chan struct{})
	go func() { defer close(watching); s.engine.watch(ctx, s.heard) }()
	defer func() { <-watching }()
	poll, expiry, beat, sweep := time.NewTicker(pollEvery), time.NewTicker(expiryTime), time.NewTicker(beatEvery), time.NewTicker(sweepEvery)
	for _, tick := range []*time.Ticker{poll, expiry, beat, sweep} {
		defer tick.Stop()
	}
	for {
		select {
		case <-poll.C:
			s.waiting.signal()
		case <-expiry.C:
			s.try(ctx, "end what has expired", s.expire)
		case <-beat.C:
			s.keepShared(ctx)
		case <-sweep.C:
			s.try(ctx, "delete what is old", s.sweep)
		case <-ctx.Done():
			return
		}
	}
}

// keepShared takes back what nobody works on any more. After an outage of the
// database, those who have sent must be able to say so before what they sent is
// sent again: a lease that has ended is taken back when writing has worked for some
// time, shorter if its owner, who would have beaten by then, has not.
func (s *Store) keepShared(ctx context.Context) {
	if s.kind == Postgres {
		s.try(ctx, "tell the other replicas of this one", s.beat)
	}
	which, steady := "", s.healthy.steady()
	switch {
	case steady > lease:
		which = endedLeases
	case s.kind == Postgres && steady > 2*beatEvery:
		which = goneLeases
	default:
		return
	}
	s.try(ctx, "take back messages of a replica that is gone", func(ctx context.Context) error { return s.takeBack(ctx, which) })
}

// try logs that something failed; the next time may do better.
func (s *Store) try(ctx context.Context, what string, f func(context.Context) error) {
	bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := f(bounded); err != nil && ctx.Err() == nil {
		s.log.Error("the state could not be kept in order", "task", what, "error", scrub(err))
	}
}

// expire ends queued messages whose time is over, and erases what dead and unknown
// ones still hold. What was not sent did not use its limits, nor its
// Idempotency-Key.
func (s *Store) expire(ctx context.Context) error {
	now := s.engine.now()
	var any bool
	err := s.engine.read(ctx, func(t *tx) error {
		return t.row(`SELECT EXISTS (SELECT 1 FROM message WHERE payload IS NOT NULL AND expires_at <= $1 AND state <> 'sending')`, micros(now)).Scan(&any)
	})
	if err != nil || !any {
		return err
	}
	var ended int64
	err = s.write(ctx, func(t *tx) error {
		ended = 0
		var unused []delivery.Charge
		err := t.each(func(rows *sql.Rows) error {
			var state, limits string
			if err := rows.Scan(&state, &limits); err != nil {
				return err
			}
			if state != string(delivery.StateExpired) {
				return nil
			}
			ended++
			var err error
			unused, err = appendTakings(unused, limits)
			return err
		}, `
UPDATE message SET payload = NULL, updated_at = $1,
	state = CASE WHEN state = 'queued' THEN 'expired' ELSE state END,
	idempotency = CASE WHEN state = 'queued' THEN NULL ELSE idempotency END
WHERE id IN (SELECT id FROM message WHERE payload IS NOT NULL AND expires_at <= $1 AND state <> 'sending' LIMIT $2 {skip locked})
RETURNING state, limits`, micros(now), chunk)
		if err != nil {
			return err
		}
		return giveBack(t, inOrder(unused))
	})
	if err == nil {
		s.expired.Add(ended)
	}
	return err
}

// sweep deletes what is older than it is kept, in chunks between which others
// write.
func (s *Store) sweep(ctx context.Context) error {
	now := s.engine.now()
	oldest := leastID(now.Add(-max(s.retention, keyLifetime)))
	for _, old := range []struct {
		statement string
		bound     any
	}{
		{`DELETE FROM message WHERE id IN (SELECT id FROM message WHERE id < $1 AND state NOT IN ('queued', 'sending') ORDER BY id LIMIT $2)`, oldest},
		{`DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < $1 ORDER BY id LIMIT $2)`, leastID(now.Add(-auditRetention))},
		{deleteSessions, micros(now)},
	} {
		if err := s.deleteAll(ctx, old.statement, old.bound); err != nil {
			return err
		}
	}
	if s.kind == Memory {
		if err := s.forgetMost(ctx); err != nil {
			return err
		}
	}
	return s.sweepLimits(ctx, now)
}

// maxInMemory is how many messages are remembered where that costs memory.
const maxInMemory = 50_000

// forgetMost leaves the newest messages.
func (s *Store) forgetMost(ctx context.Context) error {
	var bound string
	err := s.engine.read(ctx, func(t *tx) error {
		return t.row(`SELECT id FROM message ORDER BY id DESC LIMIT 1 OFFSET $1`, s.most).Scan(&bound)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.deleteAll(ctx, `DELETE FROM message WHERE id IN (SELECT id FROM message WHERE id <= $1 AND state NOT IN ('queued', 'sending') ORDER BY id LIMIT $2)`, bound)
}

func (s *Store) deleteAll(ctx context.Context, statement string, bound any) error {
	for ctx.Err() == nil {
		var deleted int64
		err := s.write(ctx, func(t *tx) error {
			n, err := t.exec(statement, bound, chunk)
			deleted = n
			return err
		})
		if err != nil || deleted < chunk {
			return err
		}
	}
	return ctx.Err()
}

// sweepLimits forgets limits that are whole again. They are looked for beside the
// writer, as there is no index of them: each send would have to keep it.
func (s *Store) sweepLimits(ctx context.Context, now time.Time) error {
	whole := `SELECT subject FROM rate_limit WHERE full_at <= $1 LIMIT $2`
	// Messages take limits in another order: this waits for none of them.
	forget := `DELETE FROM rate_limit WHERE subject IN (SELECT subject FROM rate_limit WHERE subject = $1 AND full_at <= $2 {skip locked})`
	for ctx.Err() == nil {
		var subjects [][]byte
		err := s.engine.read(ctx, func(t *tx) error {
			subjects = nil
			return t.each(func(rows *sql.Rows) error {
				var subject []byte
				err := rows.Scan(&subject)
				subjects = append(subjects, subject)
				return err
			}, whole, micros(now), chunk)
		})
		if err != nil || len(subjects) == 0 {
			return err
		}
		err = s.write(ctx, func(t *tx) error {
			for _, subject := range subjects {
				if _, err := t.exec(forget, subject, micros(now)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(subjects) < chunk {
			return err
		}
	}
	return ctx.Err()
}
