package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dmconnector/internal/delivery"
)

// Complete remembers how a try ended. See [delivery.Store].
func (s *Store) Complete(ctx context.Context, settlement delivery.Outcome) (bool, error) {
	now := s.engine.now()
	if !settlement.Due.IsZero() {
		settlement.Due = settlement.Due.Add(s.skew())
	}
	var mine bool
	err := s.write(ctx, func(t *tx) error {
		applied, err := settle(t, settlement, now)
		mine = applied
		return err
	})
	if err != nil {
		return false, err
	}
	s.refused.forget(settlement.Refund)
	return mine, nil
}

// settle changes the message only while it is still this try's. A message whose
// lease has ended may be another's, but as long as nobody has taken it up again,
// what this try knows is the truth. One that a newer code has overtaken is not
// tried again.
func settle(t *tx, s delivery.Outcome, now time.Time) (bool, error) {
	report, err := json.Marshal(s.Steps)
	if err != nil {
		return false, err
	}
	applied, err := t.exec(`
UPDATE message SET
	state = CASE WHEN $3 = 'queued' AND overtaken = 1 THEN 'failed' ELSE $3 END,
	code = CASE WHEN $3 = 'queued' AND overtaken = 1 THEN 'superseded' ELSE $4 END,
	due_at = $5, updated_at = $6, report = $7, limits = CASE WHEN $10 = 1 THEN '[]' ELSE limits END,
	idempotency = CASE WHEN $8 = 1 THEN NULL ELSE idempotency END,
	payload = CASE WHEN $9 = 1 AND NOT ($3 = 'queued' AND overtaken = 1) THEN payload ELSE NULL END
WHERE id = $1 AND attempts = $2 AND state IN ('queued', 'sending', 'unknown')`,
		s.ID, s.Attempt, string(s.State), string(s.Code), micros(s.Due), micros(now), string(report),
		number(s.ReleaseKey), number(s.KeepPayload || s.State == delivery.StateQueued), number(len(s.Refund) > 0))
	if err != nil || applied == 0 {
		return false, err
	}
	if s.State == delivery.StateQueued {
		t.notify(topicQueue)
	}
	return true, giveBack(t, s.Refund)
}

// Confirm extends a lease before an attempt. See [delivery.Store].
func (s *Store) Confirm(ctx context.Context, id string, attempt int) error {
	now := s.engine.now()
	return s.write(ctx, func(t *tx) error {
		confirmed, err := t.exec(`
UPDATE message SET due_at = $3
WHERE id = $1 AND attempts = $2 AND state = 'sending' AND overtaken = 0`, id, attempt, micros(now.Add(lease)))
		if err != nil || confirmed == 1 {
			return err
		}
		var overtaken int
		err = t.row(`SELECT overtaken FROM message WHERE id = $1 AND attempts = $2 AND state = 'sending'`, id, attempt).Scan(&overtaken)
		if errors.Is(err, sql.ErrNoRows) {
			return delivery.ErrLost
		}
		if err != nil {
			return err
		}
		return delivery.ErrSuperseded
	})
}

// dueMessages chooses what may be taken up at $1.
const dueMessages = ` FROM message WHERE state IN ('queued', 'sending') AND state = 'queued' AND due_at <= $1`

// Claim takes up messages that are due. See [delivery.Store].
func (s *Store) Claim(ctx context.Context, n int, without []string) ([]delivery.Job, error) {
	now := s.engine.now()
	due, err := s.anyDue(ctx, now, without)
	if err != nil || !due {
		return nil, err
	}
	args := []any{micros(now), micros(now.Add(lease)), s.self, n}
	statement := `
UPDATE message SET state = 'sending', attempts = attempts + 1, owner = $3, due_at = $2, updated_at = $1
WHERE id IN (SELECT id` + dueMessages + ` AND expires_at > $1` + notOf(without, &args) + `
	ORDER BY due_at LIMIT $4 {skip locked})
RETURNING limits, payload, ` + recordColumns
	var list []delivery.Job
	err = s.write(ctx, func(t *tx) error {
		list = nil
		return t.each(func(rows *sql.Rows) error {
			work, err := scanWork(rows)
			if err == nil {
				list = append(list, work)
			}
			return err
		}, statement, args...)
	})
	if err != nil {
		return nil, err
	}
	skew := s.skew()
	for i := range list {
		list[i].Expires = list[i].Expires.Add(-skew)
		list[i].Payload, err = s.ring.Open(payloadPurpose(list[i].ID), list[i].Payload)
		if err != nil {
			// It is the worker's to end this one; the others must go on.
			s.log.Error("a queued message cannot be opened", "incident", list[i].ID, "error", err)
			list[i].Payload = nil
		}
	}
	return list, nil
}

// anyDue spares a transaction that would change nothing.
func (s *Store) anyDue(ctx context.Context, now time.Time, without []string) (bool, error) {
	args := []any{micros(now)}
	statement := `SELECT EXISTS (SELECT 1` + dueMessages + notOf(without, &args) + `)`
	var due bool
	err := s.engine.read(ctx, func(t *tx) error { return t.row(statement, args...).Scan(&due) })
	if err != nil {
		return false, err
	}
	return due, nil
}

// notOf is the condition that leaves out what these connectors have.
func notOf(connectors []string, args *[]any) string {
	if len(connectors) == 0 {
		return ""
	}
	places := make([]string, len(connectors))
	for i, id := range connectors {
		*args = append(*args, id)
		places[i] = "$" + strconv.Itoa(len(*args))
	}
	return ` AND connector NOT IN (` + strings.Join(places, ", ") + `)`
}

func scanWork(rows *sql.Rows) (delivery.Job, error) {
	var (
		work    delivery.Job
		takings string
	)
	record, err := scanRecord(rows, &takings, &work.Payload)
	if err != nil {
		return work, err
	}
	work.Record, work.Attempt = record, record.Attempts
	if err := json.Unmarshal([]byte(takings), &work.Charges); err != nil {
		return work, fmt.Errorf("read the limits of message %s: %w", record.ID, err)
	}
	return work, nil
}

// Which leases to take back, by conditions of [Store.takeBack]'s.
const (
	everyLease  = ""
	endedLeases = ` AND due_at <= $1`
	// goneLeases are those of processes that do not beat any more.
	goneLeases = endedLeases + ` AND owner NOT IN (SELECT id FROM replica WHERE seen_at > $2)`
)

// takeBack ends what a process that is gone has left in mid-send. A direct message
// becomes unknown: its caller has seen the failure. A queued one is sent again
// while it is good, unless it is to be held.
func (s *Store) takeBack(ctx context.Context, which string) error {
	now := s.engine.now()
	args := []any{micros(now)}
	if which == goneLeases {
		args = append(args, micros(now.Add(-liveFor)))
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`
UPDATE message SET updated_at = $1, due_at = $1,
	state = CASE WHEN mode = 'queued' AND hold = 0 AND overtaken = 0 AND expires_at > $1 THEN 'queued' ELSE 'unknown' END,
	code = CASE WHEN mode = 'queued' AND hold = 0 AND overtaken = 0 AND expires_at > $1 THEN '' ELSE 'outcome_unknown' END
WHERE state IN ('queued', 'sending') AND state = 'sending'`+which, args...)
		if n > 0 {
			t.notify(topicQueue)
		}
		return err
	})
}
