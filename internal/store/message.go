package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/seal"
)

const (
	// lease is how long a message that is being sent belongs to its process: longer
	// than a send may take.
	lease = 12 * time.Second
	// keyLifetime is how long an Idempotency-Key is known.
	keyLifetime = 24 * time.Hour
	insertTries = 5
)

// Details of what the store decides by itself.
const (
	supersededDetail = "a newer code was accepted before this message was sent"
	expiredDetail    = "the message was not sent within its lifetime"
	lostDetail       = "the process that was sending the message stopped, so it may have been sent"
)

// Accept stores a new message within its limits. See [delivery.Store].
func (s *Store) Accept(ctx context.Context, e *delivery.Entry) (delivery.Acceptance, error) {
	if err := s.damage.found(); err != nil && e.Mode == delivery.Queued {
		return delivery.Acceptance{}, err // it could not be relied on to be sent
	}
	now, done, err := s.now(ctx)
	if err != nil {
		return delivery.Acceptance{}, err
	}
	defer done()
	exceeded, wait := s.exceeded.find(e.Charges)
	full := exceeded == nil && e.Mode == delivery.Queued && !s.queued.reserve(e)
	if exceeded != nil || full {
		return s.reject(ctx, e, delivery.Acceptance{Exceeded: exceeded, Wait: wait, Full: full}, now)
	}
	row, err := s.messageRow(e, now)
	if err != nil {
		return delivery.Acceptance{}, err
	}
	a, err := transact(ctx, s.write, func(t *tx) (delivery.Acceptance, error) { return accept(t, e, row, now) })
	if a.Exceeded != nil {
		s.exceeded.add(*a.Exceeded, a.Wait)
	}
	if e.Mode == delivery.Queued && (err != nil || a.Known != nil || a.Exceeded != nil) {
		s.queued.release(e)
	}
	return a, err
}

// reject rejects a message without a wait for the disk, as callers can cause any number of
// rejections. What repeats an accepted message is answered as that one.
func (s *Store) reject(ctx context.Context, e *delivery.Entry, a delivery.Acceptance, now time.Time) (delivery.Acceptance, error) {
	if e.Idempotency != nil || a.Full {
		known, err := transact(ctx, s.engine.read, func(t *tx) (*delivery.Record, error) { return findRepeated(t, e, now) })
		if err != nil || known != nil {
			return delivery.Acceptance{Known: known}, err
		}
	}
	if a.Exceeded != nil {
		s.RecordRejected(e, e.Rejected(a.Exceeded, a.Wait))
	}
	return a, nil
}

// accept inserts the message, supersedes older ones and charges the limits. If one of
// these is used up, the message ends as failed and supersedes nothing.
func accept(t *tx, e *delivery.Entry, row []any, now time.Time) (a delivery.Acceptance, err error) {
	if a.Known, err = insert(t, e, row, now); err != nil || a.Known != nil {
		return a, err
	}
	older, err := hasOlder(t, e)
	if err != nil {
		return a, err
	}
	if older {
		err = t.savepoint(func() (keep bool, err error) {
			// What the older messages give back may make room for this one.
			if a.Superseded, err = supersede(t, e, now); err != nil {
				return false, err
			}
			a.Exceeded, a.Wait, err = charge(t, e.Charges, now)
			return a.Exceeded == nil, err
		})
	} else {
		a.Exceeded, a.Wait, err = charge(t, e.Charges, now)
	}
	if err != nil {
		return a, err
	}
	if a.Exceeded != nil {
		a.Superseded = nil
		_, err = complete(t, e.Rejected(a.Exceeded, a.Wait), now)
		return a, err
	}
	if e.Mode == delivery.Queued {
		t.signal(topicQueue)
	}
	return a, nil
}

const insertMessage = `
INSERT INTO message (id, connector, type, mode, state, code, detail, recipient, address, body, idempotency_key, supersede_key, superseded, hold,
	attempts, owner, due_at, expires_at, created_at, updated_at, charges, payload, steps)
VALUES ($1, $2, $3, $4, $5, '', $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, $16, $17, $17, $18, $19, $20)
ON CONFLICT DO NOTHING`

// messageRow returns the arguments of [insertMessage] for a new message.
func (s *Store) messageRow(e *delivery.Entry, now time.Time) ([]any, error) {
	state, attempts, due := delivery.StateSending, 1, now.Add(lease)
	var payload []byte
	charges := []delivery.Charge{} // a direct message's outcome names its own
	if e.Mode == delivery.Queued {
		state, attempts, due = delivery.StateQueued, 0, now
		payload = s.ring.Seal(payloadPurpose(e.ID), e.Payload)
		charges = e.Charges
	}
	charged, err := json.Marshal(charges)
	if err != nil {
		return nil, err
	}
	steps, detail, err := splitSteps(e.Steps)
	if err != nil {
		return nil, err
	}
	return []any{
		e.ID, e.Connector, e.Type, string(e.Mode), string(state), detail, e.Recipient, e.Address[:], e.Body[:], optional(e.Idempotency), optional(e.Supersede),
		number(e.Hold), attempts, s.self, micros(due), micros(now.Add(time.Until(e.Expires))), micros(now), string(charged), payload, steps,
	}, nil
}

// payloadPurpose binds a sealed message to its row.
func payloadPurpose(id string) string { return "message/" + id }

// splitSteps returns the two columns of a message's steps: the detail changes without
// the others.
func splitSteps(s delivery.Steps) (steps, detail string, err error) {
	detail, s.Detail = s.Detail, ""
	data, err := json.Marshal(s)
	return string(data), detail, err
}

func optional(h *delivery.Hash) any {
	if h == nil {
		return nil
	}
	return h[:]
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// findRepeated returns the message that an entry repeats, or nil: that with its key, or
// without a key the same request, if that is queued.
func findRepeated(t *tx, e *delivery.Entry, now time.Time) (*delivery.Record, error) {
	if e.Idempotency == nil {
		return findMessage(t, `body = $1 AND state = 'queued' AND idempotency_key IS NULL LIMIT 1`, e.Body[:])
	}
	known, err := findMessage(t, `idempotency_key = $1`, e.Idempotency[:])
	if known != nil && now.Sub(known.Created) >= keyLifetime {
		known = nil
	}
	return known, err
}

// insert inserts the message, or returns the one that it repeats.
func insert(t *tx, e *delivery.Entry, row []any, now time.Time) (*delivery.Record, error) {
	if e.Mode == delivery.Queued && e.Idempotency == nil {
		known, err := findRepeated(t, e, now)
		if err != nil || known != nil {
			return known, err
		}
	}
	// Others may insert, release or find the same key meanwhile.
	for range insertTries {
		inserted, err := t.exec(insertMessage, row...)
		if err != nil || inserted == 1 {
			return nil, err
		}
		if e.Idempotency == nil {
			break
		}
		known, err := findMessage(t, `idempotency_key = $1`, e.Idempotency[:])
		if err != nil || known != nil && now.Sub(known.Created) < keyLifetime {
			return known, err
		}
		if known == nil {
			continue
		}
		if _, err := t.exec(`UPDATE message SET idempotency_key = NULL WHERE id = $1`, known.ID); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("the message could not be inserted, nor found")
}

// olderMessages chooses what a message with supersede key $1 and id $2 supersedes.
const olderMessages = ` WHERE supersede_key = $1 AND id <> $2 AND superseded = 0 AND state IN ('queued', 'sending')`

// hasOlder reports whether there is a message to supersede, and keeps others of the
// same key out until the transaction ends.
func hasOlder(t *tx, e *delivery.Entry) (bool, error) {
	if e.Supersede == nil {
		return false, nil
	}
	if err := t.lock(e.Supersede[:]); err != nil {
		return false, err
	}
	return value[bool](t, `SELECT EXISTS (SELECT 1 FROM message`+olderMessages+`)`, e.Supersede[:], e.ID)
}

// supersede ends the older messages that are queued and refunds their charges. Those
// that are being sent are marked, and their ids returned.
func supersede(t *tx, e *delivery.Entry, now time.Time) (sending []string, err error) {
	var unused []delivery.Charge
	err = t.each(func(rows *sql.Rows) error {
		var id string
		var state delivery.State
		var charges []delivery.Charge
		err := rows.Scan(&id, &state, stored{&charges})
		if state == delivery.StateSending {
			sending = append(sending, id)
		} else {
			unused = append(unused, charges...)
		}
		return err
	}, `
UPDATE message SET superseded = 1, updated_at = $3,
	state = CASE WHEN state = 'queued' THEN 'failed' ELSE state END,
	code = CASE WHEN state = 'queued' THEN 'superseded' ELSE code END,
	detail = CASE WHEN state = 'queued' THEN $4 ELSE detail END,
	payload = CASE WHEN state = 'queued' THEN NULL ELSE payload END`+olderMessages+`
RETURNING id, state, charges`, e.Supersede[:], e.ID, micros(now), supersededDetail)
	if err != nil {
		return nil, err
	}
	return sending, refund(t, unused)
}

// Complete stores how an attempt ended. See [delivery.Store].
func (s *Store) Complete(ctx context.Context, o delivery.Outcome) (bool, error) {
	now, done, err := s.now(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	if !o.Due.IsZero() {
		o.Due = now.Add(time.Until(o.Due))
	}
	applied, err := transact(ctx, s.write, func(t *tx) (bool, error) { return complete(t, o, now) })
	if err == nil {
		s.exceeded.forget(o.Refund)
	}
	return applied, err
}

// complete changes the message as long as it was not claimed again: what a stalled
// attempt knows is true though its lease has ended.
func complete(t *tx, o delivery.Outcome, now time.Time) (bool, error) {
	steps, detail, err := splitSteps(o.Steps)
	if err != nil {
		return false, err
	}
	applied, err := t.exec(`
UPDATE message SET state = $3, code = $4, detail = $5, due_at = $6, updated_at = $7, steps = $8,
	idempotency_key = CASE WHEN $9 = 1 THEN NULL ELSE idempotency_key END,
	payload = CASE WHEN $10 = 1 THEN payload ELSE NULL END,
	charges = CASE WHEN $11 = 1 THEN '[]' ELSE charges END
WHERE id = $1 AND attempts = $2 AND state IN ('queued', 'sending', 'unknown') AND ($3 <> 'queued' OR superseded = 0 AND payload IS NOT NULL)`,
		o.ID, o.Attempt, string(o.State), string(o.Code), detail, micros(o.Due), micros(now), steps,
		number(o.ReleaseKey), number(o.KeepPayload || o.State == delivery.StateQueued), number(len(o.Refund) > 0))
	if err != nil {
		return false, err
	}
	if applied == 1 {
		return true, refund(t, o.Refund)
	}
	if o.State != delivery.StateQueued {
		return false, nil
	}
	// A newer code was accepted during the attempt: do not try this one again.
	var charges []delivery.Charge
	err = t.row(`SELECT charges FROM message WHERE id = $1 AND attempts = $2 AND superseded = 1`, o.ID, o.Attempt).Scan(stored{&charges})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	o.State, o.Code, o.Steps.Detail = delivery.StateFailed, errcode.Superseded, supersededDetail
	o.Due, o.KeepPayload, o.Refund = time.Time{}, false, charges
	return complete(t, o, now)
}

// Confirm extends a lease before an attempt. See [delivery.Store].
func (s *Store) Confirm(ctx context.Context, id string, attempt int) error {
	now, done, err := s.now(ctx)
	if err != nil {
		return err
	}
	defer done()
	// An error of the step itself would make others in its group commit run again.
	refusal, err := transact(ctx, s.write, func(t *tx) (refusal, err error) {
		confirmed, err := t.exec(`
UPDATE message SET due_at = $3
WHERE id = $1 AND attempts = $2 AND state = 'sending' AND superseded = 0`, id, attempt, micros(now.Add(lease)))
		if err != nil || confirmed == 1 {
			return nil, err
		}
		claimed, err := value[bool](t, `SELECT EXISTS (SELECT 1 FROM message WHERE id = $1 AND attempts = $2 AND state = 'sending')`, id, attempt)
		if claimed {
			return delivery.ErrSuperseded, err
		}
		return delivery.ErrLost, err
	})
	return cmp.Or(err, refusal)
}

// dueMessages chooses what may be claimed at $1.
const dueMessages = ` WHERE state IN ('queued', 'sending') AND state = 'queued' AND due_at <= $1`

// Claim leases messages that are due. See [delivery.Store].
func (s *Store) Claim(ctx context.Context, n int, except []string) ([]delivery.Job, error) {
	now, done, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	chosen := []any{micros(now)}
	condition := dueMessages + notOf(except, &chosen)
	var list []delivery.Job
	err = s.rowByRow(ctx, condition, chosen, func(row int64) (more bool, err error) {
		if row == 0 {
			// A transaction that changes nothing costs more.
			due, err := transact(ctx, s.engine.read, func(t *tx) (bool, error) {
				return value[bool](t, `SELECT EXISTS (SELECT 1 FROM message`+condition+`)`, chosen...)
			})
			if err != nil || !due {
				return false, err
			}
		}
		args := []any{micros(now), micros(now.Add(lease)), s.self, n - len(list)}
		claim := `
UPDATE message SET state = 'sending', attempts = attempts + 1, owner = $3, due_at = $2, updated_at = $1
WHERE id IN (SELECT id FROM message` + dueMessages + ` AND expires_at > $1` + notOf(except, &args) + only(row, &args) + `
	ORDER BY due_at LIMIT $4 {skip locked})
RETURNING ` + recordColumns + `, steps, detail, charges, payload`
		claimed, err := transact(ctx, s.write, func(t *tx) ([]delivery.Job, error) { return s.claim(t, claim, args...) })
		list = append(list, claimed...)
		return len(list) < n, err
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Expires = time.Now().Add(list[i].Expires.Sub(s.engine.now()))
		list[i].Payload, err = s.ring.Open(payloadPurpose(list[i].ID), list[i].Payload)
		if err != nil {
			// The worker ends this one; the others must go on.
			s.log.Error("cannot open queued message", "incident", list[i].ID, "error", err)
			list[i].Payload = nil
			if errors.Is(err, seal.ErrBroken) && s.kind == SQLite {
				_ = s.damage.note(fmt.Errorf("%w: message %s: %w", errDamaged, list[i].ID, err))
			}
		}
	}
	return list, nil
}

// claim returns the messages that a statement has claimed. One whose columns cannot be
// read must not stop the others: it is dead.
func (s *Store) claim(t *tx, statement string, args ...any) ([]delivery.Job, error) {
	var unreadable []string
	list, err := collect(t, func(row scanner) (delivery.Job, error) {
		job, err := scanJob(row)
		if err != nil {
			unreadable = append(unreadable, job.ID)
			s.log.Error("cannot read queued message, it is dead", "incident", job.ID, "error", scrub(err))
		}
		return job, nil
	}, statement, args...)
	if err != nil {
		return nil, err
	}
	for _, id := range unreadable {
		if _, err := t.exec(`UPDATE message SET state = 'dead', code = 'internal', detail = 'its columns cannot be read', steps = '{}', charges = '[]' WHERE id = $1`, id); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(list, func(job delivery.Job) bool { return slices.Contains(unreadable, job.ID) }), nil
}

// notOf is the condition that excludes messages of these connectors.
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

func scanJob(row scanner) (job delivery.Job, err error) {
	var steps delivery.Steps
	job.Record, err = scanRecord(row, stored{&steps}, &steps.Detail, stored{&job.Charges}, &job.Payload)
	job.Steps, job.Attempt = &steps, job.Attempts
	return job, err
}

// Which leases to reclaim, by conditions of [Store.reclaim]'s.
const (
	everyLease  = ""
	endedLeases = ` AND due_at <= $1`
	// goneLeases are those of processes without a heartbeat.
	goneLeases = endedLeases + ` AND owner NOT IN (SELECT id FROM replica WHERE seen_at > $2)`
)

// reclaim ends the leases of messages that nobody is sending any more. A direct message
// becomes unknown: its caller has seen the failure. A queued one is sent again within
// its lifetime, unless it is to be held or a newer code was accepted.
func (s *Store) reclaim(ctx context.Context, which string) error {
	now, done, err := s.now(ctx)
	if err != nil {
		return err
	}
	defer done()
	chosen := []any{micros(now)}
	if which == goneLeases {
		chosen = append(chosen, micros(now.Add(-liveFor)))
	}
	// Every condition uses $1: PostgreSQL cannot tell the type of an unused argument.
	leased := ` WHERE state IN ('queued', 'sending') AND state = 'sending' AND CAST($1 AS BIGINT) > 0` + which
	return s.rowByRow(ctx, leased, chosen, func(row int64) (bool, error) {
		return true, s.write(ctx, func(t *tx) error {
			args := slices.Clone(chosen)
			these := leased + only(row, &args)
			queued, err := t.exec(`UPDATE message SET state = 'queued', code = '', detail = '', due_at = $1, updated_at = $1`+these+
				` AND mode = 'queued' AND hold = 0 AND superseded = 0 AND payload IS NOT NULL AND expires_at > $1`, args...)
			if err != nil {
				return err
			}
			if queued > 0 {
				t.signal(topicQueue)
			}
			args = append(args, lostDetail)
			_, err = t.exec(fmt.Sprintf(`UPDATE message SET state = 'unknown', code = 'outcome_unknown', detail = $%d, due_at = $1, updated_at = $1`, len(args))+these, args...)
			return err
		})
	})
}

// Why a message cannot be sent again.
var (
	errNoMessage    = &delivery.Error{Code: errcode.MessageNotFound, Detail: "there is no message with that id"}
	errPayloadGone  = &delivery.Error{Code: errcode.PayloadGone, Detail: "the content of the message was erased, so it cannot be sent again"}
	errNotRetryable = &delivery.Error{Code: errcode.NotRetryable, Detail: "only a dead or unknown message can be sent again"}
)

// Retry queues a dead or unknown message again, within its lifetime. If that cannot be
// done, the error is a [*delivery.Error].
func (s *Store) Retry(ctx context.Context, by, id string) error {
	if !storable(id) {
		return errNoMessage
	}
	if err := s.damage.found(); err != nil {
		return err
	}
	now, done, err := s.now(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.write(ctx, func(t *tx) error {
		r, err := findMessage(t, `id = $1`, id)
		switch {
		case err != nil:
			return err
		case r == nil:
			return errNoMessage
		case !r.State.Kind().Retryable:
			return errNotRetryable
		case !r.Retryable, !r.Expires.After(now):
			return errPayloadGone
		}
		// The count tells this attempt from the one before, whose outcome may still come.
		changed, err := t.exec(`
UPDATE message SET state = 'queued', code = '', detail = '', attempts = attempts + 1, superseded = 0, due_at = $2, updated_at = $2
WHERE id = $1 AND state = $3 AND payload IS NOT NULL`, id, micros(now), string(r.State))
		if err != nil {
			return err
		}
		if changed == 0 {
			return errNotRetryable
		}
		t.signal(topicQueue)
		return audit(t, change(by, "message.retry", id), now)
	})
}
