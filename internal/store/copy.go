package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dmconnector/internal/seal"
)

// Copied is how many rows of a table were copied.
type Copied struct {
	Table string
	Rows  int
}

// Copy copies a state into an empty one, all or nothing. No process may be serving on
// either of them. Values are opened with the ring of from and sealed with that of to. The
// key of the hashes stays the same, and so do the hashes.
func Copy(ctx context.Context, from, to Options) ([]Copied, error) {
	if from.State == to.State {
		return nil, errors.New("the state cannot be copied into itself")
	}
	source, err := openAlone(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("the state to copy from: %w", err)
	}
	target, err := openAlone(ctx, to)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the state to copy to: %w", err), source.Close())
	}
	copied, err := copyAll(ctx, source, target)
	// The target first: its step may still be reading from the source.
	return copied, errors.Join(err, target.Close(), source.Close())
}

// openAlone opens a state that no process is serving on, without changing what it holds.
func openAlone(ctx context.Context, opts Options) (*Store, error) {
	opts.LockWait = 0
	address, err := ParseAddress(opts.State)
	if err != nil {
		return nil, err
	}
	if address.Kind == Memory {
		return nil, errMemory
	}
	s, err := open(ctx, opts)
	if err != nil {
		return nil, err
	}
	if address.Kind != Postgres {
		return s, nil // its lock is held
	}
	now := s.engine.now()
	live, err := transact(ctx, s.engine.read, func(t *tx) (int64, error) { return liveReplicas(t, now) })
	if err == nil && live > 0 {
		err = fmt.Errorf("it is in use by %d other processes: stop them (one that was killed counts for %v)", live, liveFor)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func copyAll(ctx context.Context, source, target *Store) ([]Copied, error) {
	return transact(ctx, target.write, func(t *tx) ([]Copied, error) {
		var done []Copied
		for _, tb := range tables() {
			if err := tb.clear(t); err != nil {
				return nil, err
			}
			rows, err := tb.copy(ctx, source, t, target.ring)
			if err != nil {
				return nil, fmt.Errorf("copy table %s: %w", tb.name, err)
			}
			if tb.name == "secret" && rows == 0 {
				return nil, errors.New("there is nothing to copy: no process has ever served on that state")
			}
			done = append(done, Copied{tb.name, rows})
		}
		return done, nil
	})
}

// A table is copied by its columns, the first of which is its key.
type table struct {
	name    string
	columns []string
	sealed  string // one of the columns, if its values are sealed
	purpose func(key string) string
	initial bool   // a new state has rows of it already
	only    string // which rows, by a condition
}

// tables are all tables except those of running processes and of sessions: people sign
// in again.
func tables() []table {
	return []table{
		{name: "secret", columns: []string{"name", "value"}, sealed: "value", purpose: func(name string) string { return name }, initial: true},
		{name: "revision", columns: []string{"name", "number"}, initial: true},
		{
			name:    "connector",
			columns: []string{"id", "version", "config", "metadata", "sync_profile", "enable_token_storage", "created_at", "updated_at"},
			sealed:  "config", purpose: connectorPurpose,
		},
		{name: "email_template", columns: []string{"id", "language_tag", "template_type", "details", "version", "created_at"}},
		{name: "token", columns: []string{"id", "hash", "scope", "connector", "note", "created_at", "expires_at", "revoked_at"}},
		{name: "audit", columns: []string{"id", "at", "actor", "action", "subject", "detail"}},
		{name: "rate_limit", columns: []string{"subject", "full_at"}},
		{
			name: "message",
			columns: []string{
				"id", "connector", "type", "mode", "state", "code", "detail", "recipient", "address", "body", "idempotency_key", "supersede_key", "superseded",
				"hold", "attempts", "owner", "due_at", "expires_at", "created_at", "updated_at", "charges", "payload", "steps",
			},
			sealed: "payload", purpose: payloadPurpose,
		},
	}
}

// clear makes sure that the table is empty.
func (tb *table) clear(t *tx) error {
	if tb.initial {
		_, err := t.exec(`DELETE FROM ` + tb.name)
		return err
	}
	n, err := value[int](t, `SELECT count(*) FROM `+tb.name)
	if err == nil && n > 0 {
		err = fmt.Errorf("the state to copy to is not empty: table %s has %d rows", tb.name, n)
	}
	return err
}

// copyChunk is how many rows are read and written at once: neither database takes any
// number of arguments.
const copyChunk = 200

func (tb *table) copy(ctx context.Context, source *Store, t *tx, ring *seal.Ring) (int, error) {
	sealed, count := slices.Index(tb.columns, tb.sealed), 0
	var last any
	for {
		rows, err := transact(ctx, source.engine.read, func(from *tx) ([][]any, error) { return tb.after(from, last, copyChunk) })
		if err != nil || len(rows) == 0 {
			return count, err
		}
		last = rows[len(rows)-1][0]
		var values []any
		for _, row := range rows {
			if sealed >= 0 && row[sealed] != nil {
				row[sealed], err = tb.reseal(row[0], row[sealed], source.ring, ring)
				if errors.Is(err, seal.ErrOtherKey) {
					return count, errOtherKey
				}
				if err != nil {
					return count, err
				}
			}
			values = append(values, row...)
		}
		if _, err := t.exec(tb.insertion(len(rows)), values...); err != nil {
			return count, err
		}
		count += len(rows)
	}
}

// after reads the next rows behind a key; nil is before all.
func (tb *table) after(t *tx, key any, limit int) ([][]any, error) {
	where, args := cmp.Or(tb.only, `1 = 1`), []any{limit}
	if key != nil {
		where, args = where+` AND `+tb.columns[0]+` > $2`, append(args, key)
	}
	return collect(t, tb.scan, fmt.Sprintf(`SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT $1`, strings.Join(tb.columns, ", "), tb.name, where, tb.columns[0]), args...)
}

func (tb *table) scan(row scanner) ([]any, error) {
	values, targets := make([]any, len(tb.columns)), make([]any, len(tb.columns))
	for i := range values {
		targets[i] = &values[i]
	}
	return values, row.Scan(targets...)
}

// reseal seals a value with another ring.
func (tb *table) reseal(key, value any, from, to *seal.Ring) ([]byte, error) {
	purpose := tb.purpose(key.(string))
	text, err := from.Open(purpose, value.([]byte))
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", tb.columns[0], key, err)
	}
	return to.Seal(purpose, text), nil
}

// insertion is the statement that inserts some rows.
func (tb *table) insertion(rows int) string {
	groups := make([]string, rows)
	for row := range groups {
		places := make([]string, len(tb.columns))
		for i := range places {
			places[i] = "$" + strconv.Itoa(row*len(places)+i+1)
		}
		groups[row] = "(" + strings.Join(places, ", ") + ")"
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) VALUES %s`, tb.name, strings.Join(tb.columns, ", "), strings.Join(groups, ", "))
}

// Reseal seals with the first key of a ring what another of its keys has sealed, all or
// nothing. It returns how many values that were. The store keeps its own ring: close it
// if that does not have the key.
func (s *Store) Reseal(ctx context.Context, ring *seal.Ring) (int, error) {
	return transact(ctx, s.write, func(t *tx) (count int, err error) {
		for _, tb := range tables() {
			if tb.sealed == "" {
				continue
			}
			n, err := tb.resealAll(t, ring)
			if err != nil {
				return 0, fmt.Errorf("reseal table %s: %w", tb.name, err)
			}
			count += n
		}
		return count, nil
	})
}

func (tb *table) resealAll(t *tx, ring *seal.Ring) (count int, err error) {
	values := table{name: tb.name, columns: []string{tb.columns[0], tb.sealed}, only: tb.sealed + ` IS NOT NULL`}
	var last any
	for {
		rows, err := values.after(t, last, chunk)
		if err != nil || len(rows) == 0 {
			return count, err
		}
		last = rows[len(rows)-1][0]
		for _, row := range rows {
			if ring.Current(row[1].([]byte)) {
				continue
			}
			n, err := tb.replace(t, ring, row[0], row[1])
			if err != nil {
				return count, err
			}
			count += int(n)
		}
	}
}

// replace seals a value again, unless a process that shares the state has changed it
// meanwhile, and so sealed it itself, or erased it.
func (tb *table) replace(t *tx, ring *seal.Ring, key, value any) (int64, error) {
	resealed, err := tb.reseal(key, value, ring, ring)
	if err != nil {
		return 0, err
	}
	return t.exec(fmt.Sprintf(`UPDATE %s SET %s = $3 WHERE %s = $1 AND %[2]s = $2`, tb.name, tb.sealed, tb.columns[0]), key, value, resealed)
}
