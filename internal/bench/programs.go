//go:build linux

package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"golang.org/x/sys/unix"
)

// The kinds of state, as the tables name them.
const (
	memory   = "memory"
	sqlite   = "SQLite"
	postgres = "PostgreSQL"
)

// newState makes an empty state and returns its value for --state.
func (b *bench) newState(ctx context.Context, kind string) string {
	b.states++
	name := fmt.Sprintf("bench%d", b.states)
	switch kind {
	case sqlite:
		return "sqlite:" + b.path(name+".db")
	case postgres:
		db, err := sql.Open("pgx", b.server.DSN())
		check(err)
		defer db.Close() //nolint:errcheck // the statement counts
		_, err = db.ExecContext(ctx, "CREATE DATABASE "+name)
		check(err)
		return strings.Replace(b.server.DSN(), "/postgres?", "/"+name+"?", 1)
	}
	return "memory"
}

// An instance is a program that has just been started, with an upstream of its own.
type instance struct {
	*upstream
	process *exec.Cmd
	url     string // where the load goes
	client  *http.Client
}

// service starts the service on a state, with a connector that sends to the upstream.
func (b *bench) service(ctx context.Context, u *upstream, state string) *instance {
	connector := map[string]any{
		"accessKeyId": "bench-key", "accessKeySecret": "bench-secret", "endpoint": u.URL,
		"accountName": sender, "fromAlias": alias, "templates": "builtin",
		"limits": map[string]string{"connector": "off"}, // by default Aliyun's 100 per second
	}
	if u.templateSize > 0 {
		var list []map[string]string
		for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", "Generic"} {
			list = append(list, map[string]string{"usageType": usageType, "subject": subject, "content": templateOfSize(u.templateSize)})
		}
		connector["templates"] = list
	}
	data, err := json.Marshal(connector)
	check(err)
	path := b.path("connector.json")
	check(os.WriteFile(path, data, 0o600))
	return b.start(ctx, u, b.path("dmconnector"), "serve", "--listen", "127.0.0.1:0", "--connectors", path, "--state", state, "--data", b.dir)
}

// start starts a program, whose first line of output ends with its address. Each
// program gets the same environment, and as many processors as the bench itself.
func (b *bench) start(ctx context.Context, u *upstream, path string, args ...string) *instance {
	log, err := os.Create(b.path("log"))
	check(err)
	defer log.Close()                              //nolint:errcheck // the program has its own handle
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the bench itself, or what it has built
	cmd.Env = []string{
		"GOMAXPROCS=" + strconv.Itoa(runtime.GOMAXPROCS(0)),
		"DMCONNECTOR_SEND_TOKEN=" + token, "DMCONNECTOR_ADMIN_TOKEN=" + adminToken,
		"DMCONNECTOR_SECRET_KEY=" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	s := &instance{upstream: u, process: cmd, client: newClient()}
	b.running = s
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		said, _ := os.ReadFile(b.path("log")) // its last words, if any
		check(fmt.Errorf("start %s: %s", filepath.Base(path), said))
	}
	s.url = strings.TrimSpace(line[strings.LastIndex(line, " ")+1:])
	return s
}

// close ends the process at once, as a crash does.
func (s *instance) close() {
	_ = s.process.Process.Kill() // it may have ended by itself
	_ = s.process.Wait()
	s.Close()
}

// cpuTime returns a process's user and system time so far, to the nanosecond:
// /proc/PID/stat counts in hundredths of a second.
func cpuTime(process *exec.Cmd) time.Duration {
	clock := int32(^process.Process.Pid<<3 | 2) //nolint:gosec // see clock_getcpuclockid(3)
	var t unix.Timespec
	check(os.NewSyscallError("clock_gettime", unix.ClockGettime(clock, &t)))
	return time.Duration(t.Nano())
}

// What the load, the programs and the upstream agree on.
const (
	token       = "bench-send-token-5d0c9e27b1"
	adminToken  = "bench-admin-token-5d0c9e27b1"
	sender      = "noreply@mail.example.com"
	alias       = "Example"
	subject     = "Your verification code"
	placeholder = "{{code}}"
	codeLength  = 6
)

// templateOfSize returns a mail's HTML of that many bytes, at least 300, with one
// placeholder for the code.
func templateOfSize(size int) string {
	const (
		head = `<html><body style="font-family:sans-serif"><p>Hello,</p><p>your verification code is</p>` +
			`<p style="font-size:28px;letter-spacing:4px"><b>` + placeholder + "</b></p><p>"
		text = "We will never ask you for this code by phone or by email. "
		foot = "</p></body></html>"
	)
	return head + strings.Repeat(text, size/len(text))[:size-len(head)-len(foot)] + foot
}

// An upstream stands in for Direct Mail. It checks no signatures, so that it takes
// as little of the machine as possible.
type upstream struct {
	*httptest.Server
	templateSize int           // of the mails' template in bytes; 0: any
	answerTime   time.Duration // before each answer
	mails        sync.Map      // by recipient: how long the upstream had the mail
	count        atomic.Int64
}

func newUpstream(templateSize int, answerTime time.Duration) *upstream {
	u := &upstream{templateSize: templateSize, answerTime: answerTime}
	u.Server = httptest.NewServer(http.HandlerFunc(u.receive))
	return u
}

func (u *upstream) receive(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	to, html := r.FormValue("ToAddress"), r.FormValue("HtmlBody")
	if to == "" || u.templateSize > 0 && len(html) != u.templateSize-len(placeholder)+codeLength {
		http.Error(w, "this is not the bench's mail", http.StatusTeapot)
		return
	}
	if u.answerTime > 0 {
		<-time.After(u.answerTime)
	}
	fmt.Fprint(w, `{"EnvId":"600000000000000001","RequestId":"0F6A7C0E-4F0B-5C1D-9A51-6D1D2C3B4A59"}`)
	u.mails.Store(to, time.Since(begun))
	u.count.Add(1)
}

// waitFor waits until that many mails have arrived.
func (u *upstream) waitFor(ctx context.Context, mails int) {
	for u.count.Load() < int64(mails) {
		check(ctx.Err())
		<-time.After(time.Millisecond)
	}
}

// relay serves until the context ends. It does the least that turns a send request
// into a mail; the service's CPU time is compared with it.
func relay(ctx context.Context, upstream string, templateSize int) {
	server := httptest.NewServer(relayHandler(upstream, templateSize))
	defer server.Close()
	fmt.Println("the relay listens on", server.URL)
	<-ctx.Done()
}

// relayHandler decodes JSON and posts a form on a keep-alive connection, without
// signature, checks, template language and log. An error ends the connection.
func relayHandler(upstream string, templateSize int) http.HandlerFunc {
	client, template := newClient(), templateOfSize(templateSize)
	return func(w http.ResponseWriter, r *http.Request) {
		var message struct {
			To      string `json:"to"`
			Payload struct {
				Code string `json:"code"`
			} `json:"payload"`
		}
		check(json.NewDecoder(r.Body).Decode(&message))
		resp, err := client.PostForm(upstream, url.Values{ //nolint:noctx // the bench ends both
			"Action": {"SingleSendMail"}, "Version": {"2015-11-23"}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"},
			"AccountName": {sender}, "AddressType": {"1"}, "ReplyToAddress": {"false"}, "FromAlias": {alias},
			"ToAddress": {message.To}, "Subject": {subject}, "HtmlBody": {strings.Replace(template, placeholder, message.Payload.Code, 1)},
		})
		check(err)
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			check(fmt.Errorf("the upstream answered %s: %w", resp.Status, err))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"state":"sent"}`)
	}
}

func newClient() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	return &http.Client{Transport: transport, Timeout: time.Minute}
}
