package store

import (
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
	r.Steps = new(delivery.Steps)
	if err := json.Unmarshal([]byte(report), r.Steps); err != nil {
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
			r.Steps = nil
			list = append(list, r)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// listQuery writes the query of a filter. Ids are in the order of time, which
// every index has behind its other columns; what no index has in that order is
// listed in parts, which are merged.
func listQuery(f delivery.Filter) (query string, args []any) {
	var parts []string
	for _, part := range partsOf(f) {
		parts = append(parts, selectRecords(filterTerms(part, &args), f.Limit, &args))
	}
	if len(parts) == 1 {
		return parts[0], args
	}
	for i, part := range parts {
		parts[i] = `SELECT * FROM (` + part + `) AS part` + strconv.Itoa(i)
	}
	args = append(args, f.Limit)
	return strings.Join(parts, ` UNION ALL `) + fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(args)), args
}

// partsOf splits a filter into those that name one state at most, and with a
// connector also the type, as the index does.
func partsOf(f delivery.Filter) []delivery.Filter {
	var parts []delivery.Filter
	states := [][]delivery.State{nil}
	if len(f.States) > 0 {
		states = slices.Collect(slices.Chunk(f.States, 1))
	}
	for _, one := range states {
		part := f
		part.States = one
		if !byConnector(part) || f.Type != "" {
			parts = append(parts, part)
			continue
		}
		for _, label := range delivery.TypeLabels() {
			part.Type = label
			parts = append(parts, part)
		}
	}
	return parts
}

// byConnector reports whether the index of connectors serves a filter of one state
// at most.
func byConnector(f delivery.Filter) bool {
	return f.Connector != "" && f.Address == nil && (len(f.States) == 0 || f.States[0] == delivery.StateSent)
}

func selectRecords(terms []string, limit int, args *[]any) string {
	query := `SELECT ` + recordColumns + ` FROM message`
	if len(terms) > 0 {
		query += ` WHERE ` + strings.Join(terms, ` AND `)
	}
	*args = append(*args, limit)
	return query + fmt.Sprintf(` ORDER BY id DESC LIMIT $%d`, len(*args))
}

// filterTerms are the conditions of a filter of one state at most.
func filterTerms(f delivery.Filter, args *[]any) []string {
	var terms []string
	term := func(format string, arg any) {
		*args = append(*args, arg)
		terms = append(terms, fmt.Sprintf(format, len(*args)))
	}
	// Of two indexes SQLite, which has no statistics, may take the worse one. An
	// address has fewer messages than anything else, and what was not sent is less
	// than what a connector or a type has: the others are hidden from it.
	plain, hidden := "%s = $%%d", "%s {hidden} = $%%d"
	state, other := plain, plain
	if f.Address != nil {
		term("address = $%d", f.Address[:])
		state, other = hidden, hidden
	}
	if len(f.States) == 1 {
		term(fmt.Sprintf(state, "state"), string(f.States[0]))
		if index := stateIndex[f.States[0]]; index != "" && f.Address == nil {
			terms = append(terms, index)
			other = hidden
		}
	}
	if f.Connector != "" {
		term(fmt.Sprintf(other, "connector"), f.Connector)
	}
	if f.Type != "" {
		term(fmt.Sprintf(other, "type"), f.Type)
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

// stateIndex is the condition of the index in which a state is found; what is sent
// is everywhere.
var stateIndex = map[delivery.State]string{
	delivery.StateQueued:  "state IN ('queued', 'sending')",
	delivery.StateSending: "state IN ('queued', 'sending')",
	delivery.StateFailed:  "state IN ('failed', 'dead', 'expired', 'unknown')",
	delivery.StateDead:    "state IN ('failed', 'dead', 'expired', 'unknown')",
	delivery.StateExpired: "state IN ('failed', 'dead', 'expired', 'unknown')",
	delivery.StateUnknown: "state IN ('failed', 'dead', 'expired', 'unknown')",
}

// leastID is the least id of a message of that time: a UUID of version 7 begins
// with its milliseconds (RFC 9562, 5.7).
func leastID(at time.Time) string {
	digits := fmt.Sprintf("%012x", max(at.UnixMilli(), 0))
	return digits[:8] + "-" + digits[8:] + "-7000-8000-000000000000"
}

// Why a message cannot be sent again.
var (
	errNoMessage    = &delivery.Error{Code: errcode.MessageNotFound, Detail: "there is no message of that id"}
	errPayloadGone  = &delivery.Error{Code: errcode.PayloadGone, Detail: "the message has been erased, so that it cannot be sent again"}
	errNotRetryable = &delivery.Error{Code: errcode.NotRetryable, Detail: "only a message that is dead or unknown can be sent again"}
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
