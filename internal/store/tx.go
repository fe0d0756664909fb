package store

import (
	"context"
	"database/sql"
	"strings"
)

// A runner runs statements of one transaction.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A tx is one transaction. Statements number their arguments ($1), which both
// kinds of database understand, and where these differ have words in braces: see
// [dialect].
type tx struct {
	ctx     context.Context //nolint:containedctx // it is the transaction's, which is one call
	run     runner
	dialect *dialect
	topics  []string // to notify when it is committed
	changed int64    // rows
}

// A dialect has what the two kinds of database call differently.
type dialect struct{ words *strings.Replacer }

var (
	sqliteDialect = &dialect{strings.NewReplacer(
		"{greatest}", "max",
		"{least}", "min",
		"{skip locked}", "",
		"{hidden}", "|| ''",
	)}
	postgresDialect = &dialect{strings.NewReplacer(
		"{greatest}", "GREATEST",
		"{least}", "LEAST",
		"{skip locked}", "FOR UPDATE SKIP LOCKED",
		"{hidden}", "",
	)}
)

func (t *tx) text(statement string) string {
	if strings.IndexByte(statement, '{') < 0 {
		return statement
	}
	return t.dialect.words.Replace(statement)
}

// exec returns how many rows were changed.
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

// notify tells the processes that share the state, this one included, when the
// transaction is committed.
func (t *tx) notify(topic string) { t.topics = append(t.topics, topic) }

// lock has transactions of one subject come one after the other. SQLite has one
// writer anyway.
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
