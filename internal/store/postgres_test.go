//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dmconnector/internal/delivery"
	"dmconnector/internal/postgrestest"
	"dmconnector/internal/seal"
)

func TestReplicasStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	address := postgrestest.Database(t)
	stores := make([]*Store, 4)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() {
			s, err := Open(context.Background(), Options{State: address, Ring: testRing(t)})
			if err != nil {
				t.Error(err)
				return
			}
			stores[i] = s
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range stores {
		if err := s.heartbeat(t.Context()); err != nil || s.Replicas() != len(stores) {
			t.Errorf("it knows of %d replicas, %v", s.Replicas(), err)
		}
		if s.Hash("x") != stores[0].Hash("x") {
			t.Error("their hashes differ")
		}
	}
	for _, s := range stores[1:] {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := stores[0].heartbeat(t.Context()); err != nil || stores[0].Replicas() != 1 {
		t.Errorf("the others have left, and it knows of %d, %v", stores[0].Replicas(), err)
	}
	if err := stores[0].Close(); err != nil {
		t.Error(err)
	}
}

// What one replica queues or changes, the other hears of.
func TestReplicasNotifyEachOther(t *testing.T) {
	address := postgrestest.Database(t)
	here, there := openTest(t, Options{State: address, Ring: testRing(t)}), openTest(t, Options{State: address, Ring: testRing(t)})
	ctx, stop := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { there.engine.watch(ctx) })
	defer listening.Wait()
	defer stop()
	heard := func(what string, signalled <-chan struct{}) {
		t.Helper()
		select {
		case <-signalled:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s was not heard of", what)
		}
	}
	heard("the beginning", there.Wake())
	heard("the beginning", there.ConfigurationChanged())
	mustAccept(t, here, order{mode: delivery.Queued})
	heard("a queued message", here.Wake()) // without the server
	heard("a queued message", there.Wake())
	if err := here.engine.write(t.Context(), configurationChanged); err != nil {
		t.Fatal(err)
	}
	heard("a changed configuration", here.ConfigurationChanged())
	heard("a changed configuration", there.ConfigurationChanged())
}

// A flood of queued messages is a few notifications.
func TestNotificationsAreFew(t *testing.T) {
	address := postgrestest.Database(t)
	s := openTest(t, Options{State: address, Ring: testRing(t)})
	listener, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close(context.Background())
	if _, err := listener.Exec(t.Context(), "LISTEN "+channel); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	const messages = 200
	var all sync.WaitGroup
	for range messages {
		all.Go(func() { mustAccept(t, s, order{mode: delivery.Queued}) })
	}
	all.Wait()
	// The last one is sent after all have been counted.
	s.engine.(*postgresEngine).queued.signal()
	until(t, "the notifier has seen it", func() bool { return len(s.engine.(*postgresEngine).queued) == 0 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	most := 2 + int(time.Since(begun)/notifyInterval)
	if _, err := listener.Exec(t.Context(), "NOTIFY "+channel+", 'end'"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		notification, err := listener.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if notification.Payload == "end" {
			break
		}
		n++
	}
	if n < 1 || n > most || n >= messages {
		t.Errorf("%d notifications of %d messages, want 1 to %d", n, messages, most)
	}
}

// Limits and keys hold across replicas.
func TestReplicasShareLimitsAndKeys(t *testing.T) {
	address := postgrestest.Database(t)
	stores := []*Store{openTest(t, Options{State: address, Ring: testRing(t)}), openTest(t, Options{State: address, Ring: testRing(t)})}
	var mu sync.Mutex
	accepted, ids := 0, map[string]bool{}
	var all sync.WaitGroup
	for i := range 60 {
		s := stores[i%2]
		all.Go(func() {
			a, err := s.Accept(context.Background(), s.testEntry(order{charges: []delivery.Charge{s.limit("recipient", "u", 10), s.limit("ip", "i", 50)}}))
			if err != nil {
				t.Error(err)
			}
			e := s.testEntry(order{key: "k", body: "b", supersede: "p"})
			k, err := s.Accept(context.Background(), e)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if a.Exceeded == nil {
				accepted++
			}
			if k.Known == nil {
				ids[e.ID] = true
			}
		})
	}
	all.Wait()
	if accepted != 10 || len(ids) != 1 {
		t.Errorf("%d accepted, %d of one key", accepted, len(ids))
	}
}

// Of the codes with one supersede key that come at once, over two replicas, one is not
// superseded.
func TestOneCodeIsNewestAcrossReplicas(t *testing.T) {
	address := postgrestest.Database(t)
	stores := []*Store{openTest(t, Options{State: address, Ring: testRing(t)}), openTest(t, Options{State: address, Ring: testRing(t)})}
	var mu sync.Mutex
	var ids []string
	var all sync.WaitGroup
	for i := range 30 {
		s := stores[i%2]
		all.Go(func() {
			e := s.testEntry(order{supersede: "p"})
			if _, err := s.Accept(context.Background(), e); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, e.ID)
		})
	}
	all.Wait()
	newest := 0
	for _, id := range ids {
		found, err := superseded(t, stores[0], id)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			newest++
		}
	}
	if newest != 1 {
		t.Errorf("%d of %d are the newest", newest, len(ids))
	}
}

// waiting is how many goroutines wait in a method of the engine.
func waiting(method string) (n int) {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		header, frames, _ := strings.Cut(stack, "\n")
		if strings.Contains(header, "[select") && strings.Contains(frames, "(*postgresEngine)."+method+"(") {
			n++
		}
	}
	return n
}

// Messages that wait for a connection get one in their order: an older code must not
// supersede a newer one.
func TestConnectionsAreGivenInOrder(t *testing.T) {
	s := openTest(t, Options{State: postgrestest.Database(t), Ring: testRing(t)})
	hold := make(chan struct{})
	var holding, holders, all sync.WaitGroup
	holding.Add(maxConnections - 1)
	for range maxConnections - 1 {
		holders.Go(func() {
			_ = s.engine.write(context.Background(), func(*tx) error { holding.Done(); <-hold; return nil })
		})
	}
	holding.Wait()
	const codes = 12
	var ids []string
	for i := range codes {
		e := s.testEntry(order{supersede: "p"})
		ids = append(ids, e.ID)
		all.Go(func() {
			if _, err := s.Accept(context.Background(), e); err != nil {
				t.Error(err)
			}
		})
		until(t, "it waits for a connection", func() bool { return waiting("acquire") > i })
	}
	hold <- struct{}{} // one place gets free, for one after the other
	all.Wait()
	close(hold)
	holders.Wait()
	for i, id := range ids {
		older, err := superseded(t, s, id)
		if err != nil || older != (i < codes-1) {
			t.Errorf("code %d of %d: superseded is %v, %v", i+1, codes, older, err)
		}
	}
}

// A transaction pooler gives a connection for one transaction only.
func TestBehindAPooler(t *testing.T) {
	pooled := postgrestest.Pooler(t, postgrestest.Database(t))
	separator := "?"
	if strings.Contains(pooled, "?") {
		separator = "&"
	}
	s := openTest(t, Options{State: pooled + separator + "default_query_exec_mode=exec", Ring: testRing(t)})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer stop()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			mode := delivery.Direct
			if i%2 == 0 {
				mode = delivery.Queued
			}
			e := s.testEntry(order{mode: mode, charges: []delivery.Charge{s.limit("recipient", "u", 100)}, supersede: "p"})
			if _, err := s.Accept(context.Background(), e); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, w := range mustClaim(t, s, 100) {
		mustComplete(t, s, delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: delivery.StateSent})
	}
	if err := s.expire(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.sweep(t.Context()); err != nil {
		t.Error(err)
	}
	select { // a poll stands in for what is not heard
	case <-s.Wake():
	case <-time.After(10 * time.Second):
		t.Error("no poll")
	}
}

// A refused connection says why in words of its own: the server's repeat the address.
func TestRefusedConnectionSaysWhy(t *testing.T) {
	address := postgrestest.Database(t)
	tests := map[string]struct{ address, option, want string }{
		"option":            {address, "hunter2=1", "42704, an option of the address does not exist"},
		"value":             {address, "work_mem=hunter2", "22023, an option of the address has a bad value"},
		"option, by pooler": {postgrestest.Pooler(t, address), "search_path=hunter2", "ALTER ROLE"},
		"database":          {strings.Replace(address, "/test", "/hunter2", 1), "a.b=1", "3D000, there is no such database"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), Options{State: tt.address + "&" + tt.option, Ring: testRing(t)})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// logged collects the lines of a log.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

// Without the setting for it, a transaction pooler is found out, at a cost to nobody.
func TestPoolerIsFoundOut(t *testing.T) {
	pooled := postgrestest.Pooler(t, postgrestest.Database(t))
	const starts = 2
	for start := range starts {
		var logs [2]logged
		var stores [2]*Store
		var opening sync.WaitGroup
		for i := range stores {
			opening.Go(func() {
				var err error
				log := slog.New(slog.NewTextHandler(&logs[i], nil))
				stores[i], err = Open(context.Background(), Options{State: pooled, Ring: testRing(t), Log: log})
				if err != nil {
					t.Error(err)
				}
			})
		}
		opening.Wait()
		if t.Failed() {
			t.FailNow()
		}
		ctx, stop := context.WithCancel(t.Context())
		var running, all sync.WaitGroup
		for _, s := range stores {
			running.Go(func() { s.Run(ctx) })
		}
		for i := range 400 {
			s := stores[i%2]
			all.Go(func() {
				e := s.testEntry(order{charges: []delivery.Charge{s.limit("recipient", fmt.Sprint(i%7), 1000)}})
				if _, err := s.Accept(context.Background(), e); err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Complete(context.Background(), delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateSent}); err != nil {
					t.Error(err)
				}
				if _, found, err := s.Message(context.Background(), e.ID); err != nil || !found {
					t.Errorf("%v, %v", found, err)
				}
				if _, err := s.Configuration(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		stop()
		running.Wait()
		for i, s := range stores {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			lines := strings.Join(logs[i].lines, "")
			if len(logs[i].lines) != 1 || !strings.Contains(lines, "default_query_exec_mode=exec") {
				t.Errorf("start %d, process %d logs %q", start, i, lines)
			}
		}
	}
}

func TestLeaseOfALostReplicaIsReclaimed(t *testing.T) {
	address := postgrestest.Database(t)
	lost, other := openTest(t, Options{State: address, Ring: testRing(t)}), openTest(t, Options{State: address, Ring: testRing(t)})
	e := mustAccept(t, lost, order{mode: delivery.Queued})
	mustClaim(t, lost, 1)
	other.keepLeases(t.Context())
	if r := mustMessage(t, other, e.ID); r.State != delivery.StateSending {
		t.Fatalf("reclaimed within its lease: %s", r.State)
	}
	lost.run(t, `UPDATE message SET due_at = 1`)
	other.keepLeases(t.Context())
	if r := mustMessage(t, other, e.ID); r.State != delivery.StateSending {
		t.Fatalf("reclaimed before the others could say what they have sent: %s", r.State)
	}
	other.health.since = time.Now().Add(-2*heartbeatInterval - time.Second)
	other.keepLeases(t.Context())
	if r := mustMessage(t, other, e.ID); r.State != delivery.StateSending {
		t.Fatalf("reclaimed from one with a heartbeat: %s", r.State)
	}
	other.run(t, `UPDATE replica SET seen_at = 1 WHERE id = $1`, lost.self)
	other.keepLeases(t.Context())
	if r := mustMessage(t, other, e.ID); r.State != delivery.StateQueued {
		t.Fatalf("not reclaimed from one who is gone: %s", r.State)
	}
	mustClaim(t, lost, 1)
	lost.run(t, `UPDATE message SET due_at = 1`)
	lost.run(t, `UPDATE replica SET seen_at = $1`, micros(lost.engine.now()))
	other.health.since = time.Now().Add(-2 * lease)
	other.keepLeases(t.Context())
	if r := mustMessage(t, other, e.ID); r.State != delivery.StateQueued {
		t.Errorf("not reclaimed: %s", r.State)
	}
}

// After a restart of the server the pool's connections are dead, and nobody notices.
func TestRestartOfTheServerIsNotNoticed(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	s := openTest(t, Options{State: server.Database(t), Ring: testRing(t)})
	var all sync.WaitGroup
	for range 20 { // fill the pool
		all.Go(func() { mustAccept(t, s, order{}) })
	}
	all.Wait()
	server.Kill(t)
	if a, err := s.Accept(t.Context(), s.testEntry(order{})); err == nil {
		t.Errorf("accepted without a server: %+v", a)
	}
	server.Start(t)
	for range 5 {
		mustAccept(t, s, order{})
	}
}

// What PostgreSQL's freezing leaves open is told.
func TestCommitInDoubt(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	s := openTest(t, Options{State: server.Database(t), Ring: testRing(t)})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	paused := false
	err := s.engine.write(ctx, func(x *tx) error {
		if _, err := x.exec(`DELETE FROM secret WHERE name = 'nothing'`); err != nil {
			return err
		}
		if !paused {
			server.Pause(t)
			paused = true
		}
		return nil
	})
	server.Resume(t)
	if !errors.Is(err, delivery.ErrInDoubt) {
		t.Errorf("%v", err)
	}
	if err := s.engine.write(t.Context(), func(x *tx) error { _, err := x.exec(`SELECT nonsense`); return err }); err == nil || errors.Is(err, delivery.ErrInDoubt) {
		t.Errorf("a refused statement: %v", err)
	}
}

func TestClockIsTheServers(t *testing.T) {
	s := openTest(t, Options{State: postgrestest.Database(t), Ring: testRing(t)})
	e := s.engine.(*postgresEngine)
	e.clock.set(time.Now().Add(time.Hour), time.Now()) // as if ours were an hour behind
	if d := time.Until(s.engine.now()); d < 59*time.Minute {
		t.Fatalf("the time is ours: %v", d)
	}
	if err := e.readClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := time.Until(s.engine.now()).Abs(); d > 5*time.Second {
		t.Errorf("on one machine the clocks differ by %v", d)
	}
}

func TestWhatStopsTheStart(t *testing.T) {
	onEveryKind(t, func(t *testing.T, _ *Store) {
		kind := Kind(t.Name()[strings.LastIndex(t.Name(), "/")+1:])
		if kind == Memory {
			return
		}
		address := addressOf(t, kind)
		s, err := Open(t.Context(), Options{State: address, Ring: testRing(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		other, err := seal.NewRing(seal.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Options{State: address, Ring: other}); err == nil || !strings.Contains(err.Error(), "sealed with another key") {
			t.Errorf("another key: %v", err)
		}
		if _, err := Open(t.Context(), Options{State: address}); err == nil || !strings.Contains(err.Error(), "needs a key") {
			t.Errorf("no key: %v", err)
		}
		s = openTest(t, Options{State: address, Ring: testRing(t)})
		s.run(t, `INSERT INTO dmconnector_schema (version_id, is_applied) VALUES (99999, true)`)
		if kind == SQLite {
			return // the lock stands before the version; the next test has it
		}
		if _, err := Open(t.Context(), Options{State: address, Ring: testRing(t)}); err == nil || !strings.Contains(err.Error(), "newer program") {
			t.Errorf("a newer state: %v", err)
		}
	})
	if _, err := Open(t.Context(), Options{State: "postgres://user:hunter2@[::1", Ring: testRing(t)}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a broken address: %v", err)
	}
	if _, err := Open(t.Context(), Options{State: "postgres://user:hunter2@127.0.0.1:1/db", Ring: testRing(t)}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"serialization failure":  {&pgconn.PgError{Code: "40001"}, true},
		"deadlock":               {&pgconn.PgError{Code: "40P01"}, true},
		"shutdown":               {&pgconn.PgError{Code: "57P01"}, true},
		"shutdown after a crash": {&pgconn.PgError{Code: "57P02"}, true},
		"starting up":            {&pgconn.PgError{Code: "57P03"}, true},
		"read-only":              {&pgconn.PgError{Code: "25006"}, true},
		"a lost connection":      {&pgconn.PgError{Code: "08006"}, true},
		"a pooler's refusal":     {&pgconn.PgError{Code: "08P01"}, false},
		"no connection left":     {connectFailure(&pgconn.PgError{Code: "53300"}), true},
		"no writable server":     {connectFailure(fmt.Errorf("validate: %w", pgconn.ErrReadOnlyConnection)), true},
		"a replaced server":      {fmt.Errorf("connect: %w", errStale), true},
		"unique violation":       {&pgconn.PgError{Code: "23505"}, false},
		"a closed connection":    {fmt.Errorf("begin: %w", io.EOF), true},
		"a commit in doubt":      {errors.Join(io.EOF, delivery.ErrInDoubt), false},
		"a canceled caller":      {context.Canceled, false},
	}
	for name, tt := range tests {
		if got := mayTryAgain(tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
