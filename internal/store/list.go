package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dmconnector/internal/delivery"
)

const recordColumns = `id, connector, type, mode, state, code, recipient, body, attempts, due_at, expires_at, created_at, updated_at, payload IS NOT NULL`

// scanRecord scans [recordColumns], and further columns after them.
func scanRecord(row scanner, more ...any) (r delivery.Record, err error) {
	var due time.Time
	var sealed bool
	columns := []any{&r.ID, &r.Connector, &r.Type, &r.Mode, &r.State, &r.Code, &r.Recipient, stored{(*[sha256.Size]byte)(&r.Body)}}
	columns = append(columns, &r.Attempts, stored{&due}, stored{&r.Expires}, stored{&r.Created}, stored{&r.Updated}, &sealed)
	if err := row.Scan(append(columns, more...)...); err != nil {
		return r, fmt.Errorf("read message %s: %w", r.ID, err)
	}
	if r.State == delivery.StateQueued {
		r.Due = due
	}
	r.Retryable = sealed && r.State.Kind().Retryable
	return r, nil
}

// findMessage returns the message that the condition chooses, or nil.
func findMessage(t *tx, condition string, args ...any) (*delivery.Record, error) {
	var steps delivery.Steps
	r, err := scanRecord(t.row(`SELECT `+recordColumns+`, steps, detail FROM message WHERE `+condition, args...), stored{&steps}, &steps.Detail)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	r.Steps = &steps
	return &r, err
}

// storable reports whether the state can hold such texts: PostgreSQL fails on others,
// even to look for them.
func storable(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !utf8.ValidString(text) || strings.ContainsRune(text, 0) })
}

// Message returns the message of that id. It reports false if there is none.
func (s *Store) Message(ctx context.Context, id string) (delivery.Record, bool, error) {
	if !storable(id) {
		return delivery.Record{}, false, nil
	}
	found, err := transact(ctx, s.engine.read, func(t *tx) (*delivery.Record, error) { return findMessage(t, `id = $1`, id) })
	if err != nil || found == nil {
		return delivery.Record{}, false, err
	}
	return *found, true, nil
}

// Messages returns the messages that the filter chooses, newest first, without their
// steps.
func (s *Store) Messages(ctx context.Context, f delivery.Filter) ([]delivery.Record, error) {
	var states []delivery.State // each once, in one order, so that there are few different statements
	for _, kind := range delivery.States() {
		if slices.Contains(f.States, kind.State) {
			states = append(states, kind.State)
		}
	}
	if len(states) == 0 && len(f.States) > 0 || !storable(f.Type, f.Connector, f.Incident, f.Before) {
		return []delivery.Record{}, nil
	}
	f.States = states
	return transact(ctx, s.engine.read, func(t *tx) ([]delivery.Record, error) {
		query, args := listQuery(t, f)
		return collect(t, func(row scanner) (delivery.Record, error) { return scanRecord(row) }, query, args...)
	})
}

// incidentLength is how much of an id is enough to find a message by: its last
// characters, as the first are the time.
const incidentLength = 8

// listQuery returns the query of a filter. Ids are in the order of time, and so are the
// entries of an index that have the same address or connector.
func listQuery(t *tx, f delivery.Filter) (query string, args []any) {
	var terms []string
	arg := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	where := func(column, comparison string, value any) {
		terms = append(terms, column+" "+comparison+" "+arg(value))
	}

	index := ""
	switch {
	case len(f.Incident) == incidentLength:
		where("substr(id, 29)", "=", f.Incident)
		index = "message_incident"
	case f.Incident != "":
		where("id", "=", f.Incident)
	case f.Address != nil:
		index = "message_address"
	case len(f.States) > 0 && !slices.Contains(f.States, delivery.StateSent):
		terms = append(terms, "state <> 'sent'")
		index = "message_unsent"
	case f.Connector != "":
		index = "message_connector"
	case f.Type != "":
		index = "message_kind"
	}
	if f.Address != nil {
		where("address", "=", f.Address[:])
	}
	if len(f.States) > 0 {
		places := make([]string, len(f.States))
		for i, state := range f.States {
			places[i] = arg(string(state))
		}
		terms = append(terms, "state IN ("+strings.Join(places, ", ")+")")
	}
	if f.Connector != "" {
		where("connector", "=", f.Connector)
	}
	if f.Type != "" {
		where("type", "=", f.Type)
	}
	if f.Before != "" {
		where("id", "<", f.Before)
	}
	if !f.Since.IsZero() {
		where("id", ">=", leastID(f.Since))
	}
	if !f.Until.IsZero() {
		where("id", "<", leastID(f.Until))
	}
	condition := ""
	if len(terms) > 0 {
		condition = " WHERE " + strings.Join(terms, " AND ")
	}
	// The driver of SQLite ends a query with its context only until the first row is
	// found. Materialized, the page is complete by then.
	return `WITH page AS MATERIALIZED (SELECT ` + recordColumns + ` FROM ` + t.messages(index) + condition +
		` ORDER BY id DESC LIMIT ` + arg(f.Limit) + `) SELECT * FROM page ORDER BY id DESC`, args
}

// leastID is the least id of a message of that time: a UUID of version 7 begins with
// its milliseconds (RFC 9562, 5.7).
func leastID(at time.Time) string {
	digits := fmt.Sprintf("%012x", max(at.UnixMilli(), 0))
	return digits[:8] + "-" + digits[8:] + "-7000-8000-000000000000"
}
