//go:build unix

package chaos_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dmconnector/connector"
)

// clientTimeout is how long a caller waits for an answer. It exceeds the service's
// deadline, so that a late answer can be told from a missing one.
const clientTimeout = 20 * time.Second

// Every secret contains the mark, which URL, JSON and HTML encoding leave unchanged.
const (
	mark       = "leak7q"
	sendToken  = "send-" + mark + "-token-of-callers"
	adminToken = "admin-" + mark + "-token-of-admins"
	keySecret  = mark + "-secret-of-the-key"
)

// A request is one send request and its answer.
type request struct {
	to, code, usageType string
	behavior

	begun   time.Time // when its first byte was written
	took    time.Duration
	outcome string // "sent", a problem's code, or another status; "" without an answer
	answer  string // as it came, header included
	err     error
	failed  []failedSend // of all attempts
}

// A behavior says how a caller deviates. The zero value writes the request and waits
// for the answer.
type behavior struct {
	aborts      bool          // disconnects instead of waiting for the answer
	abortAfter  time.Duration // after writing
	halfCloses  bool          // closes its side after writing
	writesFirst bool          // reads nothing before everything is written
	readsEvery  time.Duration // the pause after each 16 bytes
	closes      bool          // closes the connection after the answer
}

var serial atomic.Int64

// newRequest returns a request with a unique code and recipient.
func newRequest() *request {
	n := serial.Add(1)
	types := connector.UsageTypes()
	return &request{
		to: fmt.Sprintf("u%s+%d@example.com", mark, n), code: fmt.Sprintf("%s%d", mark, n),
		usageType: types[int(n)%len(types)],
	}
}

func (r *request) body() string {
	data, err := json.Marshal(map[string]any{
		"to": r.to, "type": r.usageType, "payload": map[string]any{"code": r.code, "locale": "en"},
	})
	if err != nil {
		panic(err)
	}
	return string(data)
}

// head is the header of a send request.
func head(more ...string) string {
	text := "POST /api/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + sendToken +
		"\r\nContent-Type: application/json\r\n"
	for _, line := range more {
		text += line + "\r\n"
	}
	return text + "\r\n"
}

func headFor(body string, more ...string) string {
	return head(append(more, "Content-Length: "+strconv.Itoa(len(body)))...)
}

// A part is text that a caller writes after a pause.
type part struct {
	after time.Duration
	text  string
}

// whole returns the request as a well-behaved caller writes it.
func (r *request) whole() []part {
	body := r.body()
	return []part{{0, headFor(body) + body}}
}

// A connection is a caller's connection to the service.
type connection struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
	raw     bytes.Buffer
}

func (c *connection) open() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", c.address, clientTimeout)
	if err != nil {
		return err
	}
	c.conn = conn
	c.reader = bufio.NewReader(io.TeeReader(conn, &c.raw))
	return nil
}

func (c *connection) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// exchange writes a request and reads its answer. A keep-alive connection stays open
// for the next request.
func (c *connection) exchange(r *request, parts []part) {
	r.err = c.open()
	r.begun = time.Now()
	if r.err != nil {
		return
	}
	_ = c.conn.SetDeadline(r.begun.Add(clientTimeout))
	c.raw.Reset()
	conn, written := c.conn, make(chan struct{})
	go func() {
		defer close(written)
		r.begun = writeParts(conn, parts)
		if tcp, ok := conn.(*net.TCPConn); ok && r.halfCloses {
			_ = tcp.CloseWrite()
		}
	}()
	if r.writesFirst || r.aborts {
		<-written
	}
	if r.aborts {
		pause(r.abortAfter)
		c.close()
		return
	}
	keep, err := c.read(r)
	ended := time.Now()
	if err != nil || !keep || r.halfCloses || r.closes {
		c.close()
	}
	<-written
	r.took, r.err, r.answer = ended.Sub(r.begun), err, c.raw.String()
	if r.outcome == unavailable && !r.halfCloses { // a caller that half-closes has cancelled its send
		r.failed = append(r.failed, failedSend{ended, c.address})
	}
}

// writeParts returns when the first byte was written. It ignores write errors: the
// service may answer before it has read everything.
func writeParts(conn net.Conn, parts []part) (begun time.Time) {
	for _, p := range parts {
		pause(p.after)
		if begun.IsZero() {
			begun = time.Now()
		}
		if _, err := io.WriteString(conn, p.text); err != nil {
			return begun
		}
	}
	return begun
}

// pause makes a caller slow.
func pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func (c *connection) read(r *request) (keep bool, err error) {
	if r.readsEvery > 0 {
		c.reader = bufio.NewReader(&slowReader{c.reader, r.readsEvery})
	}
	for {
		resp, err := http.ReadResponse(c.reader, nil)
		if err != nil {
			return false, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return false, err
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		r.outcome = outcomeOf(resp, body)
		return !resp.Close, nil
	}
}

// A slowReader reads 16 bytes at a time. With fewer, the pauses, which are longer on a
// busy machine, would add up to more than the deadline.
type slowReader struct {
	r     io.Reader
	every time.Duration
}

func (s *slowReader) Read(p []byte) (int, error) {
	pause(s.every)
	return s.r.Read(p[:min(len(p), 16)])
}

// outcomeOf names an answer.
func outcomeOf(resp *http.Response, body []byte) string {
	var answer struct{ State, Code string }
	if json.Unmarshal(body, &answer) == nil {
		if resp.StatusCode == http.StatusOK && answer.State == "sent" {
			return "sent"
		}
		if answer.Code != "" {
			return answer.Code
		}
	}
	return strconv.Itoa(resp.StatusCode)
}

// fire makes the requests with that many concurrent callers, each of which sends one
// after the other over its own connection.
func fire(address string, requests []*request, callers int, parts func(*request) []part) {
	queue := make(chan *request)
	done := make(chan struct{})
	for range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			c := &connection{address: address}
			defer c.close()
			for r := range queue {
				c.exchange(r, parts(r))
			}
		}()
	}
	for _, r := range requests {
		queue <- r
	}
	close(queue)
	for range callers {
		<-done
	}
}

// fireAtRate makes that many requests per second, each over its own connection and
// without waiting for earlier answers. It stops beginning requests when end fires, if
// given, waits for all answers, and returns the requests made.
func fireAtRate(address string, requests []*request, perSecond int, parts func(*request) []part, end ...<-chan time.Time) []*request {
	var over <-chan time.Time
	if len(end) > 0 {
		over = end[0]
	}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for i, r := range requests {
		running.Go(func() {
			c := &connection{address: address}
			defer c.close()
			c.exchange(r, parts(r))
		})
		select {
		case <-tick.C:
		case <-over:
			return requests[:i+1]
		}
	}
	return requests
}

func newRequests(n int) []*request {
	list := make([]*request, n)
	for i := range list {
		list[i] = newRequest()
	}
	return list
}

// get requests a page that needs no token.
func get(t *testing.T, address, path string) (outcome, answer string) {
	t.Helper()
	c := &connection{address: address}
	defer c.close()
	var r request
	c.exchange(&r, []part{{0, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"}})
	if r.err != nil {
		t.Errorf("GET %s: %v", path, r.err)
	}
	return r.outcome, r.answer
}
