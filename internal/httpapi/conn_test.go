package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"dmconnector/internal/httpapi"
)

// patience is for what must not happen.
const patience = 20 * time.Second

// serve serves on a real socket, and returns its address.
func serve(t *testing.T, handler http.Handler, connections *httpapi.Connections) string {
	t.Helper()
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ConnContext: connections.Context, ConnState: connections.State, ReadHeaderTimeout: 5 * time.Second}
	listener := connections.Listener(inner)
	var served sync.WaitGroup
	served.Go(func() { server.Serve(listener) })
	t.Cleanup(func() {
		listener.Close()
		served.Wait()
		server.Close()
		waitClosed(t, connections)
	})
	return inner.Addr().String()
}

// waitClosed waits until no connection is open.
func waitClosed(t *testing.T, connections *httpapi.Connections) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := connections.Wait(ctx); err != nil {
		t.Error("connections are still open")
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A rejection does not wait for the request's body, and is not lost with it: it comes
// before the connection ends, which is announced and is no reset.
func TestAnswersDoNotWaitForABody(t *testing.T) {
	s := newService(t, "default")
	var connections httpapi.Connections
	connections.SetTimes(0, 0, time.Hour) // the caller ends each connection
	address := serve(t, s.api, &connections)
	routes := []struct {
		route  string
		token  string
		status int
	}{
		{"POST /api/send", "", 401},
		{"POST /api/send", "wrong", 401},
		{"POST /api/send", adminToken, 403},
		{"POST /api/connectors/default/test", recordedToken, 403},
		{"GET /api/messages", "", 401},
		{"POST /api/none", "", 404},
		{"PUT /api/send", recordedToken, 405},
		{"POST /healthz", "", 405},
		{"GET /healthz", "", 200},
		{"GET /readyz", "", 200},
		{"HEAD /healthz", "", 200},
		{"GET /openapi.json", "", 200},
		{"GET /metrics", "", 404}, // the handler of this test
		{"GET /%00", "", 400},
		{"GET /api/session", "", 401},
		{"DELETE /api/session", "", 204},
	}
	const part = "0123456789"
	framings := map[string]struct{ version, header, body string }{
		"a length":             {"1.1", "Content-Length: 100000\r\n", part},
		"a length, and none":   {"1.1", "Content-Length: 100000\r\n", ""},
		"too large":            {"1.1", "Content-Length: 100000000\r\n", strings.Repeat(part, 6_000)},
		"chunks":               {"1.1", "Transfer-Encoding: chunked\r\n", "a\r\n" + part + "\r\n"},
		"half a chunk":         {"1.1", "Transfer-Encoding: chunked\r\n", "ffff\r\n" + part},
		"Expect: 100-continue": {"1.1", "Content-Length: 100000\r\nExpect: 100-continue\r\n", ""},
		"HTTP/1.0":             {"1.0", "Content-Length: 100000\r\n", part},
		"HTTP/1.0, kept alive": {"1.0", "Content-Length: 100000\r\nConnection: keep-alive\r\n", part},
	}
	for name, framing := range framings {
		t.Run(name, func(t *testing.T) {
			for _, r := range routes {
				method, path, _ := strings.Cut(r.route, " ")
				conn := dial(t, address)
				fmt.Fprintf(conn, "%s %s HTTP/%s\r\nHost: x\r\n%s", method, path, framing.version, framing.header)
				if r.token != "" {
					fmt.Fprintf(conn, "Authorization: Bearer %s\r\n", r.token)
				}
				fmt.Fprintf(conn, "\r\n%s", framing.body)
				got, err := io.ReadAll(conn)
				if err != nil {
					t.Fatalf("%s with token %q: %v after %q", r.route, r.token, err, got)
				}
				resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), &http.Request{Method: method})
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != r.status || !resp.Close {
					t.Errorf("%s with token %q: %s", r.route, r.token, got)
				}
				if body, err := io.ReadAll(resp.Body); err != nil || resp.ContentLength > 0 && method != "HEAD" && int64(len(body)) != resp.ContentLength {
					t.Errorf("%s: %q, %v", r.route, body, err)
				}
				conn.Close()
			}
		})
	}
}

// A body that is too large is not read to its end, and its caller gets the answer.
func TestTooLargeBodiesGetTheirAnswer(t *testing.T) {
	s := newService(t, "default")
	var connections httpapi.Connections
	connections.SetTimes(0, 0, time.Hour)
	address := serve(t, s.api, &connections)
	for _, tt := range []struct {
		route, token string
		length       int
		status       int
		text         string
	}{
		{"POST /api/send", recordedToken, 64 << 10, 400, ""}, // it is no JSON
		{"POST /api/send", recordedToken, 64<<10 + 1, 413, ""},
		{"POST /api/connectors/default/send", recordedToken, 64<<10 + 1, 413, ""},
		{"POST /api/session", "", 4 << 10, 400, ""},
		{"POST /api/session", "", 4<<10 + 1, 413, "larger than 4 KiB"},
		{"POST /api/connectors/default/test", adminToken, 8<<20 + 1, 413, "larger than 8 MiB"},
		{"POST /api/connectors", adminToken, 64<<10 + 1, 400, ""},
		{"POST /api/connectors", adminToken, 8<<20 + 1, 413, "larger than 8 MiB"},
	} {
		method, path, _ := strings.Cut(tt.route, " ")
		conn := dial(t, address)
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", method, path, tt.token, tt.length)
		conn.Write(bytes.Repeat([]byte("x"), tt.length))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.route, err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(text), tt.text) || resp.Close != (tt.status == 413) {
			t.Errorf("%s of %d: %d %s, %v", tt.route, tt.length, resp.StatusCode, text, err)
		}
		conn.Close()
	}
}

// A rejection costs no connection if its whole body has been sent.
func TestRejectionsKeepTheConnection(t *testing.T) {
	s := newService(t, "default")
	var connections httpapi.Connections
	conn := dial(t, serve(t, s.api, &connections))
	answers := bufio.NewReader(conn)
	for range 3 {
		for _, framing := range []string{"Content-Length: 10\r\n\r\n0123456789", "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"} {
			fmt.Fprintf(conn, "POST /api/send HTTP/1.1\r\nHost: x\r\n%s", framing)
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 401 || resp.Close {
				t.Fatalf("%d, closes: %t, %v", resp.StatusCode, resp.Close, err)
			}
		}
	}
	conn.Close()
}

// After the last answer the connection takes no more than 64 KiB, and ends after its
// time, whatever its caller does.
func TestRestOfABodyIsBounded(t *testing.T) {
	s := newService(t)
	for name, filler := range map[string]string{"nothing": "", "without end": strings.Repeat("x", 1<<16)} {
		t.Run(name, func(t *testing.T) {
			var connections httpapi.Connections
			connections.SetTimes(0, 0, 100*time.Millisecond)
			conn := dial(t, serve(t, s.api, &connections))
			fmt.Fprint(conn, "POST /api/send HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
			ended := make(chan error, 1)
			go func() {
				for filler != "" {
					if _, err := io.WriteString(conn, filler); err != nil {
						ended <- err
						return
					}
				}
				ended <- io.EOF
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != 401 {
				t.Fatal(resp, err)
			}
			if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the service goes on receiving")
			}
			waitClosed(t, &connections)
		})
	}
}

// A header of many short lines, which takes much memory, is rejected before its end; a
// body may have as many lines as it likes.
func TestHeaderLinesAreBounded(t *testing.T) {
	s := newService(t, "default")
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS": testTLS(t)} {
		t.Run(name, func(t *testing.T) {
			connections := httpapi.Connections{TLS: secure}
			address := serve(t, s.api, &connections)
			connect := func() net.Conn {
				conn := dial(t, address)
				if secure != nil {
					return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				return conn
			}
			const body = `{"to":"user@example.com","type":"SignIn","payload":{"code":"1"}` + "\n\n\n}"
			first := "POST /api/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + recordedToken + "\r\n"
			kept := connect()
			answers := bufio.NewReader(kept)
			for range 3 { // each request is counted for itself, after an empty line too
				long := strings.Replace(body, "\n", strings.Repeat("\n", 1000), 1)
				fmt.Fprintf(kept, "%s%sContent-Length: %d\r\n\r\n%s\r\n\r\n", first, strings.Repeat("A:\r\n", 120), len(long), long)
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
					t.Errorf("%d %s, %v", resp.StatusCode, text, err)
				}
			}
			// Nor does a body count whose header came with the request before.
			long := strings.Replace(body, "\n\n\n", strings.Repeat(" \n", 200), 1)
			fmt.Fprintf(kept, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n%sContent-Length: %d\r\n\r\n", first, len(long))
			for _, part := range []string{"", long} {
				fmt.Fprint(kept, part)
				if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != 200 {
					t.Fatal(resp, err)
				} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Error(err)
				}
			}
			kept.Close()
			for _, before := range []string{"", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"} {
				conn := connect()
				answers := bufio.NewReader(conn)
				if before != "" {
					fmt.Fprint(conn, before)
					if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != 200 {
						t.Error(resp, err)
					} else {
						io.Copy(io.Discard, resp.Body)
					}
				}
				fmt.Fprint(conn, first)
				for range 200 {
					fmt.Fprint(conn, "A:\n")
				}
				resp, err := http.ReadResponse(answers, nil)
				if err != nil || resp.StatusCode != 431 {
					t.Fatal(resp, err)
				}
				if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "The header has too many lines.\n" {
					t.Errorf("%q, %v", text, err)
				}
				conn.Close()
			}
		})
	}
}

// A body that does not come is given up: after 2 s, an admin's after 10 s.
func TestBodiesHaveTheirTime(t *testing.T) {
	for route, tt := range map[string]struct {
		token string
		want  time.Duration
	}{
		"POST /api/send":     {recordedToken, 2 * time.Second},
		"POST /api/session":  {"", 2 * time.Second},
		"GET /api/messages":  {adminToken, 10 * time.Second},
		"PUT /api/log-level": {adminToken, 10 * time.Second},
	} {
		t.Run(route, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := httpapi.New(httpapi.Options{
					Delivery: newDelivery(discard), Log: discard, Messages: &changing{}, Sessions: newSessions(), LogLevel: new(slog.LevelVar),
					SendTokens: []string{recordedToken}, AdminTokens: []string{adminToken},
				})
				client, connections, stopAccepting := serveOne(api)
				began := time.Now()
				method, path, _ := strings.Cut(route, " ")
				fmt.Fprintf(client, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 1000\r\n\r\n{", method, path, tt.token)
				got, err := io.ReadAll(client)
				if took := time.Since(began); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 408 ")) || took != tt.want {
					t.Errorf("after %v: %s, %v", took, got, err)
				}
				stopAccepting()
				if err := connections.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				client.Close()
			})
		})
	}
}

// Callers that do not read what they asked for are cut off.
func TestAnswersThatNobodyReads(t *testing.T) {
	s := newService(t)
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS": testTLS(t)} {
		t.Run(name, func(t *testing.T) {
			connections := httpapi.Connections{TLS: secure}
			connections.SetTimes(0, 100*time.Millisecond, 0)
			conn := dial(t, serve(t, s.api, &connections))
			if secure != nil {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			for {
				_, err := io.WriteString(conn, "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the service goes on waiting")
				}
				if err != nil {
					break
				}
			}
			waitClosed(t, &connections)
		})
	}
}

// An answer is cut off 30 s after its last progress; one that is read slowly is not.
func TestWriteDeadlineIsRolling(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 100)) })
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS": testTLS(t)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connections := &httpapi.Connections{TLS: secure}
				client, stopAccepting := serveBy(connections, handler)
				// Below TLS, so that it reads as slowly.
				slow := &slowReader{Conn: client}
				var conn net.Conn = slow
				if secure != nil {
					conn = tls.Client(slow, &tls.Config{InsecureSkipVerify: true})
				}
				ask := func() {
					if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
				}
				ask()
				slow.pause = 29 * time.Second
				began := time.Now()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(resp.Body); err != nil || len(text) != 100 || time.Since(began) < 10*time.Minute {
					t.Errorf("%q, %v after %v", text, err, time.Since(began))
				}
				ask()
				began = time.Now()
				stopAccepting()
				if err := connections.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took < 30*time.Second || took > 32*time.Second {
					t.Errorf("it was cut off after %v", took)
				}
				client.Close()
			})
		})
	}
}

// A slowReader pauses before each read of a few bytes.
type slowReader struct {
	net.Conn
	pause time.Duration
}

func (s *slowReader) Read(p []byte) (int, error) {
	<-time.After(s.pause)
	return s.Conn.Read(p[:min(len(p), 8)])
}

// serveBy serves one connection in memory, and returns its other end.
func serveBy(connections *httpapi.Connections, handler http.Handler) (client net.Conn, stopAccepting func()) {
	server := &http.Server{Handler: handler, ConnContext: connections.Context, ConnState: connections.State}
	client, conn := net.Pipe()
	listener := pipeListener{conns: make(chan net.Conn, 1)}
	listener.conns <- conn
	go server.Serve(connections.Listener(listener))
	return client, func() { close(listener.conns) }
}

// When too many connections are open, the one that has been idle for longest gives way,
// if it is idle for more than 6 s. Others are left alone, and the new one waits.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-time.After(time.Minute)
			}
		})
		connections := &httpapi.Connections{Max: 4}
		server := &http.Server{Handler: handler, ConnContext: connections.Context, ConnState: connections.State, ReadHeaderTimeout: time.Hour}
		listener := pipeListener{conns: make(chan net.Conn)}
		go server.Serve(connections.Listener(listener))
		var clients []net.Conn
		connect := func() net.Conn {
			client, conn := net.Pipe()
			clients = append(clients, client)
			listener.conns <- conn
			return client
		}
		get := func(client net.Conn, path string) error {
			if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
				return err
			}
			_, err := http.ReadResponse(bufio.NewReader(client), nil)
			return err
		}
		slow, header, first, second := connect(), connect(), connect(), connect()
		busy := make(chan error, 1)
		go func() { busy <- get(slow, "/slow") }()
		<-time.After(58 * time.Second)
		if err := errors.Join(get(first, "/"), get(second, "/")); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		fmt.Fprint(header, "GET / HTTP/1.1\r\n")
		if err := get(second, "/"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		third := connect()
		if err := get(third, "/"); err != nil || time.Since(began) > 5100*time.Millisecond || time.Since(began) < 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := get(first, "/"); err == nil {
			t.Error("the connection that was idle longest is still open")
		}
		if err := errors.Join(get(second, "/"), <-busy); err != nil {
			t.Error(err)
		}
		fmt.Fprint(header, "Host: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(header), nil); err != nil {
			t.Error("a request that had begun was cut off:", err)
		}
		// A caller that goes makes room at once.
		slow.Close()
		synctest.Wait()
		if err := get(connect(), "/"); err != nil {
			t.Error(err)
		}
		for _, client := range clients {
			client.Close()
		}
		close(listener.conns)
		if err := connections.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// With more than three quarters of the connections open, answers close theirs, so that
// callers that send are not kept out by those that only keep connections.
func TestAnswersCloseWhenConnectionsAreFew(t *testing.T) {
	connections := &httpapi.Connections{Max: 4}
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard), SendTokens: []string{recordedToken}, Log: discard})
	server := &http.Server{Handler: api, ConnContext: connections.Context, ConnState: connections.State}
	go server.Serve(connections.Listener(inner))
	defer server.Close()
	const health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	const send = "POST /api/send HTTP/1.1\r\nHost: x\r\nAuthorization: " + recordedToken + "\r\nContent-Length: 2\r\n\r\n{}"
	for i, request := range []string{health, send, health, send, health, send} {
		client := dial(t, inner.Addr().String())
		fmt.Fprint(client, request)
		resp, err := http.ReadResponse(bufio.NewReader(client), nil)
		if err != nil {
			t.Fatal(err)
		}
		if crowded := i >= 3; resp.Close != crowded {
			t.Errorf("connection %d: the answer closes it: %v", i+1, resp.Close)
		}
		if resp.Close {
			client.Close()
		}
	}
}

// A stop answers the connection that waits for room.
func TestStopAnswersWhoWaitsForRoom(t *testing.T) {
	block := make(chan struct{})
	connections := &httpapi.Connections{Max: 1}
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	both := announcing{inner, make(chan struct{}, 3)}
	accepting := connections.Listener(both)
	held, waiting := dial(t, inner.Addr().String()), dial(t, inner.Addr().String())
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			<-block
		}
	})
	server := &http.Server{Handler: handler, ConnContext: connections.Context, ConnState: connections.State}
	go server.Serve(accepting)
	fmt.Fprint(held, "GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	fmt.Fprint(waiting, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	<-both.accepted
	<-both.accepted
	accepting.Close()
	if resp, err := http.ReadResponse(bufio.NewReader(waiting), nil); err != nil || resp.StatusCode != 200 {
		t.Error(resp, err)
	}
	close(block)
	if _, err := http.ReadResponse(bufio.NewReader(held), nil); err != nil {
		t.Error(err)
	}
	held.Close()
	waiting.Close()
	waitClosed(t, connections)
	server.Close()
}

// announcing tells of each connection that it accepts.
type announcing struct {
	net.Listener
	accepted chan struct{}
}

func (l announcing) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	l.accepted <- struct{}{}
	return conn, err
}

// testTLS is a server's, with httptest's certificate.
func testTLS(t *testing.T) *tls.Config {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return &tls.Config{Certificates: server.TLS.Certificates, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}

func TestHandshakeErrorsAreTold(t *testing.T) {
	s := newService(t)
	causes := make(chan string, 10)
	connections := httpapi.Connections{TLS: testTLS(t), HandshakeFailed: func(cause string) { causes <- cause }}
	address := serve(t, s.api, &connections)
	secured := func(config *tls.Config) func(net.Conn) {
		return func(conn net.Conn) { tls.Client(conn, config).Handshake() }
	}
	for name, tt := range map[string]struct {
		talk func(net.Conn)
		want string
	}{
		"plain HTTP": {func(conn net.Conn) {
			fmt.Fprintf(conn, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != 400 {
				t.Error(resp, err)
			}
		}, "first record does not look like a TLS handshake"},
		"an unknown authority": {secured(&tls.Config{ServerName: "example.com"}), "bad certificate"},
		"an old version": {
			secured(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}),
			"client offered only unsupported versions",
		},
		"another protocol": {
			secured(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"secret"}}),
			"client requested unsupported application protocols",
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, address)
			tt.talk(conn)
			conn.Close()
			if got := <-causes; got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
	// A check of the port alone is no error.
	dial(t, address).Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + address + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if len(causes) > 0 {
		t.Error(<-causes)
	}
}

// HEAD answers as GET does, without the body.
func TestHeadWhereverGetIs(t *testing.T) {
	s := newService(t, "default")
	if got := s.send(); got.status != http.StatusOK {
		t.Fatal(got)
	}
	err := chi.Walk(s.api.Routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodGet {
			return nil
		}
		path := strings.NewReplacer("connector-factories/{id}", "connector-factories/aliyun-direct-mail", "connectors/{id}", "connectors/default", "{id}", messageID(1)).Replace(route)
		ask := func(method string) *http.Response {
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+adminToken)
			resp, err := s.client.Transport.(checked).Transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		get, head := ask(http.MethodGet), ask(http.MethodHead)
		if path != "/api/messages/events" {
			io.Copy(io.Discard, get.Body)
		}
		get.Body.Close()
		body, err := io.ReadAll(head.Body)
		head.Body.Close()
		if err != nil || len(body) > 0 || head.StatusCode != get.StatusCode || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") || head.Header.Get("ETag") != get.Header.Get("ETag") {
			t.Errorf("%s: GET %d, HEAD %d, %q, %v", path, get.StatusCode, head.StatusCode, body, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := s.do("PATCH", "/healthz", "", ""); got.status != 405 || strings.Join(got.header.Values("Allow"), ", ") != "GET, HEAD" {
		t.Errorf("%d, Allow %q", got.status, got.header.Values("Allow"))
	}
	if got := s.do("HEAD", "/api/send", recordedToken, ""); got.status != 405 || strings.Join(got.header.Values("Allow"), ", ") != "POST" {
		t.Errorf("%d, Allow %q", got.status, got.header.Values("Allow"))
	}
}
