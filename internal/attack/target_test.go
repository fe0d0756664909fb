//go:build linux

package attack_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

const (
	sendToken  = "send-4yq9f0c2mv7x1kz8hd3w"
	adminToken = "admin-6tb2n8r5jp0s3lg9ye4u"
	keyID      = "LTAIattack"
	keySecret  = "secret-of-the-attacked-key"

	startTime = 20 * time.Second
	stopTime  = 12 * time.Second // which the program promises

	cgroupMemory = 256 << 20 // the chart's limit
	maxMemory    = 200 << 20
)

// A setup says what is attacked.
type setup struct {
	args       []string
	files      int                       // file descriptors; 0: no limit
	connectors map[string]map[string]any // besides default, by id; endpoint and key are filled in
	tls        bool
	faults     []sandbox.Fault
}

// A target is a running service with the sandbox as its upstream, and its good callers.
type target struct {
	address string // host:port
	scheme  string
	tls     *tls.Config
	data    string // the folder of its state
	sandbox *sandbox.Sandbox
	cgroup  string // its folder; empty if none could be made
	log     *output
	senders *senders
	meter   *meter

	cmd     *exec.Cmd
	stopped bool // by the scenario
	ended   chan struct{}
	err     error // how it ended; after ended
}

// An output keeps what a process prints.
type output struct {
	mu    sync.Mutex
	data  bytes.Buffer
	bytes atomic.Int64
	lines atomic.Int64
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes.Add(int64(len(p)))
	o.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	return o.data.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.data.String()
}

// goodConnector has small templates and no limits.
func goodConnector() map[string]any {
	return connectorWith(map[string]any{"recipient": "off", "connector": "off"}, "<p>{{code}}</p>")
}

// connectorWith returns a connector with these limits, and this content in all templates.
func connectorWith(limits map[string]any, content string) map[string]any {
	var templates []any
	for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", "Generic"} {
		templates = append(templates, map[string]any{"usageType": usageType, "subject": "Your code", "content": content})
	}
	return map[string]any{"accountName": "no-reply@mail.example.com", "templates": templates, "limits": limits}
}

// start starts the program in a cgroup, if one can be made, and its good callers.
func start(t *testing.T, s setup) *target {
	t.Helper()
	folder := t.TempDir()
	g := &target{scheme: "http", data: filepath.Join(folder, "data"), log: new(output), ended: make(chan struct{})}
	g.sandbox = sandbox.New(sandbox.Options{
		Accounts:      []sandbox.Account{{AccessKeyID: keyID, AccessKeySecret: keySecret}},
		RatePerSecond: -1, MaxMails: 100,
	})
	if err := g.sandbox.SetFaults(s.faults...); err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(g.sandbox)
	t.Cleanup(func() {
		g.sandbox.Close()
		upstream.CloseClientConnections()
		upstream.Close()
	})
	connectors := filepath.Join(folder, "connectors")
	writeConnectors(t, connectors, upstream.URL, s.connectors)
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", g.data, "--connectors", connectors}, s.args...)
	if s.tls {
		cert, key, config := writeCertificate(t, folder)
		args = append(args, "--tls-cert", cert, "--tls-key", key)
		g.scheme, g.tls = "https", config
	}
	g.cgroup = newCgroup(t)
	g.launch(t, folder, s.files, args)
	g.senders = newSenders(g)
	g.meter = newMeter(g)
	return g
}

func writeConnectors(t *testing.T, folder, upstream string, more map[string]map[string]any) {
	t.Helper()
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(id string, config map[string]any) {
		config["accessKeyId"], config["accessKeySecret"], config["endpoint"] = keyID, keySecret, upstream
		data, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, id+".json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("default", goodConnector())
	for id, config := range more {
		write(id, config)
	}
}

// launch starts the program by a shell, which joins the cgroup and limits the files.
func (g *target) launch(t *testing.T, folder string, files int, args []string) {
	t.Helper()
	script := `exec "$0" "$@"`
	if files > 0 {
		script = fmt.Sprintf("ulimit -n %d && %s", files, script)
	}
	if g.cgroup != "" {
		script = fmt.Sprintf("echo $$ >%s && %s", filepath.Join(g.cgroup, "cgroup.procs"), script)
	}
	g.cmd = exec.Command("sh", append([]string{"-c", script, program()}, args...)...)
	g.cmd.Dir = folder
	g.cmd.Env = []string{"DMCONNECTOR_SEND_TOKEN=" + sendToken, "DMCONNECTOR_ADMIN_TOKEN=" + adminToken}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	g.cmd.Stdout, g.cmd.Stderr = in, g.log
	err = g.cmd.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.kill)
	first := make(chan string, 1)
	go g.follow(out, first)
	select {
	case line := <-first:
		_, g.address, _ = strings.Cut(strings.TrimSpace(line), "://")
	case <-time.After(startTime):
	}
	if g.address == "" {
		g.kill()
		t.Fatalf("the service did not start: %s", g.log)
	}
}

// follow passes on the first line of stdout, and waits for the process to end.
func (g *target) follow(stdout io.ReadCloser, first chan<- string) {
	defer stdout.Close()
	r := bufio.NewReader(stdout)
	line, _ := r.ReadString('\n')
	first <- line
	_, _ = io.Copy(io.Discard, r)
	g.err = g.cmd.Wait()
	close(g.ended)
}

func (g *target) kill() {
	_ = g.cmd.Process.Kill() // it may have ended already
	<-g.ended
}

// stop sends SIGTERM, and checks the time and the manner in which the process ends.
func (g *target) stop(t *testing.T) (took time.Duration) {
	t.Helper()
	asked := time.Now()
	select {
	case <-g.ended:
		t.Errorf("the service ended by itself: %v: %s", g.err, tail(g.log.String()))
		return 0
	default:
	}
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	select {
	case <-g.ended:
	case <-time.After(2 * stopTime):
		_ = g.cmd.Process.Signal(syscall.SIGQUIT) // Go's runtime then prints where it waits
		<-g.ended
	}
	took = time.Since(asked)
	if g.err != nil {
		t.Errorf("the service ended with %v: %s", g.err, tail(g.log.String()))
	}
	if took > stopTime+time.Second {
		timing(t, "the service took %v to stop", took)
	}
	if at := strings.Index(g.log.String(), "panic"); at >= 0 {
		t.Errorf("the log has a panic: %s", tail(g.log.String()[:at+500]))
	}
	return took
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

// newCgroup makes a memory cgroup of the chart's size, in version 1 or 2. It returns ""
// if that is not possible here.
func newCgroup(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("dmconnector-attack-%d-%d", os.Getpid(), serial.Add(1))
	for _, kind := range []struct{ parent, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup", "memory.max"},
	} {
		folder := filepath.Join(kind.parent, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(folder) })
		// The files exist only in a real cgroup, which may still not take a process.
		join := exec.Command("sh", "-c", fmt.Sprintf("test -e %[1]s/%[2]s && echo %[3]d >%[1]s/%[2]s && echo $$ >%[1]s/cgroup.procs", folder, kind.limit, cgroupMemory))
		if join.Run() == nil {
			return folder
		}
	}
	return ""
}

// A meter records the peaks of a service.
type meter struct {
	memory, sockets, disk atomic.Int64
	atStart               int64 // disk
	stop                  func()
}

// newMeter begins to measure.
func newMeter(g *target) *meter {
	m := &meter{atStart: folderSize(g.data)}
	stop, stopped := make(chan struct{}), make(chan struct{})
	m.stop = sync.OnceFunc(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for done := false; ; {
			peak(&m.memory, memoryPeak(g.cmd.Process.Pid))
			peak(&m.sockets, g.sockets())
			peak(&m.disk, folderSize(g.data))
			if done {
				return
			}
			select {
			case <-tick.C:
			case <-stop: // once more
				done = true
			}
		}
	}()
	return m
}

func peak(of *atomic.Int64, value int64) {
	if value > of.Load() {
		of.Store(value)
	}
}

// memoryPeak returns the peak of a process's resident memory, in bytes.
func memoryPeak(pid int) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10
}

// sockets counts the process's open sockets.
func (g *target) sockets() (n int64) {
	folder := fmt.Sprintf("/proc/%d/fd", g.cmd.Process.Pid)
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if link, _ := os.Readlink(filepath.Join(folder, entry.Name())); strings.HasPrefix(link, "socket:") {
			n++
		}
	}
	return n
}

func folderSize(folder string) (size int64) {
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // files come and go
	})
	return size
}

// An answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// client returns a client that keeps connections open, and connects to this target only.
func (g *target) client(keepAlive bool) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second, // exceeds the service's deadlines
		Transport: &http.Transport{
			TLSClientConfig: g.tls, DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: 64,
			// Go's client keeps connections that it opened and did not need. The service
			// closes those after 5 s.
			IdleConnTimeout: 3 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call makes a request. The header is given as alternating names and values.
func (g *target) call(client *http.Client, method, path, body string, header ...string) (answer, error) {
	begun := time.Now()
	req, err := http.NewRequest(method, g.scheme+"://"+g.address+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, cause(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data), time.Since(begun)}, err
}

// cause returns the innermost error, which names no port, so that equal errors can be
// counted.
func cause(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}
