package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dmconnector/internal/seal"
)

// A Copied says how many rows of a table were copied.
type Copied struct {
	Table string
	Rows  int
}

// Copy copies a state of one kind into an empty one of another, all or nothing.
// No process may be serving on either of them. What the ring of from opens is
// sealed with that of to. The key of the hashes stays, and so do the hashes.
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
	// The target first: it may still be reading.
	return copied, errors.Join(err, target.Close(), source.Close())
}

// openAlone opens a state that no process is serving on, and leaves what is in it
// as it is.
func openAlone(ctx context.Context, opts Options) (*Store, error) {
	opts.LockWait = 0
	kind, err := KindOf(opts.State)
	if err != nil {
		return nil, err
	}
	if kind == Memory {
		return nil, errMemory
	}
	s, err := open(ctx, opts)
	if err != nil {
		return nil, err
	}
	if kind != Postgres {
		return s, nil // its lock is held
	}
	var live int
	err = s.engine.read(ctx, func(t *tx) error {
		return t.row(`SELECT count(*) FROM replica WHERE seen_at > $1`, micros(s.engine.now().Add(-liveFor))).Scan(&live)
	})
	if err == nil && live > 0 {
		err = fmt.Errorf("it is in use by %d other processes: stop them (one that was killed counts for %v)", live, liveFor)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// A table is copied by its columns, the first of which is its key.
type table struct {
	name    string
	columns []string
	sealed  int // the column that is sealed; 0 is none
	purpose func(key string) string
	initial bool // a new state has rows of it already
}

// tables are all tables except those of running processes and of sessions: people sign
// in again.
func tables() []table {
	list := []table{
		{name: "secret", columns: []string{"name", "value"}, initial: true},
		{name: "revision", columns: []string{"name", "number"}, initial: true},
		{name: "connector", columns: []string{
			"id", "version", "config", "metadata", "sync_profile", "enable_token_storage", "created_at", "updated_at",
		}},
		{name: "email_template", columns: []string{"id", "language_tag", "template_type", "details", "version", "created_at"}},
		{name: "token", columns: []string{"id", "hash", "scope", "connector", "note", "created_at", "expires_at", "revoked_at"}},
		{name: "audit", columns: []string{"id", "at", "actor", "action", "subject", "detail"}},
		{name: "rate_limit", columns: []string{"subject", "full_at"}},
		{name: "message", columns: []string{
			"id", "connector", "type", "mode", "state", "code", "detail", "recipient", "address", "body", "idempotency_key", "supersede_key", "superseded",
			"hold", "attempts", "owner", "due_at", "expires_at", "created_at", "updated_at", "charges", "payload", "steps",
		}},
	}
	for i := range list {
		for _, v := range sealedColumns() {
			if v.table == list[i].name {
				list[i].sealed, list[i].purpose = slices.Index(list[i].columns, v.column), v.purpose
			}
		}
	}
	return list
}

func copyAll(ctx context.Context, source, target *Store) ([]Copied, error) {
	var copied []Copied
	err := target.write(ctx, func(t *tx) error {
		var done []Copied
		for _, tb := range tables() {
			if err := tb.clear(t); err != nil {
				return err
			}
			rows, err := tb.copy(ctx, source, t, target.ring)
			if err != nil {
				return fmt.Errorf("copy table %s: %w", tb.name, err)
			}
			if tb.name == "secret" && rows == 0 {
				return errors.New("there is nothing to copy: no process has ever served on that state")
			}
			done = append(done, Copied{tb.name, rows})
		}
		copied = done
		return nil
	})
	return copied, err
}

// clear makes sure that the table is empty.
func (tb *table) clear(t *tx) error {
	if tb.initial {
		_, err := t.exec(`DELETE FROM ` + tb.name)
		return err
	}
	var n int
	if err := t.row(`SELECT count(*) FROM ` + tb.name).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("the state to copy to is not empty: table %s has %d rows", tb.name, n)
	}
	return nil
}

// copyChunk is how many rows are read and written at once. Neither database takes
// any number of arguments.
const copyChunk = 200

func (tb *table) copy(ctx context.Context, source *Store, t *tx, ring *seal.Ring) (int, error) {
	count := 0
	var last any
	for {
		rows, err := tb.after(ctx, source, last)
		if err != nil || len(rows) == 0 {
			return count, err
		}
		last = rows[len(rows)-1][0]
		var values []any
		for _, row := range rows {
			if err := tb.reseal(row, source.ring, ring); err != nil {
				return count, err
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
func (tb *table) after(ctx context.Context, source *Store, key any) ([][]any, error) {
	where, args := "", []any{copyChunk}
	if key != nil {
		where, args = `WHERE `+tb.columns[0]+` > $2`, append(args, key)
	}
	query := fmt.Sprintf(`SELECT %s FROM %s %s ORDER BY %s LIMIT $1`, strings.Join(tb.columns, ", "), tb.name, where, tb.columns[0])
	var list [][]any
	err := source.engine.read(ctx, func(t *tx) error {
		list = nil
		return t.each(func(rows *sql.Rows) error {
			row, places := make([]any, len(tb.columns)), make([]any, len(tb.columns))
			for i := range row {
				places[i] = &row[i]
			}
			err := rows.Scan(places...)
			list = append(list, row)
			return err
		}, query, args...)
	})
	return list, err
}

// reseal seals what is sealed in a row for the other state.
func (tb *table) reseal(row []any, from, to *seal.Ring) error {
	sealed, _ := row[tb.sealed].([]byte) // a message that is over has none
	if tb.purpose == nil || sealed == nil {
		return nil
	}
	purpose := tb.purpose(row[0].(string))
	text, err := from.Open(purpose, sealed)
	if errors.Is(err, seal.ErrOtherKey) {
		return errOtherKey
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", tb.columns[0], row[0], err)
	}
	row[tb.sealed] = to.Seal(purpose, text)
	return nil
}

// insertion is the statement that inserts some rows.
func (tb *table) insertion(rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `INSERT INTO %s (%s) VALUES `, tb.name, strings.Join(tb.columns, ", "))
	n := 0
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		for i := range tb.columns {
			n++
			separator := ", "
			if i == 0 {
				separator = "("
			}
			fmt.Fprintf(&b, "%s$%d", separator, n)
		}
		b.WriteString(")")
	}
	return b.String()
}
