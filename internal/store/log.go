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

const recordColumns = `id, connector, type, mode, state, code, recipient, body, attempts, due_at, expires_at, created_at, updated_at, payload IS NOT NULL, report`

// scanRecord scans what further columns stand before, and [recordColumns].
func scanRecord(row interface{ Scan(...any) error }, before ...any) (delivery.Record, error) {
	var (
		r                             delivery.Record
		body                          []byte
		due, expires, created, update int64
		sealed                        bool
		report                        string
	)
	err := row.Scan(append(before, &r.ID, &r.Connector, &r.Type, &r.Mode, &r.State, &r.Code, &r.Recipient, &body,
		&r.Attempts, &due, &expires, &created, &update, &sealed, &report)...)
	if err != nil {
		return r, err
	}
	copy(r.Body[:], body)
	r.Expires, r.Created, r.Updated = fromMicros(expires), fromMicros(created), fromMicros(update)
	if r.State == delivery.StateQueued {
		r.Due = fromMicros(due)
	}
	r.Retryable = sealed && retryable(r.State)
	r.Report = new(delivery.Report)
	if err := json.Unmarshal([]byte(report), r.Report); err != nil {
		return r, fmt.Errorf("read the report of message %s: %w", r.ID, err)
	}
	return r, nil
}

// retryable says of which states an admin may have a message sent again.
func retryable(state delivery.State) bool {
	return state == delivery.StateDead || state == delivery.StateUnknown
}

// record returns the message that the clause chooses, or nil.
func record(t *tx, clause string, args ...any) (*delivery.Record, error) {
	r, err := scanRecord(t.row(`SELECT `+recordColumns+` FROM message `+clause, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// Message returns what became of the message of that id. It reports false if
// there is none.
func (s *Store) Message(ctx context.Context, id string) (delivery.Record, bool, error) {
	var found *delivery.Record
	err := s.engine.read(ctx, func(t *tx) error {
		r, err := record(t, `WHERE id = $1`, id)
		found = r
		return err
	})
	if err != nil || found == nil {
		return delivery.Record{}, false, err
	}
	return *found, true, nil
}

// Messages returns the messages that the filter chooses, from the newest on,
// without their reports.
func (s *Store) Messages(ctx context.Context, f delivery.Filter) ([]delivery.Record, error) {
	query, args := listQuery(f)
	var list []delivery.Record
	err := s.engine.read(ctx, func(t *tx) error {
		list = make([]delivery.Record, 0, f.Limit)
		return t.each(func(rows *sql.Rows) error {
			r, err := scanRecord(rows)
			r.Report = nil
			list = append(list, r)
			return err
		}, query, args...)
	})
	return list, err
}

// listQuery writes the query of a filter. Ids are in the order of time, which
// every index of the table has behind its own column; several states are listed
// apart and merged, as no index has the order of all of them.
func listQuery(f delivery.Filter) (query string, args []any) {
	if len(f.States) <= 1 {
		terms := filterTerms(f, &args)
		return selectRecords(terms, f.Limit, &args), args
	}
	parts := make([]string, len(f.States))
	for i, state := range f.States {
		one := f
		one.States = []delivery.State{state}
		parts[i] = `SELECT * FROM (` + selectRecords(filterTerms(one, &args), f.Limit, &args) + `) AS part` + strconv.Itoa(i)
	}
	args = append(args, f.Limit)
	return strings.Join(parts, ` UNION ALL `) + fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)), args
}

func selectRecords(terms []string, limit int, args *[]any) string {
	query := `SELECT ` + recordColumns + ` FROM message`
	if len(terms) > 0 {
		query += ` WHERE ` + strings.Join(terms, ` AND `)
	}
	*args = append(*args, limit)
	return query + fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(*args))
}

// filterTerms are a filter's conditions. At most one state is looked at.
func filterTerms(f delivery.Filter, args *[]any) []string {
	var terms []string
	term := func(format string, arg any) {
		*args = append(*args, arg)
		terms = append(terms, fmt.Sprintf(format, len(*args)))
	}
	if f.Address != nil {
		term("address = $%d", f.Address[:])
	}
	if f.Connector != "" {
		term("connector = $%d", f.Connector)
	}
	if f.Type != "" {
		term("type = $%d", f.Type)
	}
	if len(f.States) == 1 {
		term("state = $%d", string(f.States[0]))
		if f.States[0] != delivery.StateSent {
			terms = append(terms, "state <> 'sent'") // there is an index of those
		}
	}
	if f.Before != "" {
		term("id < $%d", f.Before)
	}
	if !f.Since.IsZero() {
		term("id >= $%d", leastID(f.Since))
	}
	if !f.Until.IsZero() {
		term("id < $%d", leastID(f.Until))
	}
	return terms
}

// leastID is the least id of a message of that time: a UUID of version 7 begins
// with its milliseconds (RFC 9562, 5.7).
func leastID(at time.Time) string {
	digits := fmt.Sprintf("%012x", max(at.UnixMilli(), 0))
	return digits[:8] + "-" + digits[8:] + "-7000-8000-000000000000"
}

// Why a message cannot be sent again.
var (
	errNoMessage    = &delivery.Error{Code: delivery.MessageNotFound, Detail: "there is no message of that id"}
	errPayloadGone  = &delivery.Error{Code: delivery.PayloadGone, Detail: "the message has been erased, so that it cannot be sent again"}
	errNotRetryable = &delivery.Error{Code: delivery.NotRetryable, Detail: "only a message that is dead or unknown can be sent again"}
)

// Retry has a message that is dead or unknown sent again, while it is good. If it
// cannot be, the error is a [*delivery.Error].
func (s *Store) Retry(ctx context.Context, by, id string) error {
	now := s.engine.now()
	return s.write(ctx, func(t *tx) error {
		r, err := record(t, `WHERE id = $1`, id)
		switch {
		case err != nil:
			return err
		case r == nil:
			return errNoMessage
		case !retryable(r.State):
			return errNotRetryable
		case !r.Retryable, !r.Expires.After(now):
			return errPayloadGone
		}
		// The count tells this try from the one before, whose outcome may still come.
		changed, err := t.exec(`
UPDATE message SET state = 'queued', code = '', attempts = attempts + 1, overtaken = 0, due_at = $2, updated_at = $2
WHERE id = $1 AND state = $3`, id, micros(now), string(r.State))
		if err != nil {
			return err
		}
		if changed == 0 {
			return errNotRetryable
		}
		t.notify(topicQueue)
		return audit(t, change(by, "message.retry", id), now)
	})
}
