//go:build unix

package postgrestest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// A start after a kill recovers first, and waits for what is left of the
	// server before it.
	startTime = 30 * time.Second
	stopTime  = 15 * time.Second
	ports     = 5 // that are tried
)

// A Server is a PostgreSQL of its own, on a port and in a folder of its own. Its
// methods other than DSN and Database are for one goroutine at a time.
type Server struct {
	binaries string // their folder
	account  *account
	folder   string
	settings []string
	port     int
	process  *process // nil while it is stopped

	mu        sync.Mutex
	databases int      // that were made
	free      []string // those of them that no test uses any more
}

// Start starts a server that ends with the test. It is as durable as PostgreSQL
// is by default; settings such as "fsync=off" change that. Without the binaries
// the test is skipped, or fails if DMCONNECTOR_TEST_ALL is set.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := create(settings)
	give(tb, err)
	tb.Cleanup(s.remove)
	return s
}

// give lets a test go on if there is no error.
func give(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	all := os.Getenv("DMCONNECTOR_TEST_ALL") //nolint:forbidigo // the tests' own switch
	if _, ok := errors.AsType[missing](err); ok && all == "" {
		tb.Skipf("SKIPPED, for %v", err)
	}
	tb.Fatal(err)
}

// A missing program is an error that skips a test.
type missing string

func (m missing) Error() string { return "there is no " + string(m) + " on this machine" }

// create makes a server and starts it.
func create(settings []string) (*Server, error) {
	binaries, err := findPostgres()
	if err != nil {
		return nil, err
	}
	account, err := findAccount()
	if err != nil {
		return nil, err
	}
	folder, err := account.folder()
	if err != nil {
		return nil, err
	}
	s := &Server{binaries: binaries, account: account, folder: folder, settings: settings}
	if err = s.init(); err == nil {
		err = s.first()
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// findPostgres returns the folder of the newest binaries.
func findPostgres() (string, error) {
	folders, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(folders, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	if path, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	for _, folder := range folders {
		_, noInit := os.Stat(filepath.Join(folder, "initdb"))
		_, noServer := os.Stat(filepath.Join(folder, "postgres"))
		if noInit == nil && noServer == nil {
			return folder, nil
		}
	}
	return "", missing("PostgreSQL")
}

// version is that in a folder's path, or 0.
func version(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

// init makes the data. It is new, so that losing it in a power cut is no loss.
func (s *Server) init() error {
	cmd := s.account.command(s.folder, filepath.Join(s.binaries, "initdb"),
		"-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a database cluster: %w: %s", err, out)
	}
	return nil
}

func (s *Server) data() string    { return filepath.Join(s.folder, "data") }
func (s *Server) logPath() string { return filepath.Join(s.folder, "log") }

// first starts the server for the first time, on a port that is free.
func (s *Server) first() error {
	var err error
	for range ports {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.run(); err == nil {
			return nil
		}
	}
	return err
}

// freePort returns a port that was free just now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// run starts the process, and waits until it answers.
func (s *Server) run() error {
	args := []string{
		"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "shared_buffers=16MB", "-c", "max_connections=200",
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	process, err := launch(s.account.command(s.folder, filepath.Join(s.binaries, "postgres"), args...), s.logPath())
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := process.ready(s.ping); err != nil {
		return fmt.Errorf("start PostgreSQL: %w: %s", err, tail(s.logPath()))
	}
	s.process = process
	return nil
}

func (s *Server) ping(ctx context.Context) error { return s.exec(ctx, "postgres", "SELECT 1") }

// exec runs statements in a database.
func (s *Server) exec(ctx context.Context, database, statements string) error {
	conn, err := pgx.Connect(ctx, s.address(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement counts
	_, err = conn.Exec(ctx, statements)
	return err
}

// DSN is the address of the server's own database.
func (s *Server) DSN() string { return s.address("postgres") }

func (s *Server) address(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Database returns the address of an empty database, which is the test's until it
// ends. Then its connections are closed and its schema public is emptied for the
// next test: to make a database takes PostgreSQL much longer.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name, isNew := s.takeDatabase()
	if isNew {
		ctx, cancel := context.WithTimeout(tb.Context(), startTime)
		defer cancel()
		if err := s.exec(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
			tb.Fatalf("make a database: %v", err)
		}
	}
	tb.Cleanup(func() { s.giveBackDatabase(name) })
	return s.address(name)
}

// takeDatabase returns the name of a database that is free, or is to be made.
func (s *Server) takeDatabase() (name string, isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		name, s.free = s.free[n-1], s.free[:n-1]
		return name, false
	}
	s.databases++
	return fmt.Sprintf("test%d", s.databases), true
}

const emptyDatabase = `
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public`

// giveBackDatabase empties a database. One that it cannot empty, for the test left
// its server stopped, is not given out again.
func (s *Server) giveBackDatabase(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.exec(ctx, name, emptyDatabase); err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, name)
}

// Stop stops the server as an administrator would who does not wait for clients.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.end(syscall.SIGINT); err != nil {
		tb.Fatalf("stop PostgreSQL: %v", err)
	}
}

// Start starts a server again that was stopped or killed, on the same data and
// port.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	err := errors.New("it runs already")
	for deadline := time.Now().Add(startTime); s.process == nil; {
		// What is left of a killed server may keep the memory for a moment, and
		// somebody's outgoing connection the port.
		if err = s.run(); time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// Kill ends all processes of the server at once, as kill -9 does.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	err := s.process.signal(syscall.SIGKILL)
	<-s.process.ended
	s.process = nil
	if err != nil {
		tb.Fatalf("kill PostgreSQL: %v", err)
	}
}

// Pause stops all processes of the server where they are: its connections stay
// open, and nothing answers.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	if err := s.process.signal(syscall.SIGSTOP); err != nil {
		tb.Fatalf("pause PostgreSQL: %v", err)
	}
}

// Resume lets a paused server go on.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	if err := s.process.signal(syscall.SIGCONT); err != nil {
		tb.Fatalf("resume PostgreSQL: %v", err)
	}
}

// end ends the server with a signal that it understands.
func (s *Server) end(sig syscall.Signal) error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	return p.end(sig)
}

// remove ends the server, and leaves nothing behind.
func (s *Server) remove() {
	_ = s.end(syscall.SIGQUIT) // its data is of no use any more
	_ = os.RemoveAll(s.folder)
}

// tail is the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}
