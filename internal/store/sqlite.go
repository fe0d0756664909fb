package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // also registers the driver "sqlite"

	"dmconnector/internal/delivery"
)

// sqliteEngine runs steps on a SQLite file, or on a database in memory. All
// writing is done by one goroutine, which commits what has come meanwhile as one
// transaction: the disk is waited for once for all of them.
type sqliteEngine struct {
	writers *sql.DB       // one connection
	readers *sql.DB       // nil in memory: there the writer reads as well
	movers  *checkpointer // nil in memory
	lock    *flock.Flock
	heard   func(topic string)

	jobs chan *job
	quit chan struct{} // no more jobs are taken
	done chan struct{} // all that were taken are done
	end  sync.Once

	moving sync.WaitGroup
}

// A job is a step that somebody waits for.
type job struct {
	step  func(*tx) error
	taken atomic.Bool // by the scribe, or back by its caller
	mine  bool        // the scribe's
	err   error
	done  chan struct{}
}

const (
	// maxBatch bounds what one transaction holds.
	maxBatch = 256
	readers  = 4
	// closeTime is how long the end waits for the disk.
	closeTime = 3 * time.Second
	// inMemory is no path.
	inMemory = ""
)

// openSQLite opens the file of that path, or memory for none.
func openSQLite(ctx context.Context, path string, opts Options, heard func(string)) (*sqliteEngine, error) {
	e := &sqliteEngine{heard: heard, jobs: make(chan *job, maxBatch), quit: make(chan struct{}), done: make(chan struct{})}
	if err := e.open(ctx, path, opts); err != nil {
		return nil, errors.Join(err, e.closeFiles())
	}
	conn, err := e.writers.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, e.closeFiles())
	}
	scribe := newScribe(conn, heard)
	if e.movers != nil {
		scribe.overdue = e.movers.overdue
		e.moving.Go(func() { e.movers.work(e.quit) })
	}
	go scribe.work(e.jobs, e.quit, e.done) //nolint:gosec // it outlives the context of the opening
	return e, nil
}

func (e *sqliteEngine) open(ctx context.Context, path string, opts Options) error {
	// Commits are as durable as with fsync, and a little faster. Not every system
	// has it.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return err
	}
	mine := true
	var err error
	if path != inMemory {
		if mine, err = e.claimFile(ctx, path, opts); err != nil {
			return err
		}
	}
	if path == inMemory {
		e.writers, err = sql.Open("sqlite", "file:state?vfs=memdb&_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)")
	} else {
		e.writers, err = openFile(path, "_pragma=busy_timeout(5000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=secure_delete(1)", "_pragma=wal_autocheckpoint(0)")
	}
	if err != nil {
		return err
	}
	e.writers.SetMaxOpenConns(1)
	bringUpToDate := migrate
	if !mine {
		bringUpToDate = checkVersion
	}
	if err := bringUpToDate(ctx, e.writers, goose.DialectSQLite3, "sqlite", nil); err != nil {
		return err
	}
	if path == inMemory {
		return nil
	}
	return e.openBeside(path, opts.Log)
}

// openBeside opens the connections beside the writer's.
func (e *sqliteEngine) openBeside(path string, log *slog.Logger) error {
	var err error
	if e.readers, err = openFile(path, "_pragma=busy_timeout(5000)", "_pragma=query_only(1)"); err != nil {
		return err
	}
	e.readers.SetMaxOpenConns(readers)
	e.readers.SetMaxIdleConns(readers)
	e.movers = &checkpointer{log: log, overdue: newTopic()}
	if e.movers.db, err = openFile(path, "_pragma=busy_timeout(5000)", "_pragma=synchronous(FULL)"); err != nil {
		return err
	}
	e.movers.db.SetMaxOpenConns(1)
	return nil
}

// openFile opens a connection pool on the file. Its name may hold any character.
func openFile(path string, options ...string) (*sql.DB, error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath()
	return sql.Open("sqlite", name+"?"+strings.Join(options, "&"))
}

// claimFile makes the file for its owner alone, and keeps other processes off it:
// their writes would not be seen by what this one keeps in memory. It reports
// false if the file is shared with a process that has done so.
func (e *sqliteEngine) claimFile(ctx context.Context, path string, opts Options) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	e.lock = flock.New(path+".lock", flock.SetPermissions(0o600))
	locked, err := e.lock.TryLock()
	if err == nil && !locked && opts.Shared {
		return false, nil
	}
	if err == nil && !locked && opts.LockWait > 0 {
		ctx, cancel := context.WithTimeout(ctx, opts.LockWait)
		defer cancel()
		locked, err = e.lock.TryLockContext(ctx, 20*time.Millisecond)
	}
	if errors.Is(err, context.DeadlineExceeded) || err == nil && !locked {
		return false, fmt.Errorf("%s is in use by another process", path)
	}
	if err != nil {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

func (e *sqliteEngine) write(ctx context.Context, step func(*tx) error) error {
	j := &job{step: step, done: make(chan struct{})}
	select {
	case e.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.quit:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		// A caller must be answered though the disk hangs.
		return errors.Join(ctx.Err(), delivery.ErrInDoubt)
	case <-e.done:
	}
	select {
	case <-j.done: // it was the last
		return j.err
	default:
		return errClosed
	}
}

var (
	errClosed = errors.New("the state is closed")
	errHangs  = errors.New("the state does not answer, and is left as it is")
)

func (e *sqliteEngine) read(ctx context.Context, step func(*tx) error) error {
	if e.readers == nil {
		return e.write(ctx, step)
	}
	conn, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer conn.Rollback() //nolint:errcheck // nothing was written
	return step(&tx{ctx: ctx, run: conn, dialect: sqliteDialect})
}

// snapshot is read: that is a transaction already.
func (e *sqliteEngine) snapshot(ctx context.Context, step func(*tx) error) error {
	return e.read(ctx, step)
}

func (e *sqliteEngine) now() time.Time { return time.Now() }

// watch has nothing to do: no other process writes.
func (e *sqliteEngine) watch(ctx context.Context, _ func(string)) { <-ctx.Done() }

func (e *sqliteEngine) close() error {
	e.end.Do(func() { close(e.quit) })
	closed := make(chan error, 1)
	go func() {
		<-e.done
		e.moving.Wait()
		closed <- e.closeFiles()
	}()
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		// The lock stays with what may still be written, at the latest until the
		// process ends.
		return errHangs
	}
}

func (e *sqliteEngine) closeFiles() error {
	var err error
	files := []*sql.DB{e.readers, e.writers}
	if e.movers != nil {
		files = append(files, e.movers.db)
	}
	for _, db := range files {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Unlock())
	}
	return err
}
