package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialServer serves, and returns a function that opens a connection to it.
func dialServer(t *testing.T, handler http.Handler, log io.Writer) func() net.Conn {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newHTTPServer(handler, slog.New(slog.NewTextHandler(log, nil)))
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-served })
	return func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
}

func TestHeadersAreBounded(t *testing.T) {
	connect := dialServer(t, http.NotFoundHandler(), io.Discard)
	for _, tt := range []struct{ kibibytes, want int }{{1, 404}, {15, 404}, {17, 431}, {60, 431}} {
		conn := connect()
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nFiller: %s\r\n\r\n", strings.Repeat("x", tt.kibibytes<<10))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != tt.want {
			t.Errorf("%d KiB: %v, %v", tt.kibibytes, resp, err)
		}
	}
}

// Callers cannot fill the log with what the HTTP server says of their requests.
func TestServerLogIsSampled(t *testing.T) {
	var log bytes.Buffer
	conn := dialServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		w.WriteHeader(http.StatusNoContent)
	}), &log)()
	answers := bufio.NewReader(conn)
	for range 100 {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 10 || !strings.Contains(log.String(), `level=WARN msg="HTTP server" detail="http: superfluous`) {
		t.Errorf("%d lines: %s", lines, log.String())
	}
}

func TestDefaultMaxConnections(t *testing.T) {
	const mebibyte = 1 << 20
	for _, tt := range []struct {
		memory, files int64
		want          int
	}{
		{math.MaxInt64, math.MaxInt64, 10_000},
		{256 * mebibyte, math.MaxInt64, 4096},
		{math.MaxInt64, 1024, 960},
		{math.MaxInt64, 64, 32},
		{math.MaxInt64, 0, 1},
		{256 * mebibyte, 300, 236},
	} {
		if got := defaultMaxConnections(tt.memory, tt.files); got != tt.want {
			t.Errorf("with %d bytes and %d files: %d, want %d", tt.memory, tt.files, got, tt.want)
		}
	}
	if n := fileLimit(); n < 3 {
		t.Errorf("the process may have %d files", n)
	}
}
