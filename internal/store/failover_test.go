//go:build unix

package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"dmconnector/internal/delivery"
	"dmconnector/internal/postgrestest"
)

// logText is what was logged.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// Connections to a server that became read-only are replaced, and a send waits until a
// new one can write.
func TestReadOnlyServer(t *testing.T) {
	address := postgrestest.Database(t)
	s := openTest(t, Options{State: address, Ring: testRing(t)})
	e := s.engine.(*postgresEngine)
	var log logText
	e.generations.log = slog.New(slog.NewTextHandler(&log, nil))
	var all, together sync.WaitGroup
	together.Add(maxConnections - 1)
	for range maxConnections - 1 {
		all.Go(func() {
			err := e.write(t.Context(), func(x *tx) error {
				together.Done()
				together.Wait()
				_, err := x.exec(`SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY`)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	alter := func(change string) {
		conn, err := pgx.Connect(t.Context(), address+"&default_transaction_read_only=off")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(t.Context(), `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' `+change+`'; END $$`); err != nil {
			t.Fatal(err)
		}
	}
	alter("SET default_transaction_read_only = on")
	all.Go(func() {
		if _, err := s.Accept(t.Context(), s.testEntry(order{})); err != nil {
			t.Errorf("not accepted: %v", err)
		}
	})
	until(t, "the change is noticed", func() bool { return log.count("25006") > 0 })
	alter("RESET default_transaction_read_only")
	all.Wait()
	if n := log.count("PostgreSQL has changed"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// At its limit, a server's user waits for connections that are there.
func TestServerIsFull(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off", "max_connections=6", "superuser_reserved_connections=2")
	server.Run(t, "CREATE ROLE ordinary LOGIN")
	server.Run(t, "CREATE DATABASE state OWNER ordinary")
	address := "postgres://ordinary@" + server.Host() + "/state?sslmode=disable"
	s := openTest(t, Options{State: address, Ring: testRing(t)})
	e := s.engine.(*postgresEngine)
	if e.generations.primary.timeline != 1 {
		t.Errorf("an ordinary user cannot read the timeline: %+v", e.generations.primary)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				if _, err := s.Accept(t.Context(), s.testEntry(order{})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := e.db.Stats().MaxOpenConnections; n >= maxConnections {
		t.Errorf("the limit was not reached: %d connections allowed", n)
	}
	e.allowConnections()
	if n := e.db.Stats().MaxOpenConnections; n != maxConnections {
		t.Errorf("%d connections allowed for ever", n)
	}
}

// Of several servers in an address, the one that can be written is used.
func TestSeveralServers(t *testing.T) {
	readOnly := postgrestest.Start(t, "fsync=off", "default_transaction_read_only=on")
	writable := postgrestest.Start(t, "fsync=off")
	address := "postgres://postgres@" + readOnly.Host() + "," + writable.Host() + "/postgres?sslmode=disable"
	s := openTest(t, Options{State: address, Ring: testRing(t)})
	mustAccept(t, s, order{})
}

// Where new connections lead decides which of the older ones are still used.
func TestEras(t *testing.T) {
	type look struct {
		seen         primary
		after        time.Duration // since the one before
		stale, fresh bool          // it is rejected; it begins a generation
	}
	tests := map[string][]look{
		"the same server": {{seen: primary{1, 10}}, {seen: primary{1, 10}}},
		"promoted":        {{seen: primary{1, 10}}, {seen: primary{2, 20}, fresh: true}, {seen: primary{1, 10}, stale: true}, {seen: primary{2, 20}}},
		"another server":  {{seen: primary{1, 10}}, {seen: primary{1, 20}, fresh: true}, {seen: primary{1, 20}}},
		"no timeline":     {{seen: primary{0, 10}}, {seen: primary{0, 20}, fresh: true}, {seen: primary{0, 20}}},
		"a standby":       {{seen: primary{2, 10}}, {seen: primary{}}, {seen: primary{2, 10}}},
		"restored from a backup": {
			{seen: primary{3, 10}},
			{seen: primary{1, 20}, stale: true},
			{seen: primary{1, 20}, after: staleTime - 1, stale: true},
			{seen: primary{1, 20}, after: 1, fresh: true},
			{seen: primary{1, 20}},
		},
		"the old primary now and then": {
			{seen: primary{2, 20}},
			{seen: primary{1, 10}, stale: true},
			{seen: primary{2, 20}, after: staleTime / 2},
			{seen: primary{1, 10}, after: staleTime / 2, stale: true},
		},
	}
	for name, looks := range tests {
		synctest.Test(t, func(t *testing.T) {
			e := newGenerations(slog.New(slog.DiscardHandler))
			for i, l := range looks {
				sleep(t.Context(), l.after)
				before := e.current
				born, err := e.saw(l.seen)
				if errors.Is(err, errStale) != l.stale || before.Err() != nil != l.fresh || born != e.current {
					t.Errorf("%s: %d: %v, generations ended: %v", name, i, err, before.Err() != nil)
				}
			}
		})
	}
}

// A change is logged once, and again only if it lasts.
func TestChangeIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logText
		e := newGenerations(slog.New(slog.NewTextHandler(&log, nil)))
		for range 3 {
			for range 100 {
				e.next(e.current, "read-only")
			}
			sleep(t.Context(), warnInterval)
		}
		if n := log.count("PostgreSQL has changed"); n != 3 {
			t.Errorf("logged %d times in three minutes", n)
		}
		e.next(e.current, "another reason")
		if log.count("another reason") != 1 {
			t.Error("another change is not logged")
		}
	})
}

func TestCommitFailure(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"read-only":              {&pgconn.PgError{Code: "25006"}, false},
		"shut down before":       {&pgconn.PgError{Code: "57P01"}, false},
		"a pooler's lost server": {&pgconn.PgError{Code: "08P01"}, true},
		"unknown resolution":     {&pgconn.PgError{Code: "08007"}, true},
		"a lost connection":      {io.ErrUnexpectedEOF, true},
	}
	for name, tt := range tests {
		err := commitFailure(tt.err)
		if got := errors.Is(err, delivery.ErrInDoubt); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: in doubt is %v", name, got)
		}
		if tt.want && mayTryAgain(err) {
			t.Errorf("%s: repeated", name)
		}
	}
}
