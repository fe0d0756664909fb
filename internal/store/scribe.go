package store

import (
	"context"
	"database/sql"
	"fmt"
)

// A scribe does all the writing of a SQLite database, on a connection of its own
// whose statements it keeps prepared.
type scribe struct {
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	heard    func(topic string)
	overdue  topic // see [checkpointer]; nil: never
}

func newScribe(conn *sql.Conn, heard func(string)) *scribe {
	return &scribe{conn: conn, prepared: make(map[string]*sql.Stmt), heard: heard}
}

// work does jobs until it is to quit, and then those that have come.
func (s *scribe) work(jobs <-chan *job, quit <-chan struct{}, done chan<- struct{}) {
	defer close(done)
	defer s.conn.Close() //nolint:errcheck // the database is closed next
	for {
		select {
		case first := <-jobs:
			s.workOff(first, jobs)
		case <-s.overdue:
			// What fails here is tried again, and told, by the checkpointer.
			_, _ = s.conn.ExecContext(context.Background(), moveLog)
		case <-quit:
			for len(jobs) > 0 {
				s.workOff(<-jobs, jobs)
			}
			return
		}
	}
}

// workOff does a job and those that have come meanwhile.
func (s *scribe) workOff(first *job, jobs <-chan *job) {
	batch := []*job{first}
	for len(batch) < maxBatch && len(jobs) > 0 {
		batch = append(batch, <-jobs)
	}
	for _, j := range batch {
		j.mine = j.taken.CompareAndSwap(false, true)
	}
	s.doAll(batch)
	for _, j := range batch {
		close(j.done)
	}
}

// doAll does a batch as one transaction. If one job of several fails, each gets a
// transaction of its own, so that it fails alone.
func (s *scribe) doAll(batch []*job) {
	err := s.transact(batch)
	if err == nil {
		return
	}
	if len(batch) == 1 {
		batch[0].err = err
		return
	}
	for _, j := range batch {
		j.err = s.transact([]*job{j})
	}
}

// transact does the jobs that their callers have not taken back, all or nothing.
func (s *scribe) transact(batch []*job) (err error) {
	// The driver would watch a context that can end with a goroutine for each
	// statement; what is here is short.
	ctx := context.Background()
	if _, err := s.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			// After some errors SQLite has rolled back by itself.
			_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	var topics []string
	for _, j := range batch {
		if !j.mine {
			continue
		}
		t := &tx{ctx: ctx, run: s, dialect: sqliteDialect}
		if err := j.step(t); err != nil {
			return err
		}
		topics = append(topics, t.topics...)
	}
	if _, err := s.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, topic := range topics {
		s.heard(topic)
	}
	return nil
}

func (s *scribe) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s.prepared[query] = stmt
	return stmt, nil
}

// ExecContext is for [tx].
func (s *scribe) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext is for [tx].
func (s *scribe) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext is for [tx].
func (s *scribe) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.prepare(ctx, query)
	if err != nil {
		// It fails the same way, and says so when it is scanned.
		return s.conn.QueryRowContext(ctx, query, args...)
	}
	return stmt.QueryRowContext(ctx, args...)
}
