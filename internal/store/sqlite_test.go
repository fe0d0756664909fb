//go:build unix

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"dmconnector/internal/delivery"
)

// Before 3.51.3 SQLite could lose what was committed when a WAL was reset.
func TestSQLiteIsNewEnough(t *testing.T) {
	s := openTest(t, Options{State: "memory"})
	var version string
	if err := s.engine.read(t.Context(), func(x *tx) error { return x.row(`SELECT sqlite_version()`).Scan(&version) }); err != nil {
		t.Fatal(err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil || major*1_000_000+minor*1000+patch < 3_051_003 {
		t.Errorf("SQLite %s, %v", version, err)
	}
}

func TestFileIsDurableAndInWAL(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := s.engine.write(t.Context(), func(x *tx) error { return x.row(`PRAGMA ` + pragma).Scan(&got) }); err != nil || got != want {
			t.Errorf("%s is %s, %v", pragma, got, err)
		}
	}
}

func TestFileIsForOneProcess(t *testing.T) {
	address := addressOf(t, SQLite)
	first, err := Open(t.Context(), Options{State: address, Ring: testRing(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{State: address, Ring: testRing(t)}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second one: %v", err)
	}
	// A successor waits until the first has gone.
	opened := make(chan error, 1)
	go func() {
		s, err := Open(context.Background(), Options{State: address, Ring: testRing(t), LockWait: 20 * time.Second})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("the successor: %v", err)
	}
}

// What a crash has left is reclaimed at once by the next start.
func TestStartReclaimsWhatACrashLeft(t *testing.T) {
	address := addressOf(t, SQLite)
	s, err := Open(t.Context(), Options{State: address, Ring: testRing(t)})
	if err != nil {
		t.Fatal(err)
	}
	direct, queued := mustAccept(t, s, order{}), mustAccept(t, s, order{mode: delivery.Queued})
	mustClaim(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, Options{State: address, Ring: testRing(t)})
	if r := mustMessage(t, s, direct.ID); r.State != delivery.StateUnknown {
		t.Errorf("the direct one is %s", r.State)
	}
	if list := mustClaim(t, s, 10); len(list) != 1 || list[0].ID != queued.ID || list[0].Attempt != 2 {
		t.Errorf("claimed again: %+v", list)
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	address := addressOf(t, SQLite)
	s, err := Open(t.Context(), Options{State: address, Ring: testRing(t)})
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, `INSERT INTO dmconnector_schema (version_id, is_applied) VALUES (99999, true)`)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{State: address, Ring: testRing(t)}); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("%v", err)
	}
}

// Jobs that come together are one transaction, and one that fails fails alone.
func TestGroupCommit(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)})
	hold, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = s.engine.write(context.Background(), func(*tx) error { close(held); <-hold; return nil })
	})
	<-held
	var runs atomic.Int64
	failure := errors.New("mine")
	for i := range 50 {
		all.Go(func() {
			err := s.engine.write(context.Background(), func(x *tx) error {
				runs.Add(1)
				if _, err := x.exec(`INSERT INTO secret (name, value) VALUES ($1, $2)`, fmt.Sprint("job ", i), []byte{1}); err != nil {
					return err
				}
				if i == 25 {
					return failure
				}
				return nil
			})
			if want := map[bool]error{true: failure}[i == 25]; !errors.Is(err, want) {
				t.Errorf("job %d: %v", i, err)
			}
		})
	}
	until(t, "all jobs wait", func() bool { return len(s.engine.(*sqliteEngine).writer.jobs) == 50 })
	close(hold)
	all.Wait()
	var n int
	if err := s.engine.read(t.Context(), func(x *tx) error { return x.row(`SELECT count(*) FROM secret WHERE name LIKE 'job %'`).Scan(&n) }); err != nil || n != 49 {
		t.Errorf("%d jobs are done, %v", n, err)
	}
	if runs.Load() > 50+50 {
		t.Errorf("%d runs", runs.Load())
	}
}

// A caller whose time is over is answered, though the disk hangs.
func TestWriteEndsWithItsContext(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)})
	hold, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = s.engine.write(context.Background(), func(*tx) error { close(held); <-hold; return nil })
	})
	<-held
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	waiting := s.testEntry(order{})
	if _, err := s.Accept(ctx, waiting); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, delivery.ErrInDoubt) {
		t.Errorf("it had not begun: %v", err)
	}
	close(hold)
	all.Wait()
	if _, found, err := s.Message(t.Context(), waiting.ID); found || err != nil {
		t.Errorf("it was accepted after its caller had given up: %v", err)
	}
	// One that has begun may still be done.
	hold = make(chan struct{})
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.engine.write(ctx, func(*tx) error { <-hold; return nil }); !errors.Is(err, delivery.ErrInDoubt) {
		t.Errorf("it had begun: %v", err)
	}
	close(hold)
}

// No query of a message's life looks through the whole table.
func TestQueriesUseIndexes(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)})
	plans := &planner{t: t}
	recorder := &Store{engine: recording{s.engine, plans}, kind: SQLite, ring: s.ring, log: s.log, damage: damage{log: s.log}, secret: s.secret, queued: s.queued, times: s.times, due: newTopic(), configured: newTopic()}
	for _, o := range []order{{mode: delivery.Queued, supersede: "p", key: "k", charges: []delivery.Charge{s.limit("ip", "i", 1)}}, {mode: delivery.Queued}, {supersede: "p"}} {
		e := mustAccept(t, recorder, o)
		mustClaim(t, recorder, 1)
		mustComplete(t, recorder, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateSent})
		if _, err := superseded(t, recorder, e.ID); err != nil {
			t.Fatal(err)
		}
	}
	address := s.Hash("a")
	for _, f := range []delivery.Filter{
		{},
		{Address: &address},
		{Connector: "c"},
		{Type: "t"},
		{Connector: "c", Type: "t"},
		{States: []delivery.State{delivery.StateDead, delivery.StateUnknown}, Connector: "c", Type: "t"},
		{States: []delivery.State{delivery.StateSent}, Connector: "c"},
		{States: []delivery.State{delivery.StateFailed}, Connector: "c"},
		{States: []delivery.State{delivery.StateQueued}, Type: "t"},
		{Address: &address, Connector: "c", States: []delivery.State{delivery.StateSent}},
		{Since: time.Now(), Until: time.Now(), Before: "x"},
	} {
		f.Limit = 10
		if _, err := recorder.Messages(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	for _, task := range []func(context.Context) error{recorder.expire, func(ctx context.Context) error { return recorder.reclaim(ctx, endedLeases) }} {
		if err := task(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.run(t, `INSERT INTO message (id, connector, type, mode, state, code, detail, recipient, address, body, superseded, hold, attempts, owner, due_at, expires_at, created_at, updated_at, charges, payload, steps)
		VALUES ('x', '', '', 'queued', 'queued', '', '', '', $1, $1, 0, 0, 0, '', 1, 1, 1, 1, '[]', $1, '{}')`, []byte{1})
	if err := recorder.expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run(t, `UPDATE message SET state = 'queued', expires_at = $1`, micros(s.engine.now().Add(time.Hour)))
	if list, err := recorder.Claim(t.Context(), 1, []string{"c", "d"}); err != nil || len(list) != 1 {
		t.Fatalf("%d claimed, %v", len(list), err)
	}
	if plans.seen < 12 {
		t.Errorf("only %d statements were looked at", plans.seen)
	}
}

// recording looks at the plan of each statement that is run.
type recording struct {
	engine
	plans *planner
}

func (r recording) write(ctx context.Context, step func(*tx) error) error {
	return r.engine.write(ctx, func(x *tx) error { return step(r.plans.over(x)) })
}

func (r recording) read(ctx context.Context, step func(*tx) error) error {
	return r.engine.read(ctx, func(x *tx) error { return step(r.plans.over(x)) })
}

type planner struct {
	t    *testing.T
	seen int
	run  runner
}

func (p *planner) over(x *tx) *tx {
	with := *x
	with.run = &planner{t: p.t, run: x.run}
	p.seen++
	return &with
}

func (p *planner) explain(ctx context.Context, query string, args []any) {
	rows, err := p.run.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			p.t.Error(err)
		}
		if strings.HasPrefix(detail, "SCAN message") && !strings.Contains(detail, "USING") || strings.Contains(detail, "TEMP B-TREE") && !strings.Contains(query, "substr(id, 29)") {
			p.t.Errorf("%s: %s", detail, query)
		}
	}
}

func (p *planner) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	p.explain(ctx, query, args)
	return p.run.ExecContext(ctx, query, args...)
}

func (p *planner) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.explain(ctx, query, args)
	return p.run.QueryContext(ctx, query, args...)
}

func (p *planner) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	p.explain(ctx, query, args)
	return p.run.QueryRowContext(ctx, query, args...)
}

func TestMemoryIsBounded(t *testing.T) {
	s := openTest(t, Options{State: "memory"})
	s.maxMessages = 10
	waiting := mustAccept(t, s, order{mode: delivery.Queued})
	var last *delivery.Entry
	for range 30 {
		last = mustAccept(t, s, order{})
		mustComplete(t, s, delivery.Outcome{ID: last.ID, Attempt: 1, State: delivery.StateSent})
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustMessage(t, s, waiting.ID)
	mustMessage(t, s, last.ID)
	if n := s.rows(t); n != 11 {
		t.Errorf("%d are left", n)
	}
}

// What was committed goes into the database beside those who write, and the log
// does not grow.
func TestLogIsMovedIntoTheDatabase(t *testing.T) {
	address := addressOf(t, SQLite)
	s := openTest(t, Options{State: address, Ring: testRing(t)})
	log := strings.TrimPrefix(address, "sqlite:") + "-wal"
	size := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for range 100 {
		mustAccept(t, s, order{})
	}
	full := size()
	for range 3 {
		until(t, "all is moved", func() bool {
			var busy, pages, moved int
			err := s.engine.(*sqliteEngine).readers.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(NOOP)`).Scan(&busy, &pages, &moved)
			return err == nil && pages == moved
		})
		for range 80 {
			mustAccept(t, s, order{})
		}
	}
	if n := size(); n > full+full/2 {
		t.Errorf("the log has grown from %d to %d bytes", full, n)
	}
	// Where there is always somebody writing, the writer does it.
	engine := s.engine.(*sqliteEngine)
	engine.writer.longLog.signal()
	until(t, "the writer has seen it", func() bool { return len(engine.writer.longLog) == 0 })
	mustAccept(t, s, order{})
}

// A long reader makes the log grow; after it the file becomes short again.
func TestLogBecomesShortAfterALongReader(t *testing.T) {
	address := addressOf(t, SQLite)
	s := openTest(t, Options{State: address, Ring: testRing(t)})
	size := func() int64 {
		info, err := os.Stat(strings.TrimPrefix(address, "sqlite:") + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	n := 0
	write := func(bytes int) {
		t.Helper()
		n++
		s.run(t, `INSERT INTO secret (name, value) VALUES ($1, $2)`, fmt.Sprint("row ", n), make([]byte, bytes))
	}
	err := s.engine.read(t.Context(), func(x *tx) error {
		var rows int
		if err := x.row(`SELECT count(*) FROM secret`).Scan(&rows); err != nil {
			return err
		}
		for size() < logLimit+1 {
			write(4 << 20)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the log is short", func() bool {
		write(1)
		return size() <= logLimit
	})
}

// onSlowState is called by slow_state, a function of SQLite that returns its argument.
var onSlowState atomic.Pointer[func()]

var registerSlowState = sync.OnceFunc(func() {
	sqlite.MustRegisterDeterministicScalarFunction("slow_state", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		(*onSlowState.Load())()
		return args[0], nil
	})
})

// A query ends when its caller leaves, though it has found a row already.
func TestQueryEndsWithItsContext(t *testing.T) {
	registerSlowState()
	for _, kind := range []Kind{Memory, SQLite} {
		t.Run(string(kind), func(t *testing.T) {
			s := openTest(t, Options{State: addressOf(t, kind), Ring: testRing(t)})
			const messages = 1000
			for range messages {
				mustAccept(t, s, order{})
			}
			newest := mustAccept(t, s, order{})
			mustComplete(t, s, delivery.Outcome{ID: newest.ID, Attempt: 1, State: delivery.StateSent})
			columns := "id, connector, type, mode, slow_state(state) AS state, code, recipient, body, attempts, due_at, expires_at, created_at, updated_at, payload"
			s.run(t, `ALTER TABLE message RENAME TO hidden`)
			s.run(t, `CREATE VIEW message AS SELECT `+columns+` FROM hidden`)

			ctx, cancel := context.WithCancel(t.Context())
			looked := 0
			look := func() {
				if looked++; looked == 10 {
					cancel()
				}
				if ctx.Err() != nil {
					<-time.After(time.Millisecond) // the driver gets a turn
				}
			}
			onSlowState.Store(&look)
			_, err := s.Messages(ctx, delivery.Filter{States: []delivery.State{delivery.StateSent}, Limit: 10})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if err := s.Close(); err != nil { // which waits for the query
				t.Fatal(err)
			}
			if looked < 10 || looked > messages/2 {
				t.Errorf("it looked at %d of %d messages", looked, messages)
			}
		})
	}
}
