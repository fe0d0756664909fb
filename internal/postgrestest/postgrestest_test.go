//go:build unix

package postgrestest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dmconnector/internal/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// ask returns the single value of a query.
func ask(ctx context.Context, t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	var value string
	if err := conn.QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func run(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestServerSurvives(t *testing.T) {
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	conn := connect(t, dsn)
	if got := ask(t.Context(), t, conn, "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %s: a server must be durable by default", got)
	}
	run(t, conn, "CREATE TABLE note (n int)")
	for n, end := range []func(testing.TB){server.Kill, server.Stop} {
		run(t, conn, fmt.Sprintf("INSERT INTO note VALUES (%d)", n))
		pid := ask(t.Context(), t, conn, "SELECT pg_backend_pid()::text")
		end(t)
		if _, err := pgx.Connect(t.Context(), dsn); err == nil {
			t.Error("the server still answers")
		}
		awaitEnd(t, pid)
		server.Start(t)
		conn = connect(t, dsn)
		if got, want := ask(t.Context(), t, conn, "SELECT count(*)::text FROM note"), fmt.Sprint(n+1); got != want {
			t.Errorf("%s rows after the restart, want %s", got, want)
		}
	}
}

// awaitEnd waits for the end of a child of the server, which may come a moment later.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); processRuns(t, pid); <-tick.C {
		if time.Now().After(deadline) {
			t.Errorf("child %s of the server still runs", pid)
			return
		}
	}
}

// processRuns reports whether a process runs, and is not a zombie.
func processRuns(t *testing.T, pid string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "stat=", "-p", pid).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestPauseStopsAllConnections(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	conn, spare := connect(t, server.DSN()), connect(t, server.DSN())
	server.Pause(t)
	for name, query := range map[string]func(context.Context) error{
		"an open connection": func(ctx context.Context) error {
			_, err := conn.Exec(ctx, "SELECT 1")
			return err
		},
		"a new connection": func(ctx context.Context) error {
			_, err := pgx.Connect(ctx, server.DSN())
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := query(ctx); err == nil || ctx.Err() == nil {
			t.Errorf("%s of a paused server: %v, want a time-out", name, err)
		}
	}
	server.Resume(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, c := range []*pgx.Conn{spare, connect(t, server.DSN())} {
		if got := ask(ctx, t, c, "SELECT 'here'"); got != "here" {
			t.Errorf("a resumed server answers %q", got)
		}
	}
}

func TestDatabasesAreSeparate(t *testing.T) {
	addresses := make([]string, 4)
	var making sync.WaitGroup
	for i := range addresses {
		making.Go(func() { addresses[i] = postgrestest.Database(t) })
	}
	making.Wait()
	for _, dsn := range addresses {
		conn := connect(t, dsn)
		run(t, conn, "CREATE TABLE note (n int)") // the name is free in each
		if got := ask(t.Context(), t, conn, "SHOW fsync"); got != "off" {
			t.Errorf("fsync is %s in the shared server", got)
		}
	}
}

// A test may get the emptied database of an earlier test.
func TestDatabaseIsReused(t *testing.T) {
	var before string
	var left *pgx.Conn
	t.Run("one test", func(t *testing.T) {
		before = postgrestest.Database(t)
		run(t, connect(t, before), "CREATE TABLE note (n int)")
		var err error
		if left, err = pgx.Connect(t.Context(), before); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the next", func(t *testing.T) {
		dsn := postgrestest.Database(t)
		if dsn != before {
			t.Errorf("the second test gets %s, the first got %s", dsn, before)
		}
		if err := left.Ping(t.Context()); err == nil {
			t.Error("a connection of the first test is still open")
		}
		run(t, connect(t, dsn), "CREATE TABLE note (n int)") // the name is free again
	})
}

func TestPoolerHandsOutConnectionsForATransaction(t *testing.T) {
	dsn := postgrestest.Database(t)
	run(t, connect(t, dsn), "CREATE TABLE note (n int)")
	pooled := postgrestest.Pooler(t, dsn)
	first, second := connect(t, pooled), connect(t, pooled)
	const whoServes = "SELECT pg_backend_pid()::text FROM (SELECT count(*) FROM note) AS all_notes"
	before, after := ask(t.Context(), t, first, whoServes), ask(t.Context(), t, second, whoServes)
	if before != after {
		t.Errorf("backends %s and %s served two clients one after the other, want one", before, after)
	}
}

// TestServerEndsWithItsTests runs a test of this package that panics.
func TestServerEndsWithItsTests(t *testing.T) {
	if os.Getenv("POSTGRESTEST_PANIC") != "" {
		panicWithServer(t)
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with the thread that started it")
	}
	postgrestest.Start(t, "fsync=off") // or this test is skipped
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "POSTGRESTEST_PANIC=1")
	out, _ := cmd.CombinedOutput()
	_, rest, found := strings.Cut(string(out), "postmaster ")
	if !found {
		t.Fatalf("the server did not start: %s", out)
	}
	pid, _, _ := strings.Cut(rest, "\n")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); processRuns(t, pid); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("the server of a test that panicked still runs: %s", pid)
		}
	}
}

func panicWithServer(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	data := ask(t.Context(), t, connect(t, server.DSN()), "SHOW data_directory")
	lock, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(lock), "\n")
	fmt.Println("postmaster", pid)
	go panic("nothing is cleaned up")
	<-make(chan struct{})
}

func TestFoldersOfDeadTestsAreRemoved(t *testing.T) {
	ended := exec.CommandContext(t.Context(), "true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(ended.Process.Pid, 0); err == nil {
		t.Skip("another process has the number of one that ended")
	}
	left := filepath.Join(os.TempDir(), fmt.Sprintf("dmconnector-postgrestest-%d-x", ended.Process.Pid))
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(left) })
	postgrestest.Start(t, "fsync=off")
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s is still there", left)
	}
}
