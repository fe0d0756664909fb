//go:build linux

package attack_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// closeTime is within what a stalled request's connection must be closed: the time
	// of an admin's body, of draining, and some for a busy machine.
	closeTime = 20 * time.Second
	// fewSockets are more than good callers, upstream and listeners need.
	fewSockets = 100
	// patience is how long an attacker waits for that.
	patience = 40 * time.Second
)

// An exchange is what an attacker writes on a connection of its own, and reads.
type exchange struct {
	head  string
	piece string // written after each second, for as long as the connection is open
	keeps bool   // the connection, after the service closed its side; the caller closes it

	conn   net.Conn
	status int    // of the answer; 0: none came
	ending string // "closed", "reset", or "still open"
	lasted time.Duration
}

func (g *target) dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", g.address, patience)
	if err == nil && g.tls != nil {
		conn = tls.Client(conn, g.tls)
	}
	return conn, err
}

// attack makes the exchange. It reads whatever comes, as a client does that wants the
// answer.
func (e *exchange) attack(g *target) {
	conn, err := g.dial()
	if err != nil {
		e.ending = fmt.Sprint("no connection: ", cause(err))
		return
	}
	e.conn = conn
	begun := time.Now()
	_ = conn.SetDeadline(begun.Add(patience))
	done, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		if _, err := io.WriteString(conn, e.head); err != nil || e.piece == "" {
			return
		}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			if _, err := io.WriteString(conn, e.piece); err != nil {
				return
			}
		}
	}()
	raw, err := io.ReadAll(conn)
	e.lasted = time.Since(begun)
	if !e.keeps {
		close(done)
		<-written
		conn.Close()
	}
	e.status = lastStatus(raw)
	switch {
	case err == nil:
		e.ending = "closed"
	case errors.Is(err, syscall.ECONNRESET):
		e.ending = "reset"
	default:
		e.ending = "still open"
	}
}

// lastStatus returns the status of the last complete answer.
func lastStatus(raw []byte) (status int) {
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return status
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return status
		}
		status = resp.StatusCode
	}
}

// header has 15 kB.
var bigHeader = "X-Padding: " + strings.Repeat("p", 15000) + "\r\n"

// A stall is a request whose body never ends, and its answer.
type stall struct {
	line, header string
	status       int
}

var stalls = []stall{
	{"POST /api/send", "Authorization: Bearer wrong\r\n", 401},
	{"POST /api/send", "", 401},
	{"POST /api/connectors/x/send", "Authorization: Bearer wrong\r\n", 401},
	{"POST /api/connectors", "Authorization: Bearer wrong\r\n", 401},
	{"POST /nowhere", "", 404},
	{"GET /api/send", "", 405},
	{"GET /healthz", "", 200},
	{"GET /metrics", "", 200},
	{"GET /", "", 200},
	{"GET /api/session", "", 401},
	{"DELETE /api/session", "", 204},
}

// framings are the ways to announce a body and to dribble it.
var framings = []struct{ header, piece string }{
	{"Content-Length: 100000\r\n", "x"},
	{"Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"},
	{"Content-Length: 100000\r\nExpect: 100-continue\r\n", "x"},
	{"Content-Length: 100000\r\n", ""}, // never a byte
}

func (s stall) exchange(i int, more string) *exchange {
	framing := framings[i%len(framings)]
	return &exchange{
		head:  s.line + " HTTP/1.1\r\nHost: localhost\r\n" + s.header + framing.header + more + "\r\n",
		piece: framing.piece,
	}
}

func connectionAttacks() []scenario {
	return []scenario{
		{"Bodies that stall, without a valid token", setup{}, stalledBodies},
		{"The same, at 300 file descriptors", setup{files: 300}, stalledBodiesFewFiles},
		{"Bodies that stall, with a valid token", setup{}, stalledGoodTokens},
		{"Bodies of 60 kB that lack their last byte, with a send token", setup{}, almostWhole},
		{"Headers that never end", setup{}, slowHeaders},
		{"Headers of 60 kB", setup{}, hugeHeaders},
		{"Bodies of 64 MB, without a token", setup{}, endlessBodies},
		{"Clients that pipeline and never read", setup{}, neverRead},
		{"Idle connections, always as many as are allowed", setup{args: []string{"--max-connections", "1000"}}, idleConnections},
		{"Idle connections, at 64 file descriptors", setup{files: 64}, idleFewFiles},
		{"TLS handshakes that stall or are garbage", setup{tls: true}, badHandshakes},
		{"SIGTERM during all of these", setup{}, stopUnderAttack},
	}
}

func stalledBodies(t *testing.T, g *target) (string, string) {
	const n = 4000
	var statuses, endings tally
	attackers := make([]*exchange, n)
	begun := time.Now()
	each(n, n, func(i int) {
		s := stalls[i%len(stalls)]
		e := s.exchange(i/len(stalls), bigHeader)
		e.keeps = true
		attackers[i] = e
		e.attack(g)
		// The metrics are for few callers at once.
		if e.status != s.status && (s.line != "GET /metrics" || e.status != http.StatusServiceUnavailable) {
			statuses.add(fmt.Sprintf("%s answered %d", s.line, e.status))
		} else {
			statuses.add("answered")
		}
		endings.add(e.ending)
	})
	statuses.only(t, "answers", "answered")
	endings.only(t, "connections", "closed")
	// The attackers go on writing, or do nothing.
	if !waitFor(closeTime, func() bool { return g.sockets() < fewSockets }) {
		t.Errorf("%d sockets are still open", g.sockets())
	}
	took := time.Since(begun)
	for _, e := range attackers {
		if e.conn != nil {
			e.conn.Close()
		}
	}
	return fmt.Sprintf("%s connections with 15 kB headers at once: %d routes × with a length, chunked, with Expect, without a byte", thousands(n), len(stalls)),
		fmt.Sprintf("all were answered, and closed within %.1f s", took.Seconds())
}

// lastedAtMost checks and words the time of the connection that lasted longest.
func lastedAtMost(t *testing.T, longest *atomic.Int64, limit time.Duration, outcome string) string {
	t.Helper()
	took := time.Duration(longest.Load())
	if took > limit {
		timing(t, "the longest connection took %v", took)
	}
	return fmt.Sprintf("%s within %.1f s", outcome, took.Seconds())
}

// stalledBodiesFewFiles opens a new connection for each that ends.
func stalledBodiesFewFiles(t *testing.T, g *target) (string, string) {
	const n = 300
	var endings tally
	end := time.Now().Add(15 * time.Second)
	each(n, n, func(i int) {
		for time.Now().Before(end) {
			e := stalls[i%len(stalls)].exchange(i, bigHeader)
			e.attack(g)
			endings.add(e.ending)
		}
	})
	endings.only(t, "connections", "closed")
	return fmt.Sprintf("%d clients, which reconnect for 15 s", n), fmt.Sprintf("%s connections were answered, then closed", thousands(endings.total()))
}

func stalledGoodTokens(t *testing.T, g *target) (string, string) {
	const n = 300
	var statuses, endings tally
	var longest atomic.Int64
	each(n, n, func(i int) {
		s := stall{"POST /api/send", "Authorization: Bearer " + sendToken + "\r\n", 400}
		if i%2 == 1 {
			s = stall{"POST /api/connectors/default/preview", "Authorization: Bearer " + adminToken + "\r\n", 400}
		}
		e := s.exchange(i/2, "Content-Type: application/json\r\n"+bigHeader)
		e.attack(g)
		statuses.add(fmt.Sprint(e.status))
		endings.add(e.ending)
		peak(&longest, int64(e.lasted))
	})
	// Admins' large bodies are bounded together.
	statuses.only(t, "answers", "408", "503")
	endings.only(t, "connections", "closed")
	return fmt.Sprintf("%d connections: sends and previews", n), lastedAtMost(t, &longest, closeTime, "all were answered, then closed")
}

// almostWhole makes the service keep as many bodies as it can.
func almostWhole(t *testing.T, g *target) (string, string) {
	const n = 4000
	var statuses, endings tally
	var longest atomic.Int64
	head := "POST /api/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + sendToken +
		"\r\nContent-Type: application/json\r\nContent-Length: 60001\r\n" + bigHeader + "\r\n" + strings.Repeat(" ", 60000)
	each(n, n, func(int) {
		e := exchange{head: head}
		e.attack(g)
		statuses.add(fmt.Sprint(e.status))
		endings.add(e.ending)
		peak(&longest, int64(e.lasted))
	})
	statuses.only(t, "answers", "408", "503")
	endings.only(t, "connections", "closed")
	return thousands(n) + " connections at once", lastedAtMost(t, &longest, closeTime, statuses.String()+", then closed")
}

func slowHeaders(t *testing.T, g *target) (string, string) {
	const n = 5000
	var endings tally
	var longest atomic.Int64
	each(n, n, func(int) {
		e := exchange{head: "POST /api/send HTTP/1.1\r\nHost: localhost\r\n" + bigHeader + "X-Slow: ", piece: "s"}
		e.attack(g)
		endings.add(e.ending)
		peak(&longest, int64(e.lasted))
	})
	endings.only(t, "connections", "closed", "reset")
	return thousands(n) + " connections, a byte each second", lastedAtMost(t, &longest, closeTime, "all were closed")
}

func hugeHeaders(t *testing.T, g *target) (string, string) {
	const n = 600
	var statuses, endings tally
	header := "X-Padding: " + strings.Repeat("p", 60000) + "\r\n"
	each(n, 200, func(i int) {
		e := stalls[i%len(stalls)].exchange(i, header)
		e.attack(g)
		statuses.add(fmt.Sprint(e.status))
		endings.add(e.ending)
	})
	statuses.only(t, "answers", "431")
	endings.only(t, "connections", "closed")
	return thousands(n) + " requests, 200 at once", "all were answered 431, then closed"
}

// endlessBodies writes as fast as the service reads, and reads the answer at the same
// time.
func endlessBodies(t *testing.T, g *target) (string, string) {
	const n = 300
	var statuses tally
	block := strings.Repeat("x", 1<<20)
	each(n, 32, func(i int) {
		s := stalls[i%len(stalls)]
		conn, err := g.dial()
		if err != nil {
			statuses.add(cause(err).Error())
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		written := make(chan struct{})
		go func() {
			defer close(written)
			_, err := io.WriteString(conn, s.line+" HTTP/1.1\r\nHost: localhost\r\n"+s.header+"Content-Length: 67108864\r\n\r\n")
			for n := 0; err == nil && n < 64; n++ {
				_, err = io.WriteString(conn, block)
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			statuses.add(fmt.Sprintf("%s: %v", s.line, cause(err)))
		} else {
			statuses.add(fmt.Sprint(resp.StatusCode == s.status))
			resp.Body.Close()
		}
		conn.Close()
		<-written
	})
	statuses.only(t, "answers as expected", "true")
	return fmt.Sprintf("%d requests, 32 at once", n), "all were answered"
}

// neverRead asks for the largest answers again and again, and reads none.
func neverRead(t *testing.T, g *target) (string, string) {
	const n = 500
	narrow := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		}); e != nil {
			return e
		}
		return err
	}}
	pipeline := strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 200)
	begun := time.Now()
	var conns []net.Conn
	var mu sync.Mutex
	each(n, 50, func(int) {
		conn, err := narrow.Dial("tcp", g.address)
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.SetDeadline(begun.Add(patience))
		mu.Lock()
		conns = append(conns, conn)
		mu.Unlock()
		go func() { _, _ = io.WriteString(conn, pipeline) }() // blocks, as nobody reads
	})
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	if !waitFor(10*time.Second, func() bool { return g.sockets() >= n }) {
		t.Errorf("only %d sockets are open", g.sockets())
	}
	if !waitFor(50*time.Second, func() bool { return g.sockets() < fewSockets }) {
		t.Errorf("%d sockets are still open after %v", g.sockets(), time.Since(begun))
	}
	return fmt.Sprintf("%d connections with 200 requests each", n), fmt.Sprintf("all were cut within %.0f s", time.Since(begun).Seconds())
}

// idleConnections makes one request on each connection, leaves it open, and replaces it
// when the service closes it.
func idleConnections(t *testing.T, g *target) (string, string) {
	const n = 1000
	var opened atomic.Int64
	end := time.Now().Add(20 * time.Second)
	each(n, n, func(int) {
		for time.Now().Before(end) {
			conn, err := g.dial()
			if err != nil {
				return
			}
			opened.Add(1)
			_ = conn.SetDeadline(end)
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	})
	if opened.Load() < 2*n {
		t.Errorf("only %d connections were opened", opened.Load())
	}
	if peak := g.meter.sockets.Load(); peak > n+150 { // upstream, files and listeners besides
		t.Errorf("%d sockets were open at once, with --max-connections %d", peak, n)
	}
	return fmt.Sprintf("%s clients for 20 s, with `--max-connections %d`", thousands(n), n),
		fmt.Sprintf("%s connections; those idle for 6 s gave way", thousands(int(opened.Load())))
}

// idleFewFiles keeps more connections than the service may have open. Most never carry a
// request.
func idleFewFiles(t *testing.T, g *target) (string, string) {
	const n = 200
	var answered atomic.Int64
	end := time.Now().Add(20 * time.Second)
	each(n, n, func(i int) {
		conn, err := g.dial()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(end)
		if i%4 == 0 {
			_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		data, _ := io.ReadAll(conn)
		if lastStatus(data) == http.StatusOK {
			answered.Add(1)
		}
	})
	if answered.Load() != n/4 {
		t.Errorf("only %d of %d requests were answered", answered.Load(), n/4)
	}
	return fmt.Sprintf("%d connections at once for 20 s, of which a quarter make a request", n),
		fmt.Sprintf("%d requests were answered; connections idle for 6 s gave way", answered.Load())
}

func badHandshakes(t *testing.T, g *target) (string, string) {
	const n = 1500
	hellos := []string{
		"", "\x16\x03\x01\x02\x00\x01", // nothing, or the beginning of a hello
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", strings.Repeat("\xff", 20000), "\x80\x2e\x01\x00\x02",
	}
	var endings tally
	var longest atomic.Int64
	plain := &target{address: g.address}
	each(n, 500, func(i int) {
		e := exchange{head: hellos[i%len(hellos)]}
		e.attack(plain)
		endings.add(e.ending)
		peak(&longest, int64(e.lasted))
	})
	endings.only(t, "connections", "closed", "reset")
	lines := strings.Count(g.log.String(), "TLS handshake")
	if lines == 0 || lines > 100 {
		t.Errorf("%d lines of the log name a TLS handshake, want 1 to 100", lines)
	}
	return thousands(n) + " connections, 500 at once", lastedAtMost(t, &longest, closeTime, "all were closed") + fmt.Sprintf("; %d lines in the log", lines)
}

// stopUnderAttack stops the service while all kinds of stalled connections are open.
func stopUnderAttack(t *testing.T, g *target) (string, string) {
	const n = 1000
	var answered atomic.Int64
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			e := stalls[i%len(stalls)].exchange(i, bigHeader)
			switch i % 4 {
			case 1:
				e = &exchange{head: "POST /api/send HTTP/1.1\r\n", piece: "s"}
			case 2:
				e = &exchange{head: ""}
			case 3: // a stalled body with a valid token
				e = stall{"POST /api/send", "Authorization: Bearer " + sendToken + "\r\n", 400}.exchange(i, "")
			}
			e.attack(g)
			if e.status != 0 {
				answered.Add(1)
			}
		})
	}
	g.senders.judge(t)
	if !waitFor(10*time.Second, func() bool { return g.sockets() > n/4 }) {
		t.Error("the connections were not opened")
	}
	g.meter.stop()
	took := g.stop(t)
	g.stopped = true
	running.Wait()
	return thousands(n) + " stalled connections", fmt.Sprintf("exit status 0 after %.1f s", took.Seconds())
}
