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

// patience is how long a caller waits for an answer: longer than the service may
// take, so that a late answer is told from none.
const patience = 20 * time.Second

// Everything that must not be seen has the mark in it, which no encoding of
// URLs, JSON or HTML changes.
const (
	mark       = "leak7q"
	sendToken  = "send-" + mark + "-token-of-callers"
	adminToken = "admin-" + mark + "-token-of-admins"
	keySecret  = mark + "-secret-of-the-key"
)

// A request is one send request and what came of it.
type request struct {
	to, code, usageType string
	manner

	begun   time.Time // its first byte
	took    time.Duration
	outcome string // "sent", a problem's code, or another status; "" without an answer
	answer  string // as it came, header included
	err     error
}

// A manner is what is special about a caller. The zero value writes, and waits
// for the answer.
type manner struct {
	aborts     bool          // goes away instead of waiting for the answer
	abortAfter time.Duration // … so long after it has written
	halfCloses bool          // closes its side when it has written
	writesOn   bool          // does not look for the answer before all is written
	readsEvery time.Duration // reads 16 bytes at a time, so slowly
	leaves     bool          // closes the connection when it has its answer
}

var serial atomic.Int64

// newRequest makes a request with a code and a recipient of its own.
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

// A part is what a caller writes, after a pause.
type part struct {
	after time.Duration
	text  string
}

// whole is the request as a well-behaved caller writes it.
func (r *request) whole() []part {
	body := r.body()
	return []part{{0, headFor(body) + body}}
}

// A line is a caller's connection to the service.
type line struct {
	address string
	conn    net.Conn
	reader  *bufio.Reader
	raw     bytes.Buffer
}

func (l *line) open() error {
	if l.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", l.address, patience)
	if err != nil {
		return err
	}
	l.conn = conn
	l.reader = bufio.NewReader(io.TeeReader(conn, &l.raw))
	return nil
}

func (l *line) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// exchange writes a request and reads its answer. A connection that the answer
// keeps alive stays open for the next request.
func (l *line) exchange(r *request, parts []part) {
	r.err = l.open()
	r.begun = time.Now()
	if r.err != nil {
		return
	}
	_ = l.conn.SetDeadline(r.begun.Add(patience))
	l.raw.Reset()
	conn, written := l.conn, make(chan struct{})
	go func() {
		defer close(written)
		r.begun = writeParts(conn, parts)
		if tcp, ok := conn.(*net.TCPConn); ok && r.halfCloses {
			_ = tcp.CloseWrite()
		}
	}()
	if r.writesOn || r.aborts {
		<-written
	}
	if r.aborts {
		pause(r.abortAfter)
		l.close()
		return
	}
	keep, err := l.read(r)
	ended := time.Now()
	if err != nil || !keep || r.halfCloses || r.leaves {
		l.close()
	}
	<-written
	r.took, r.err, r.answer = ended.Sub(r.begun), err, l.raw.String()
}

// writeParts returns when the first byte was written. What the service does not
// take any more is no error: its answer counts.
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

// pause is a caller's own slowness.
func pause(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func (l *line) read(r *request) (keep bool, err error) {
	if r.readsEvery > 0 {
		l.reader = bufio.NewReader(&slowReader{l.reader, r.readsEvery})
	}
	for {
		resp, err := http.ReadResponse(l.reader, nil)
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

// A slowReader reads a little at a time: so much that the pauses, which get longer
// on a busy machine, do not add up to the time that an answer has.
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

// fire lets so many callers at once make the requests, each over its own
// connection, one after the other.
func fire(address string, requests []*request, callers int, parts func(*request) []part) {
	queue := make(chan *request)
	done := make(chan struct{})
	for range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			l := &line{address: address}
			defer l.close()
			for r := range queue {
				l.exchange(r, parts(r))
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

// firePaced makes so many requests a second, each over a connection of its own,
// whether or not those before have their answers, and waits for all of them. It
// returns those it made: none begins after the time that ends it, if any.
func firePaced(address string, requests []*request, perSecond int, parts func(*request) []part, end ...<-chan time.Time) []*request {
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
			l := &line{address: address}
			defer l.close()
			l.exchange(r, parts(r))
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

// get asks for a page that needs no token.
func get(t *testing.T, address, path string) (outcome, answer string) {
	t.Helper()
	l := &line{address: address}
	defer l.close()
	var r request
	l.exchange(&r, []part{{0, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"}})
	if r.err != nil {
		t.Errorf("GET %s: %v", path, r.err)
	}
	return r.outcome, r.answer
}
