package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"dmconnector/internal/delivery"
)

// A groupWriter does all the writing of a SQLite database, in one goroutine and on one
// connection. It commits the jobs that have come meanwhile as one transaction (group
// commit), so that all of them together wait for the disk once.
type groupWriter struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	log      *slog.Logger
	heard    func(topic string)

	jobs    chan *job
	quit    chan struct{} // no more jobs are taken
	done    chan struct{} // all that were taken are done
	end     sync.Once
	helpers sync.WaitGroup

	checkpoints *sql.DB // a connection of its own; nil in memory
	longLog     topic   // signalled when SQLite's log became long; then the writer checkpoints
}

// A job is a step that somebody waits for.
type job struct {
	step  func(*tx) error
	ctx   context.Context //nolint:containedctx // of the step's statements
	taken atomic.Bool     // by the writer, or taken back by its caller
	mine  bool            // the writer's
	err   error
	done  chan struct{}
}

const (
	// maxBatch bounds what one transaction holds.
	maxBatch = 256
	// maxPrepared bounds what lists in memory, which have many filters, may leave.
	maxPrepared = 500
)

func startWriter(ctx context.Context, db, checkpoints *sql.DB, log *slog.Logger, heard func(string)) (*groupWriter, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &groupWriter{
		conn: conn, prepared: make(map[string]*sql.Stmt), log: log, heard: heard, checkpoints: checkpoints,
		jobs: make(chan *job, maxBatch), quit: make(chan struct{}), done: make(chan struct{}), longLog: newTopic(),
	}
	if checkpoints != nil {
		w.helpers.Go(w.checkpoint)
	}
	go w.work() //nolint:gosec // it outlives the context of the opening
	return w, nil
}

// stop returns when all jobs that were taken are done.
func (w *groupWriter) stop() {
	w.end.Do(func() { close(w.quit) })
	<-w.done
	w.helpers.Wait()
}

var errClosed = errors.New("the state is closed")

// do has a step done, with statements of that context.
func (w *groupWriter) do(ctx, statements context.Context, step func(*tx) error) error {
	j := &job{step: step, ctx: statements, done: make(chan struct{})}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		// The caller must be answered even if the disk hangs.
		return errors.Join(ctx.Err(), delivery.ErrInDoubt)
	case <-w.done:
	}
	select {
	case <-j.done: // it was the last
		return j.err
	default:
		return errClosed
	}
}

// work does jobs until it is to quit, and then those that have come.
func (w *groupWriter) work() {
	defer close(w.done)
	defer w.conn.Close() //nolint:errcheck // the database is closed next
	defer func() {
		for _, stmt := range w.prepared {
			_ = stmt.Close() // else SQLite would keep the file open
		}
	}()
	for {
		select {
		case first := <-w.jobs:
			w.workOn(first)
		case <-w.longLog:
			// If it fails, the next checkpoint tries again and logs it.
			_, _ = w.conn.ExecContext(context.Background(), checkpoint)
		case <-w.quit:
			for len(w.jobs) > 0 {
				w.workOn(<-w.jobs)
			}
			return
		}
	}
}

// workOn does a job and those that have come meanwhile, as one transaction. If one of
// several fails, each gets its own transaction, so that it fails alone.
func (w *groupWriter) workOn(first *job) {
	batch := []*job{first}
	for len(batch) < maxBatch && len(w.jobs) > 0 {
		batch = append(batch, <-w.jobs)
	}
	for _, j := range batch {
		j.mine = j.taken.CompareAndSwap(false, true)
	}
	err := w.transact(batch)
	for _, j := range batch {
		j.err = err
		if err != nil && len(batch) > 1 {
			j.err = w.transact([]*job{j})
		}
	}
	for _, j := range batch {
		close(j.done)
	}
}

// transact does the jobs that their callers have not taken back, all or nothing.
func (w *groupWriter) transact(batch []*job) (err error) {
	ctx := context.Background()
	if _, err := w.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			// After some errors SQLite has rolled back by itself.
			_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	var topics []string
	for _, j := range batch {
		if !j.mine {
			continue
		}
		t := &tx{ctx: j.ctx, run: w, dialect: sqliteDialect}
		if err := j.step(t); err != nil {
			return err
		}
		topics = append(topics, t.topics...)
	}
	if _, err := w.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, topic := range topics {
		w.heard(topic)
	}
	return nil
}

func (w *groupWriter) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := w.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	w.prepared[query] = stmt
	return stmt, nil
}

// ExecContext is for [tx].
func (w *groupWriter) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := w.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext is for [tx].
func (w *groupWriter) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if w.prepared[query] == nil && len(w.prepared) >= maxPrepared {
		return w.conn.QueryContext(ctx, query, args...)
	}
	stmt, err := w.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext is for [tx].
func (w *groupWriter) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := w.prepare(ctx, query)
	if err != nil {
		// It fails the same way, and says so when it is scanned.
		return w.conn.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}

const (
	checkpointInterval = 500 * time.Millisecond
	// maxLog is in pages of 4 KiB.
	maxLog = 8000
	// logLimit is how long the log's file stays, in bytes, when a long reader that made
	// it grow has ended. Load alone does not make it as long: to truncate costs time.
	logLimit = 128 << 20
	// checkpoint neither waits nor makes others wait.
	checkpoint = "PRAGMA wal_checkpoint(PASSIVE)"
)

// checkpoint moves what was committed from SQLite's log into the database, beside the
// writing: SQLite itself would do it in the middle of a commit. If there is always
// somebody writing, the log grows, and the writer has to do it.
func (w *groupWriter) checkpoint() {
	ticker := time.NewTicker(checkpointInterval)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ticker.C:
		case <-w.quit:
			return
		}
		var busy, pages, moved int
		err := w.checkpoints.QueryRowContext(context.Background(), checkpoint).Scan(&busy, &pages, &moved)
		if err != nil && !failed {
			w.log.Error("cannot checkpoint the write-ahead log of the state, will retry", "error", err)
		}
		failed = err != nil
		if pages > maxLog {
			w.longLog.signal()
		}
	}
}
