//go:build unix

// Package postgrestest runs PostgreSQL and pgbouncer for tests and benchmarks, if they are
// installed. Otherwise tests are skipped, or fail if DMCONNECTOR_TEST_ALL is set.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A MissingError names what is not installed on the machine.
type MissingError string

func (m MissingError) Error() string { return "there is no " + string(m) + " on this machine" }

// check fails the test on an error, or skips it if a program is missing that need not be
// there.
func check(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	all := os.Getenv("DMCONNECTOR_TEST_ALL") //nolint:forbidigo // the tests' own switch
	if _, ok := errors.AsType[MissingError](err); ok && all == "" {
		tb.Skipf("SKIPPED: %v", err)
	}
	tb.Fatal(err)
}

// A Server is a PostgreSQL with a port and a folder of its own. Only DSN and Database
// may be called concurrently.
type Server struct {
	process  *process
	postgres string // the program
	port     int
	settings []string

	mu        sync.Mutex
	databases int      // that were created
	free      []string // names of those that no test uses
}

// Start starts a server that ends with the test. It is durable unless settings such as
// "fsync=off" change that.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := New(settings...)
	check(tb, err)
	tb.Cleanup(s.Close)
	return s
}

// New starts a server for a program that is not a test. The caller closes it. Without
// PostgreSQL the error is a [MissingError].
func New(settings ...string) (*Server, error) {
	initdb, err := find("initdb", "/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, err
	}
	process, err := newProcess()
	if err != nil {
		return nil, err
	}
	s := &Server{process: process, postgres: filepath.Join(filepath.Dir(initdb), "postgres"), settings: settings}
	cmd := process.command(initdb, "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Close()
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	err = onFreePort(func(port int) error {
		s.port = port
		return s.run()
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// run starts the server on its port, and waits until it answers.
func (s *Server) run() error {
	args := []string{
		"-D", "data", "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "shared_buffers=16MB", "-c", "max_connections=200",
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	return s.process.start(s.process.command(s.postgres, args...), s.DSN())
}

// Standby starts a standby of the server, which ends with the test.
func (s *Server) Standby(tb testing.TB) *Server {
	tb.Helper()
	process, err := newProcess()
	check(tb, err)
	standby := &Server{process: process, postgres: s.postgres, settings: s.settings}
	tb.Cleanup(standby.Close)
	backup := filepath.Join(filepath.Dir(s.postgres), "pg_basebackup")
	cmd := process.command(backup, "-d", s.DSN(), "-D", "data", "-R", "-c", "fast", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		check(tb, fmt.Errorf("pg_basebackup: %w: %s", err, out))
	}
	check(tb, onFreePort(func(port int) error {
		standby.port = port
		return standby.run()
	}))
	return standby
}

// Run runs statements in the server's own database.
func (s *Server) Run(tb testing.TB, statements string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	check(tb, execute(ctx, s.DSN(), statements))
}

// Host is the server's host and port.
func (s *Server) Host() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Close ends the server, and removes its folder.
func (s *Server) Close() { s.process.remove() }

// Stop stops the server without waiting for clients to disconnect.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	check(tb, s.process.end(syscall.SIGINT))
}

// Kill ends all processes of the server at once, as kill -9 does.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	check(tb, s.process.signalAll(syscall.SIGKILL))
	<-s.process.ended
}

// Start starts a server that was stopped or killed, with its data and on its port.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	// For a moment the children of a killed server may hold its memory, or an outgoing
	// connection its port.
	deadline := time.Now().Add(startTimeout)
	err := s.run()
	for err != nil && time.Now().Before(deadline) {
		err = s.run()
	}
	check(tb, err)
}

// Pause stops all processes of the server where they are: connections stay open, and
// nothing answers.
func (s *Server) Pause(tb testing.TB) {
	tb.Helper()
	check(tb, s.process.signalAll(syscall.SIGSTOP))
}

// Resume continues a paused server.
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	check(tb, s.process.signalAll(syscall.SIGCONT))
}

// DSN is the address of the server's own database.
func (s *Server) DSN() string { return s.dsn("postgres") }

func (s *Server) dsn(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

const emptyDatabase = `
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP SCHEMA public CASCADE;
CREATE SCHEMA public`

// Database returns the address of an empty database, which belongs to the test until
// its end. Then it is emptied for the next test, which is faster than to create one.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		s.databases++
		name := fmt.Sprintf("test%d", s.databases)
		ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
		defer cancel()
		check(tb, execute(ctx, s.DSN(), "CREATE DATABASE "+name))
		s.free = append(s.free, name)
	}
	last := len(s.free) - 1
	name := s.free[last]
	s.free = s.free[:last]
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := execute(ctx, s.dsn(name), emptyDatabase); err != nil {
			return // the test has left the server stopped
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.free = append(s.free, name)
	})
	return s.dsn(name)
}

// shared is the server of all tests of a package.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Database returns the address of an empty database on a server that all tests of a
// package share, without fsync. The package calls os.Exit(postgrestest.Main(m)) in its
// TestMain.
func Database(tb testing.TB) string {
	tb.Helper()
	shared.once.Do(func() { shared.server, shared.err = New("fsync=off") })
	check(tb, shared.err)
	return shared.server.Database(tb)
}

// Main runs the tests of a package, and ends the server that they share.
func Main(m *testing.M) int {
	defer func() {
		if shared.server != nil {
			shared.server.Close()
		}
	}()
	return m.Run()
}
