package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"modernc.org/sqlite" // also registers the driver "sqlite"
)

// sqliteEngine runs steps on a SQLite file, or on a database in memory. A [groupWriter]
// does all the writing.
type sqliteEngine struct {
	writer  *groupWriter
	readers *sql.DB // nil in memory: there the writer reads too
	files   []*sql.DB
	lock    *flock.Flock
	log     *slog.Logger
	path    string // of the file, without symbolic links
	opened  map[string]fs.FileInfo
	damage  *damage
	clock   clock
}

const (
	readers = 4
	// closeTime is how long [sqliteEngine.close] waits for the disk.
	closeTime = 3 * time.Second
	// saveTime is the same when the file is lost, and what it held is saved.
	saveTime = 30 * time.Second
	// inMemory is not a path.
	inMemory = ""
)

// openSQLite opens the file of that path, or a database in memory.
func openSQLite(ctx context.Context, path string, opts Options, found *damage, heard func(string)) (*sqliteEngine, error) {
	found.log = opts.Log
	e := &sqliteEngine{log: opts.Log, damage: found}
	e.clock.set(time.Now(), time.Now())
	if err := e.open(ctx, path, opts, heard); err != nil {
		if isDamage(err) {
			err = fmt.Errorf("%w, or restore a backup: %w", errDamaged, err)
		}
		return nil, errors.Join(explainFile(err, path), e.closeFiles())
	}
	return e, nil
}

// explainFile is [ExplainAccess] for SQLite's files.
func explainFile(err error, path string) error {
	return ExplainAccess(err, filepath.Dir(path), path, path+"-wal", path+"-shm", path+".lock")
}

func (e *sqliteEngine) open(ctx context.Context, path string, opts Options, heard func(string)) error {
	// Commits are as durable as with fsync, and a little faster. Not every system has it.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return err
	}
	if path == inMemory {
		writing, err := e.openPool("file:state?vfs=memdb&_pragma=journal_mode(MEMORY)&_pragma=synchronous(OFF)", 1)
		if err != nil {
			return err
		}
		if err := migrate(ctx, writing, sqliteDialect, nil); err != nil {
			return err
		}
		e.writer, err = startWriter(ctx, writing, nil, e.log, heard)
		return err
	}

	locked, err := e.lockFile(ctx, path, opts)
	if err != nil {
		return err
	}
	// A file that was deleted must not be created again.
	name := fileName(e.path) + "?mode=rw&_pragma=busy_timeout(5000)"
	writing, err := e.openPool(name+"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=wal_autocheckpoint(0)&_pragma=journal_size_limit("+strconv.Itoa(logLimit)+")", 1)
	if err != nil {
		return err
	}
	if locked {
		err = migrate(ctx, writing, sqliteDialect, nil)
	} else {
		err = checkVersion(ctx, writing, sqliteDialect)
	}
	if err != nil {
		return err
	}
	if e.readers, err = e.openPool(name+"&_pragma=query_only(1)", readers); err != nil {
		return err
	}
	checkpoints, err := e.openPool(name+"&_pragma=synchronous(FULL)", 1)
	if err != nil {
		return err
	}
	if locked {
		if err := errors.Join(e.quickCheck(ctx, e.readers), e.remember()); err != nil {
			return err
		}
	}
	e.writer, err = startWriter(ctx, writing, checkpoints, e.log, heard)
	return err
}

func (e *sqliteEngine) openPool(name string, connections int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	e.files = append(e.files, db)
	return db, nil
}

// fileName is the driver's name for a file, whose path may hold any character.
func fileName(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// lockFile creates the file for its owner alone, and locks other processes out: they
// would not see what this one keeps in memory. It reports false if the file is shared
// with a process that has locked it.
func (e *sqliteEngine) lockFile(ctx context.Context, path string, opts Options) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	var err error
	if e.path, err = realPath(path); err != nil {
		return false, err
	}
	path = e.path
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

// realPath follows symbolic links, as one file must have one lock. The file need not
// exist, but its folder must.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return realPath(target)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(folder, filepath.Base(path)), err
}

func (e *sqliteEngine) write(ctx context.Context, step func(*tx) error) error {
	// The driver would start a goroutine for each statement if its context could end.
	return e.damage.note(e.writer.do(ctx, context.Background(), step))
}

func (e *sqliteEngine) read(ctx context.Context, step func(*tx) error) error {
	// A reader might open the file that took the place of the open one.
	if e.readers == nil || e.damage.lost() {
		return e.damage.note(e.writer.do(ctx, ctx, step))
	}
	conn, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return e.damage.note(err)
	}
	defer conn.Rollback() //nolint:errcheck // nothing was written
	return e.damage.note(step(&tx{ctx: ctx, run: conn, dialect: sqliteDialect}))
}

// snapshot is read, which is a transaction already.
func (e *sqliteEngine) snapshot(ctx context.Context, step func(*tx) error) error {
	return e.read(ctx, step)
}

func (e *sqliteEngine) now() time.Time { return e.clock.now() }

// watch checks the files: no other process writes to them.
func (e *sqliteEngine) watch(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, heartbeatInterval)
		e.checkFiles()
	}
}

var errHangs = errors.New("the disk does not answer: the state was not closed")

func (e *sqliteEngine) close() error {
	closed := make(chan error, 1)
	go func() {
		e.writer.stop()
		var err error
		if e.damage.lost() {
			err = e.save()
		}
		closed <- errors.Join(err, e.closeFiles())
	}()
	wait := closeTime
	if e.damage.lost() {
		wait = saveTime
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		// The lock stays until what is still being written is done, or the process ends.
		return errHangs
	}
}

func (e *sqliteEngine) closeFiles() error {
	var err error
	for _, db := range slices.Backward(e.files) {
		err = errors.Join(err, db.Close())
	}
	if e.lock != nil {
		err = errors.Join(err, e.lock.Unlock())
	}
	return err
}
