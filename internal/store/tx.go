package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// A runner runs statements of one transaction.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A tx is one transaction. Statements number their arguments ($1), which both kinds of
// database understand, and use words in braces where the two differ; see [dialect].
type tx struct {
	ctx     context.Context //nolint:containedctx // the transaction's, which is one call
	run     runner
	dialect *dialect
	topics  []string // to signal after the commit
	changed int64    // rows
}

// A dialect is how a kind of database differs from the other.
type dialect struct {
	goose    goose.Dialect
	words    *strings.Replacer
	hasTable string // reports whether there is a table of that name
	indexed  string // before the name of the index to use
}

var (
	sqliteDialect = &dialect{
		goose: goose.DialectSQLite3,
		words: strings.NewReplacer(
			"{blob}", "BLOB",
			"{greatest}", "max",
			"{least}", "min",
			"{skip locked}", "",
		),
		hasTable: `SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = $1`,
		indexed:  " INDEXED BY ",
	}
	postgresDialect = &dialect{
		goose: goose.DialectPostgres,
		words: strings.NewReplacer(
			"{blob}", "BYTEA",
			"{greatest}", "GREATEST",
			"{least}", "LEAST",
			"{skip locked}", "FOR UPDATE SKIP LOCKED",
		),
		hasTable: `SELECT to_regclass($1) IS NOT NULL`,
	}
)

func (t *tx) text(statement string) string {
	if strings.IndexByte(statement, '{') < 0 {
		return statement
	}
	return t.dialect.words.Replace(statement)
}

// messages is the table of messages, read through that index. PostgreSQL chooses by
// its statistics; SQLite, which has none here, would often choose worse.
func (t *tx) messages(index string) string {
	if index == "" || t.dialect.indexed == "" {
		return "message"
	}
	return "message" + t.dialect.indexed + index
}

// exec returns how many rows it changed.
func (t *tx) exec(statement string, args ...any) (int64, error) {
	result, err := t.run.ExecContext(t.ctx, t.text(statement), args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	t.changed += n
	return n, err
}

func (t *tx) row(statement string, args ...any) *sql.Row {
	return t.run.QueryRowContext(t.ctx, t.text(statement), args...)
}

// each calls f for each row, to scan it.
func (t *tx) each(f func(*sql.Rows) error, statement string, args ...any) error {
	rows, err := t.run.QueryContext(t.ctx, t.text(statement), args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says it
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// signal signals a topic after the commit, here and in the processes that share the
// state.
func (t *tx) signal(topic string) { t.topics = append(t.topics, topic) }

// savepoint undoes what a step did, within the transaction, unless it is to be kept.
func (t *tx) savepoint(step func() (keep bool, err error)) error {
	if _, err := t.exec(`SAVEPOINT step`); err != nil {
		return err
	}
	keep, err := step()
	if err != nil {
		return err
	}
	if !keep {
		if _, err := t.exec(`ROLLBACK TO SAVEPOINT step`); err != nil {
			return err
		}
	}
	_, err = t.exec(`RELEASE SAVEPOINT step`)
	return err
}

// lock makes transactions of one subject wait for each other. SQLite has one writer
// anyway.
func (t *tx) lock(subject []byte) error {
	if t.dialect == sqliteDialect {
		return nil
	}
	var number int64
	for _, b := range subject[:8] {
		number = number<<8 | int64(b)
	}
	_, err := t.exec(`SELECT pg_advisory_xact_lock($1)`, number)
	return err
}

// transact returns what a step returns when it is run by an engine's write, read or
// snapshot. After an error the step may still be running.
func transact[T any](ctx context.Context, run func(context.Context, func(*tx) error) error, step func(*tx) (T, error)) (result T, err error) {
	var last T
	err = run(ctx, func(t *tx) (err error) {
		last, err = step(t)
		return err
	})
	if err == nil {
		result = last
	}
	return result, err
}

type scanner interface{ Scan(targets ...any) error }

// value returns what a query with one row and one column has.
func value[T any](t *tx, statement string, args ...any) (v T, err error) {
	err = t.row(statement, args...).Scan(&v)
	return v, err
}

// stored scans a column into a time (from microseconds), a hash (from its bytes), or
// what JSON decodes into.
type stored struct{ target any }

// Scan is for package sql.
func (s stored) Scan(column any) error {
	switch column := column.(type) {
	case int64:
		if t, ok := s.target.(*time.Time); ok {
			*t = fromMicros(column)
			return nil
		}
	case []byte:
		if hash, ok := s.target.(*[sha256.Size]byte); ok && copy(hash[:], column) == len(hash) {
			return nil
		}
	case string:
		return json.Unmarshal([]byte(column), s.target)
	}
	return fmt.Errorf("%T cannot be read from %T", s.target, column)
}

// collect returns what scan makes of each row.
func collect[T any](t *tx, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	found := []T{}
	err := t.each(func(rows *sql.Rows) error {
		row, err := scan(rows)
		found = append(found, row)
		return err
	}, statement, args...)
	return found, err
}
