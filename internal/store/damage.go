package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// damage is why a SQLite state cannot be relied on. Until it is repaired, the process is
// not ready and queues nothing more; what can be read and recorded goes on.
type damage struct {
	log *slog.Logger

	mu   sync.Mutex
	page error // a page cannot be read; until the process ends
	file error // the open file is not the one at its path; until it is back
}

// errDamaged says what to do about a page that cannot be read.
var errDamaged = errors.New("the state is damaged: stop the service, run dmconnector state recover, start the service")

// isDamage reports whether an error says that a page cannot be read.
func isDamage(err error) bool {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return errors.Is(err, errDamaged)
	}
	switch failed.Code() {
	case sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_CORRUPTFS:
		return true
	}
	code := failed.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// note takes the error of a statement, and returns it.
func (d *damage) note(err error) error {
	if err == nil || !isDamage(err) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.page == nil {
		d.page = fmt.Errorf("%w: %w", errDamaged, err)
		d.log.Error("the state is damaged: queued requests are rejected until you stop the service, run dmconnector state recover, and start it", "error", err)
	}
	return err
}

// found returns what is wrong, if anything is.
func (d *damage) found() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.page != nil {
		return d.page
	}
	return d.file
}

// lost reports whether the open file is no longer at its path.
func (d *damage) lost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.file != nil
}

// remember keeps which files are open, to find out when others take their places.
func (e *sqliteEngine) remember() error {
	e.opened = make(map[string]fs.FileInfo)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(e.path + suffix)
		if err != nil {
			return err
		}
		e.opened[e.path+suffix] = info
	}
	return nil
}

// checkFiles notices that a file was deleted, moved, replaced or truncated: SQLite goes
// on writing to the one it has open.
func (e *sqliteEngine) checkFiles() {
	var gone error
	for path, opened := range e.opened {
		info, err := os.Stat(path)
		switch {
		case err != nil || !os.SameFile(opened, info):
			gone = fmt.Errorf("%s was deleted, moved or replaced: stop the service, which then saves its state beside it as a new file", path)
		case path == e.path && info.Size() < opened.Size():
			_ = e.damage.note(fmt.Errorf("%w: %s became shorter: another program wrote to it", errDamaged, path))
		case path == e.path:
			e.opened[path] = info
		}
	}
	d := e.damage
	d.mu.Lock()
	defer d.mu.Unlock()
	if gone != nil && d.file == nil {
		d.log.Error("the file of the state is lost: queued requests are rejected until you put it back, or restart the service", "error", gone)
	}
	if gone == nil && d.file != nil {
		d.log.Info("the file of the state is back")
	}
	d.file = gone
}

// save writes what a lost file held into a new file at its place.
func (e *sqliteEngine) save() error {
	if err := os.MkdirAll(filepath.Dir(e.path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(e.path), filepath.Base(e.path)+".saved-*")
	if err != nil {
		return err
	}
	_, err = e.files[0].ExecContext(context.Background(), `VACUUM INTO $1`, file.Name())
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("save the lost state: %w", err), os.Remove(file.Name()))
	}
	e.log.Warn("saved the lost state: to go on with it, move it to its place before the next start", "file", file.Name(), "place", e.path)
	return nil
}

// checkTime bounds the check at the start: callers are waiting. A state of some hundred
// MB is checked in full.
const checkTime = 2 * time.Second

// quickCheck looks for damage before it stops a message.
func (e *sqliteEngine) quickCheck(ctx context.Context, db *sql.DB) error {
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var result string
	err := db.QueryRowContext(bounded, `PRAGMA quick_check(1)`).Scan(&result)
	switch {
	case bounded.Err() != nil:
		e.log.Info("the state is too large to be checked at the start, dmconnector state check does it", "within", checkTime)
		return ctx.Err()
	case err == nil && result != "ok":
		err = fmt.Errorf("%w: %s", errDamaged, result)
	}
	if err = e.damage.note(err); isDamage(err) {
		return nil // what can be read goes on
	}
	return err
}

// rowByRow runs a task for all rows at once. If damage stops it, it runs it for each row
// that the condition chooses, so that those that can be read go on. The task takes a
// row's number, or 0 for all, and reports whether to go on.
func (s *Store) rowByRow(ctx context.Context, condition string, args []any, task func(row int64) (bool, error)) error {
	_, err := task(0)
	if !isDamage(err) {
		return err
	}
	var rows []int64
	failed := s.engine.read(ctx, func(t *tx) (err error) {
		rows, err = t.rowNumbers(args, `SELECT rowid FROM message`+condition,
			`SELECT rowid FROM message NOT INDEXED`+condition+` ORDER BY rowid`,
			`SELECT rowid FROM message NOT INDEXED`+condition+` ORDER BY rowid DESC`)
		return err
	})
	if failed != nil {
		return failed
	}
	for _, row := range rows {
		goOn, err := task(row)
		if err != nil && !isDamage(err) {
			return err
		}
		if err == nil && !goOn {
			return nil
		}
	}
	return nil
}

// only restricts a statement to one row; 0 is all.
func only(row int64, args *[]any) string {
	if row == 0 {
		return ""
	}
	*args = append(*args, row)
	return ` AND rowid = $` + strconv.Itoa(len(*args))
}

// rowNumbers returns the rows that the queries find, each as far as it can be read. It
// needs no more of them once one was read to its end.
func (t *tx) rowNumbers(args []any, queries ...string) ([]int64, error) {
	var rows []int64
	known := make(map[int64]bool)
	for _, query := range queries {
		err := t.each(func(found *sql.Rows) error {
			var row int64
			err := found.Scan(&row)
			if err == nil && !known[row] {
				known[row] = true
				rows = append(rows, row)
			}
			return err
		}, query, args...)
		if !isDamage(err) {
			return rows, err
		}
	}
	return rows, nil
}
