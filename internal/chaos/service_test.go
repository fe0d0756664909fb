//go:build unix

package chaos_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startTime and stopTime bound a start and a stop. A stop takes at most 12 s; the rest
// is for busy machines.
const (
	startTime = 20 * time.Second
	stopTime  = 20 * time.Second
)

var starting sync.Mutex

// A service is a running dmconnector.
type service struct {
	address  string // host:port
	cmd      *exec.Cmd
	log      *output       // stdout and stderr
	first    chan string   // the first line of stdout
	asked    sync.Once     // to stop; a second signal would end it at once
	stopping chan struct{} // closed when it is asked to stop
	ended    chan struct{}
	err      error // how it ended; after ended
}

// An output keeps what a process prints.
type output struct {
	mu   sync.Mutex
	data []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data = append(o.data, p...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.data)
}

// startService starts the program with one connector, and waits until it listens. The
// program inherits the socket, if not nil.
func startService(t *testing.T, config map[string]any, socket *os.File, env ...string) *service {
	t.Helper()
	return start(t, launch{args: []string{"--connectors", writeConnector(t, config)}, socket: socket, env: env})
}

// writeConnector writes a connector's JSON to a new file.
func writeConnector(t *testing.T, config map[string]any) (path string) {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "connector.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A launch says how the program is started.
type launch struct {
	program string // "" is the usual one
	args    []string
	socket  *os.File // to inherit; may be nil
	env     []string
	inside  func(start func()) // calls it in a network namespace; nil is the test's own
}

// start starts the program, and waits until it listens.
func start(t *testing.T, l launch) *service {
	t.Helper()
	starting.Lock() // many starts at once would slow down the requests of others
	defer starting.Unlock()
	s := begin(t, l)
	s.listens(t)
	return s
}

// begin starts the program.
func begin(t *testing.T, l launch) *service {
	t.Helper()
	s := &service{log: new(output), first: make(chan string, 1), stopping: make(chan struct{}), ended: make(chan struct{})}
	s.cmd = exec.Command(cmp.Or(l.program, program()), append([]string{"serve", "--listen", "127.0.0.1:0", "--allow-endpoint", "127.0.0.1"}, l.args...)...)
	s.cmd.Dir = t.TempDir()
	s.cmd.Env = append([]string{
		"DMCONNECTOR_SEND_TOKEN=" + sendToken, "DMCONNECTOR_ADMIN_TOKEN=" + adminToken, "GORACE=halt_on_error=0",
	}, l.env...)
	if l.socket != nil {
		s.cmd.Env = append(s.cmd.Env, "LISTEN_FDS=1")
		s.cmd.ExtraFiles = []*os.File{l.socket}
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s.cmd.Stdout, s.cmd.Stderr = in, s.log
	if l.inside == nil {
		l.inside = func(start func()) { start() }
	}
	l.inside(func() { err = s.cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.kill() })
	go s.follow(out)
	return s
}

// listens waits until the program prints where it listens.
func (s *service) listens(t *testing.T) {
	t.Helper()
	select {
	case line := <-s.first:
		_, s.address, _ = strings.Cut(strings.TrimSpace(line), "http://")
	case <-time.After(startTime):
	}
	if s.address == "" {
		s.kill()
		t.Fatalf("the service did not start: %s", s.log)
	}
	go s.watchReady()
}

// follow records stdout, passes its first line on, and waits for the process to end.
func (s *service) follow(stdout io.ReadCloser) {
	defer stdout.Close()
	r := bufio.NewReader(stdout)
	line, _ := r.ReadString('\n')
	s.first <- line
	_, _ = io.WriteString(s.log, line)
	_, _ = io.Copy(s.log, r)
	s.err = s.cmd.Wait()
	close(s.ended)
}

// terminate asks the process to stop, once.
func (s *service) terminate(t *testing.T) {
	t.Helper()
	s.asked.Do(func() {
		close(s.stopping)
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
}

// stopped waits until a process that was asked to stop has ended, and checks its exit
// status and its log.
func (s *service) stopped(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	select {
	case <-s.ended:
	case <-ctx.Done():
		// Go's runtime then prints where it waits.
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.ended
		t.Errorf("the service has not stopped within %v: %s", stopTime, s.log)
	}
	if s.err != nil {
		t.Errorf("the service ended with %v", s.err)
	}
	for _, bad := range []string{"DATA RACE", "panic", "goroutine "} {
		if at := strings.Index(s.log.String(), bad); at >= 0 {
			t.Errorf("the log has %q: %s", bad, excerpt(s.log.String(), at))
		}
	}
}

func (s *service) kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.ended
}

// logged waits until the log contains the text n times.
func (s *service) logged(t *testing.T, text string, n int) {
	t.Helper()
	deadline := time.Now().Add(clientTimeout)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for strings.Count(s.log.String(), text) < n {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not contain %d times %s", n, text)
		}
		<-tick.C
	}
}

// excerpt returns the text around an offset.
func excerpt(text string, at int) string {
	return text[max(0, at-300):min(len(text), at+700)]
}
