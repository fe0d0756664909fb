package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"dmconnector/internal/seal"
)

// damagedFile returns the path of a SQLite state to check or recover.
func damagedFile(state string) (string, error) {
	address, err := ParseAddress(state)
	switch {
	case err != nil:
		return "", err
	case address.Kind == Postgres:
		return "", errors.New("use PostgreSQL's own pg_amcheck and backups for a state in PostgreSQL")
	case address.Kind == Memory:
		return "", errMemory
	}
	return realPath(address.Path)
}

// Check returns what is wrong with a SQLite state, without changing it. A process may be
// serving on it meanwhile.
func Check(ctx context.Context, opts Options) ([]string, error) {
	path, err := damagedFile(opts.State)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", fileName(path)+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	t := &tx{ctx: ctx, run: db, dialect: sqliteDialect}
	var problems []string
	found := func(what string, err error) {
		problems = append(problems, fmt.Sprintf("%s: %v", what, err))
	}
	results, err := collect(t, func(row scanner) (text string, err error) { return text, row.Scan(&text) }, `PRAGMA integrity_check`)
	if err != nil {
		if !isDamage(err) {
			return nil, explainFile(err, path)
		}
		found("the file", err)
	}
	for _, text := range results {
		if text != "ok" {
			problems = append(problems, text)
		}
	}
	for _, tb := range tables() {
		if tb.sealed == "" {
			continue
		}
		if err := tb.openAll(t, opts.Ring); err != nil {
			found("table "+tb.name, err)
		}
	}
	return problems, ctx.Err()
}

// openAll opens what is sealed in a table, up to the first that cannot be opened.
func (tb *table) openAll(t *tx, ring *seal.Ring) error {
	return t.each(func(rows *sql.Rows) error {
		var key string
		var value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		if _, err := ring.Open(tb.purpose(key), value); err != nil {
			return fmt.Errorf("%s %q: %w", tb.columns[0], key, err)
		}
		return nil
	}, fmt.Sprintf(`SELECT %s, %s FROM %s WHERE %[2]s IS NOT NULL`, tb.columns[0], tb.sealed, tb.name))
}

// Recovered is what was saved of a table.
type Recovered struct {
	Table string
	Saved int
	Lost  []string // the keys of rows that cannot be read; "" if not even their keys can be
}

// Recover makes a new file of what can be read of a damaged SQLite state, and puts it in
// its place. No process may be serving on it. It returns where the old file is then.
func Recover(ctx context.Context, opts Options) (recovered []Recovered, old string, err error) {
	path, err := damagedFile(opts.State)
	if err != nil {
		return nil, "", err
	}
	opts.LockWait = 0
	source := &sqliteEngine{}
	if _, err := source.lockFile(ctx, path, opts); err != nil {
		return nil, "", explainFile(err, path)
	}
	defer func() { err = errors.Join(err, source.closeFiles()) }()
	db, err := source.openPool(fileName(path)+"?mode=rw", 1)
	if err != nil {
		return nil, "", err
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), ".recover-*")
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	fresh := filepath.Join(folder, "state.db")
	target, err := open(ctx, Options{State: "sqlite:" + fresh, Ring: opts.Ring, Log: opts.Log})
	if err != nil {
		return nil, "", err
	}
	recovered, err = recoverAll(ctx, &tx{ctx: ctx, run: db, dialect: sqliteDialect}, target)
	if err := errors.Join(err, target.Close(), db.Close()); err != nil {
		return nil, "", err
	}
	if _, err := os.Stat(fresh + "-wal"); err == nil {
		return nil, "", errors.New("the new file could not be written in full: try again")
	}
	old = path + ".damaged-" + time.Now().UTC().Format("20060102T150405Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, old+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, "", err
		}
	}
	return recovered, old, os.Rename(fresh, path)
}

func recoverAll(ctx context.Context, from *tx, target *Store) ([]Recovered, error) {
	return transact(ctx, target.write, func(to *tx) ([]Recovered, error) {
		var list []Recovered
		saved := 0
		for _, tb := range tables() {
			if err := tb.clear(to); err != nil {
				return nil, err
			}
			r, err := tb.recover(from, to)
			if err != nil {
				return nil, fmt.Errorf("recover table %s: %w", tb.name, err)
			}
			list = append(list, r)
			saved += r.Saved
		}
		if saved == 0 {
			return nil, errors.New("nothing of the state can be read: restore a backup")
		}
		return list, nil
	})
}

// recover copies each row that can be read. The index of the keys finds those that
// follow an unreadable page, and the table those that the index cannot.
func (tb *table) recover(from, to *tx) (Recovered, error) {
	r := Recovered{Table: tb.name}
	keys := make(map[int64]string)
	for _, query := range []string{
		` NOT INDEXED ORDER BY rowid`, ` NOT INDEXED ORDER BY rowid DESC`,
		` INDEXED BY sqlite_autoindex_` + tb.name + `_1 ORDER BY ` + tb.columns[0],
		` INDEXED BY sqlite_autoindex_` + tb.name + `_1 ORDER BY ` + tb.columns[0] + ` DESC`,
	} {
		err := from.each(func(rows *sql.Rows) error {
			var row int64
			var key string
			err := rows.Scan(&row, &key)
			keys[row] = key
			return err
		}, `SELECT rowid, `+tb.columns[0]+` FROM `+tb.name+query)
		if err != nil && !isDamage(err) {
			return r, err
		}
	}
	numbers := make([]int64, 0, len(keys))
	for row := range keys {
		numbers = append(numbers, row)
	}
	slices.Sort(numbers)
	query := fmt.Sprintf(`SELECT %s FROM %s WHERE rowid = $1`, strings.Join(tb.columns, ", "), tb.name)
	for _, row := range numbers {
		values, err := collect(from, tb.scan, query, row)
		if err == nil && len(values) == 1 {
			_, err = to.exec(tb.insertion(1), values[0]...)
		}
		failed, _ := errors.AsType[*sqlite.Error](err)
		switch {
		case err == nil && len(values) == 1:
			r.Saved++
		case err == nil, isDamage(err), failed != nil && failed.Code()&0xff == sqlite3.SQLITE_CONSTRAINT:
			r.Lost = append(r.Lost, keys[row])
		default:
			return r, err
		}
	}
	return r, nil
}
