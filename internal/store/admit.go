package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"dmconnector/internal/delivery"
)

const (
	// lease is how long a message that is being sent belongs to its process: longer
	// than a send may take.
	lease = 12 * time.Second
	// keyLifetime is how long an Idempotency-Key is known.
	keyLifetime = 24 * time.Hour
	insertTries = 5
	// clockSlack is how much the times of messages that are admitted at once may
	// differ: by what they wait for each other, and by what clocks are read wrong.
	clockSlack = 10 * time.Second
)

const insertMessage = `
INSERT INTO message (id, connector, type, mode, state, code, recipient, address, idempotency, body, person, overtaken, hold,
	attempts, owner, due_at, expires_at, created_at, updated_at, limits, payload, report)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
ON CONFLICT DO NOTHING`

// Accept remembers the message, if it is new and within its limits. See
// [delivery.Store].
func (s *Store) Accept(ctx context.Context, e *delivery.Entry) (delivery.Acceptance, error) {
	now := s.engine.now()
	// Who is refused again and again does not reach the database each time.
	if e.Idempotency == nil {
		if refusing, wait := s.refused.find(now, e.Charges); refusing != nil {
			s.RecordRejected(e, e.Rejected(refusing, wait))
			return delivery.Acceptance{Exceeded: refusing, Wait: wait}, nil
		}
	}
	row, err := s.messageRow(e, now)
	if err != nil {
		return delivery.Acceptance{}, err
	}
	var result delivery.Acceptance
	err = s.write(ctx, func(t *tx) error {
		admission, err := admit(t, e, row, now)
		if err != nil {
			return err
		}
		if e.Mode == delivery.Queued && admission.Known == nil && admission.Exceeded == nil {
			t.notify(topicQueue)
		}
		result = admission
		return nil
	})
	if err != nil {
		return delivery.Acceptance{}, err
	}
	if result.Exceeded != nil {
		s.refused.add(now, *result.Exceeded, result.Wait)
	}
	return result, nil
}

// messageRow is what [insertMessage] wants of a message that begins.
func (s *Store) messageRow(e *delivery.Entry, now time.Time) ([]any, error) {
	state, attempts, due := delivery.StateSending, 1, now.Add(lease)
	var payload []byte
	takings := ""
	if e.Mode == delivery.Queued {
		state, attempts, due = delivery.StateQueued, 0, now
		payload = s.ring.Seal(payloadPurpose(e.ID), e.Payload)
		data, err := json.Marshal(e.Charges)
		if err != nil {
			return nil, err
		}
		takings = string(data)
	}
	report, err := json.Marshal(e.Steps)
	if err != nil {
		return nil, err
	}
	return []any{
		e.ID, e.Connector, e.Type, string(e.Mode), string(state), "", e.Recipient, e.Address[:], optional(e.Idempotency), e.Body[:], optional(e.Supersede),
		number(e.Hold), attempts, s.self, micros(due), micros(e.Expires.Add(s.skew())), micros(now), micros(now), takings, payload, string(report),
	}, nil
}

// payloadPurpose binds a sealed message to its row.
func payloadPurpose(id string) string { return "message/" + id }

func admit(t *tx, e *delivery.Entry, row []any, now time.Time) (delivery.Acceptance, error) {
	known, err := insert(t, e, row, now)
	if err != nil || known != nil {
		return delivery.Acceptance{Known: known}, err
	}
	var overtaken []string
	if e.Supersede != nil {
		if overtaken, err = supersede(t, e, now); err != nil {
			return delivery.Acceptance{}, err
		}
	}
	refusing, wait, err := take(t, e.Charges, now)
	if err != nil || refusing == nil {
		return delivery.Acceptance{Superseded: overtaken}, err
	}
	// What is refused overtakes nobody who is on the way.
	for _, id := range overtaken {
		if _, err := t.exec(`UPDATE message SET overtaken = 0 WHERE id = $1`, id); err != nil {
			return delivery.Acceptance{}, err
		}
	}
	// What it was refused is remembered, and that its key is free.
	_, err = settle(t, e.Rejected(refusing, wait), now)
	return delivery.Acceptance{Exceeded: refusing, Wait: wait}, err
}

// insert inserts the message, or returns the one that it is equal to.
func insert(t *tx, e *delivery.Entry, row []any, now time.Time) (*delivery.Record, error) {
	if e.Mode == delivery.Queued && e.Idempotency == nil {
		known, err := record(t, `WHERE body = $1 AND state = 'queued' AND idempotency IS NULL LIMIT 1`, e.Body[:])
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
		known, err := record(t, `WHERE idempotency = $1`, e.Idempotency[:])
		if err != nil || known != nil && now.Sub(known.Created) < keyLifetime {
			return known, err
		}
		if known == nil {
			continue
		}
		if _, err := t.exec(`UPDATE message SET idempotency = NULL WHERE id = $1`, known.ID); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("a message is neither new nor known")
}

// supersede overtakes what was admitted for the same person before and still
// waits: what is queued ends here, and what is on the way, whose ids it returns,
// finds out.
func supersede(t *tx, e *delivery.Entry, now time.Time) (sending []string, err error) {
	if err := t.lock(e.Supersede[:]); err != nil {
		return nil, err
	}
	var unused []delivery.Charge
	err = t.each(func(rows *sql.Rows) error {
		var id, state, limits string
		if err := rows.Scan(&id, &state, &limits); err != nil {
			return err
		}
		if state != string(delivery.StateFailed) {
			sending = append(sending, id)
			return nil
		}
		unused, err = appendTakings(unused, limits)
		return err
	}, `
UPDATE message SET overtaken = 1, updated_at = $3,
	state = CASE WHEN state = 'queued' THEN 'failed' ELSE state END,
	code = CASE WHEN state = 'queued' THEN 'superseded' ELSE code END,
	payload = CASE WHEN state = 'queued' THEN NULL ELSE payload END
WHERE person = $1 AND id <> $2 AND overtaken = 0 AND state IN ('queued', 'sending')
RETURNING id, state, limits`, e.Supersede[:], e.ID, micros(now))
	if err != nil {
		return nil, err
	}
	return sending, giveBack(t, inOrder(unused))
}

// appendTakings appends what a message has taken and not given back.
func appendTakings(list []delivery.Charge, limits string) ([]delivery.Charge, error) {
	var takings []delivery.Charge
	err := json.Unmarshal([]byte(limits), &takings)
	return append(list, takings...), err
}

// inOrder sorts the takings of several messages as each one's are: recipients
// before clients, so that nobody waits in a circle.
func inOrder(takings []delivery.Charge) []delivery.Charge {
	slices.SortFunc(takings, func(a, b delivery.Charge) int {
		return cmp.Or(cmp.Compare(b.Limit, a.Limit), bytes.Compare(a.Subject[:], b.Subject[:]))
	})
	return takings
}

// take takes one of each limit, or nothing of any. If one is used up, it returns
// that one and how long to wait. It is the generic cell rate algorithm, and the
// order of the takings is the same for all, so that nobody waits in a circle.
func take(t *tx, takings []delivery.Charge, now time.Time) (*delivery.Charge, time.Duration, error) {
	for i, taking := range takings {
		per, interval := taking.Per.Microseconds(), intervalOf(taking)
		at := micros(now)
		taken, err := t.exec(`
INSERT INTO rate_limit (subject, full_at) VALUES ($1, $2)
ON CONFLICT (subject) DO UPDATE SET full_at = {greatest}(rate_limit.full_at, $3) + $4
WHERE {greatest}(rate_limit.full_at, $3) + $4 <= $5`, taking.Subject[:], at+interval, at, interval, at+per)
		if err != nil {
			return nil, 0, err
		}
		if taken == 1 {
			continue
		}
		// No taking leads further than this. What is beyond was taken while the limit
		// was longer or a clock was wrong, and must not refuse until then.
		var full int64
		err = t.row(`UPDATE rate_limit SET full_at = {least}(full_at, $2) WHERE subject = $1 RETURNING full_at`,
			taking.Subject[:], at+per+clockSlack.Microseconds()).Scan(&full)
		if err != nil {
			return nil, 0, err
		}
		wait := time.Duration(full+interval-at-per) * time.Microsecond
		return &takings[i], wait, giveBack(t, takings[:i])
	}
	return nil, 0, nil
}

// giveBack undoes a take.
func giveBack(t *tx, takings []delivery.Charge) error {
	for _, taking := range takings {
		if _, err := t.exec(`UPDATE rate_limit SET full_at = full_at - $2 WHERE subject = $1`, taking.Subject[:], intervalOf(taking)); err != nil {
			return err
		}
	}
	return nil
}

// intervalOf is the time in which one of a limit is refilled, in microseconds.
func intervalOf(taking delivery.Charge) int64 {
	return taking.Per.Microseconds() / int64(taking.Count)
}

// optional is NULL for want of a hash.
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
