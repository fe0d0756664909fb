package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"dmconnector/internal/delivery"
)

const (
	pollInterval   = 500 * time.Millisecond
	expireInterval = time.Second
	sweepInterval  = time.Minute
	// chunk is how many rows are deleted at once: SQLite's one writer must not be held up.
	chunk = 500
	// auditRetention is how long changes are kept.
	auditRetention = 400 * 24 * time.Hour
)

// Run maintains the state until ctx ends: it expires messages, reclaims those of
// processes that are gone, signals when messages may be due, counts what is queued, and
// deletes what is old.
func (s *Store) Run(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { s.engine.watch(ctx) })
	watching.Go(func() { s.watchQueue(ctx) })
	defer watching.Wait()
	poll, expire := time.NewTicker(pollInterval), time.NewTicker(expireInterval)
	heartbeat, sweep := time.NewTicker(heartbeatInterval), time.NewTicker(sweepInterval)
	for _, ticker := range []*time.Ticker{poll, expire, heartbeat, sweep} {
		defer ticker.Stop()
	}
	for {
		select {
		case <-poll.C:
			s.due.signal()
		case <-expire.C:
			s.try(ctx, "expire messages", s.expire)
		case <-heartbeat.C:
			s.keepLeases(ctx)
		case <-sweep.C:
			s.try(ctx, "delete old rows", s.sweep)
		case <-ctx.Done():
			return
		}
	}
}

// try logs a failure; the next time may do better.
func (s *Store) try(ctx context.Context, task string, f func(context.Context) error) {
	bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := f(bounded); err != nil && ctx.Err() == nil {
		s.log.Error("cannot maintain the state, will retry", "task", task, "error", scrub(err))
	}
}

// keepLeases tells the other replicas of this one, and reclaims messages that nobody is
// sending. After an outage of the database, processes must be able to record what they
// have sent before it is sent again. So an ended lease is reclaimed only when writing
// has worked for some time: a shorter time if its owner, who would have had a heartbeat
// by then, had none.
func (s *Store) keepLeases(ctx context.Context) {
	if s.kind == Postgres {
		s.try(ctx, "send a heartbeat", s.heartbeat)
		s.try(ctx, "probe", s.probe)
	}
	s.try(ctx, "follow the clock", s.followClock)
	which, steady := "", s.health.steady()
	switch {
	case steady > lease:
		which = endedLeases
	case s.kind == Postgres && steady > 2*heartbeatInterval:
		which = goneLeases
	default:
		return
	}
	s.try(ctx, "reclaim messages", func(ctx context.Context) error { return s.reclaim(ctx, which) })
}

// expire ends queued messages whose lifetime is over, and erases what dead and unknown
// ones still hold. An expired message did not use its limits, nor its Idempotency-Key.
func (s *Store) expire(ctx context.Context) error {
	now, done, err := s.now(ctx)
	if err != nil {
		return err
	}
	defer done()
	over := ` WHERE payload IS NOT NULL AND expires_at <= $1 AND state <> 'sending'`
	return s.rowByRow(ctx, over, []any{micros(now)}, func(row int64) (bool, error) {
		if row == 0 {
			found, err := transact(ctx, s.engine.read, func(t *tx) (bool, error) {
				return value[bool](t, `SELECT EXISTS (SELECT 1 FROM message`+over+`)`, micros(now))
			})
			if err != nil || !found {
				return false, err
			}
		}
		expired, err := transact(ctx, s.write, func(t *tx) (int, error) { return expire(t, row, now) })
		s.expired.Add(int64(expired))
		return true, err
	})
}

// expire returns how many queued messages it has ended.
func expire(t *tx, row int64, now time.Time) (int, error) {
	scanCharges := func(row scanner) (charges []delivery.Charge, err error) { return charges, row.Scan(stored{&charges}) }
	args := []any{micros(now), chunk, expiredDetail}
	unused, err := collect(t, scanCharges, `
UPDATE message SET state = 'expired', detail = $3, payload = NULL, idempotency_key = NULL, updated_at = $1
WHERE id IN (SELECT id FROM message WHERE payload IS NOT NULL AND expires_at <= $1 AND state = 'queued'`+only(row, &args)+` LIMIT $2 {skip locked})
RETURNING charges`, args...)
	if err != nil {
		return 0, err
	}
	if err := refund(t, slices.Concat(unused...)); err != nil {
		return 0, err
	}
	args = []any{micros(now), chunk}
	_, err = t.exec(`
UPDATE message SET payload = NULL, updated_at = $1
WHERE id IN (SELECT id FROM message WHERE payload IS NOT NULL AND expires_at <= $1 AND state NOT IN ('queued', 'sending')`+only(row, &args)+` LIMIT $2 {skip locked})`, args...)
	return len(unused), err
}

// Statements that delete at most so many rows as their last argument says.
const (
	deleteMessages = `DELETE FROM message WHERE id IN (SELECT id FROM message WHERE id < $1 AND state NOT IN ('queued', 'sending') ORDER BY id LIMIT $2)`
	deleteAudit    = `DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < $1 ORDER BY id LIMIT $2)`
	deleteUnsent   = `DELETE FROM message WHERE id IN (SELECT id FROM message` + unsentMessages + ` AND connector = $1 AND id <= $2 ORDER BY id LIMIT $3)`
	deleteSessions = `DELETE FROM session WHERE hash IN (SELECT hash FROM session WHERE expires_at <= $1 ORDER BY hash LIMIT $2)`
)

// sweep deletes what is old, in chunks between which others write.
func (s *Store) sweep(ctx context.Context) error {
	now := s.engine.now()
	var newest error
	if s.kind == Memory {
		newest = s.keepNewest(ctx)
	}
	return errors.Join( // one that fails must not stop the others
		s.deleteAll(ctx, deleteMessages, leastID(now.Add(-max(s.retention, keyLifetime)))),
		s.deleteAll(ctx, deleteAudit, leastID(now.Add(-auditRetention))),
		s.deleteAll(ctx, deleteSessions, micros(now)),
		newest,
		s.keepNewestUnsent(ctx),
		s.sweepLimits(ctx, now),
	)
}

func (s *Store) deleteAll(ctx context.Context, statement string, bounds ...any) error {
	for ctx.Err() == nil {
		deleted, err := s.exec(ctx, statement, append(bounds, chunk)...)
		if err != nil || deleted < chunk {
			return err
		}
	}
	return ctx.Err()
}

// maxInMemory is how many messages are kept where they cost memory.
const maxInMemory = 50_000

// keepNewest deletes all but the newest messages.
func (s *Store) keepNewest(ctx context.Context) error {
	oldest, err := transact(ctx, s.engine.read, func(t *tx) (string, error) {
		return value[string](t, `SELECT id FROM message ORDER BY id DESC LIMIT 1 OFFSET $1`, s.maxMessages-1)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.deleteAll(ctx, deleteMessages, oldest)
}

// maxUnsent is how many messages that were not sent are kept of a connector, which callers
// can cause at will. Those that may have been sent are mails, which Aliyun's rate bounds.
const maxUnsent = 250_000

const unsentMessages = ` WHERE state <> 'sent' AND state IN ('failed', 'expired', 'dead')`

// keepNewestUnsent deletes all but each connector's newest messages that were not sent.
func (s *Store) keepNewestUnsent(ctx context.Context) error {
	connectors, err := transact(ctx, s.engine.read, func(t *tx) ([]string, error) {
		return collect(t, func(row scanner) (id string, err error) { return id, row.Scan(&id) },
			`SELECT connector FROM `+t.messages("message_unsent")+unsentMessages+` GROUP BY connector HAVING count(*) > $1`, s.maxUnsent)
	})
	if err != nil {
		return err
	}
	for _, connector := range connectors {
		newest, err := transact(ctx, s.engine.read, func(t *tx) (string, error) {
			return value[string](t, `SELECT id FROM `+t.messages("message_unsent")+unsentMessages+` AND connector = $1 ORDER BY id DESC LIMIT 1 OFFSET $2`,
				connector, s.maxUnsent)
		})
		if errors.Is(err, sql.ErrNoRows) {
			continue // another process has deleted them meanwhile
		}
		if err != nil {
			return err
		}
		if err := s.deleteAll(ctx, deleteUnsent, connector, newest); err != nil {
			return err
		}
	}
	return nil
}

// sweepLimits deletes limits whose whole allowance is available. There is no index of
// them, which each send would have to maintain. Subjects are hashes, so those with the
// same first byte are a chunk. On PostgreSQL it skips rows that messages have locked:
// they lock them in another order.
func (s *Store) sweepLimits(ctx context.Context, now time.Time) error {
	for first := range 256 {
		least := []byte{byte(first)}
		most := append([]byte{byte(first)}, bytes.Repeat([]byte{0xff}, sha256.Size)...)
		_, err := s.exec(ctx, `
DELETE FROM rate_limit WHERE subject IN (
	SELECT subject FROM rate_limit WHERE subject >= $1 AND subject <= $2 AND full_at <= $3 {skip locked})`, least, most, micros(now))
		if err != nil {
			return err
		}
	}
	return nil
}
