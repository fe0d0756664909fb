package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeTime is how long an answer may make no progress.
	writeTime = 30 * time.Second
	// lingerTime and maxLinger are how long and how much of a request is still received
	// after the last answer.
	lingerTime = 2 * time.Second
	maxLinger  = 64 << 10
	sendBuffer = 64 << 10
	// maxHeaderLines bounds the memory of a header of many short lines, which takes
	// twenty times what is received.
	maxHeaderLines = 128
)

// A conn is a caller's connection. It knows when a request began, which the server
// reports only when its header is complete, and it closes so that its last answer
// arrives: Logto shows the code and its token to the browser when a connection breaks.
type conn struct {
	net.Conn    // that HTTP is spoken on: tcp, or TLS over it
	tcp         progressConn
	connections *Connections
	began       atomic.Pointer[time.Time] // the first byte after an idle time; nil while idle
	header      headerLines
	// handling is set while a handler works. The server reports no new state for a
	// request that came with the one before.
	handling atomic.Bool
	closing  sync.Once

	// Guarded by connections.mu.
	idle time.Time // since when no request is in progress; zero during one
	used bool      // there was a request
}

func newConn(tcp net.Conn, connections *Connections) *conn {
	// The kernel would take megabytes of answers that nobody reads.
	if sized, ok := tcp.(interface{ SetWriteBuffer(bytes int) error }); ok {
		_ = sized.SetWriteBuffer(sendBuffer)
	}
	c := &conn{connections: connections, tcp: progressConn{tcp, cmp.Or(connections.times.write, writeTime)}}
	c.Conn = c.tcp
	if connections.TLS != nil {
		c.Conn = tls.Server(c.tcp, connections.TLS)
	}
	return c
}

func (c *conn) Read(p []byte) (int, error) {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		if err := secure.HandshakeContext(context.Background()); err != nil { // at once after the first time
			c.handshakeFailed(err)
			return 0, io.EOF
		}
	}
	if c.header.lines > maxHeaderLines {
		return 0, errHeaderLines
	}
	n, err := c.Conn.Read(p)
	if n > 0 && c.began.Load() == nil {
		now := time.Now()
		c.began.Store(&now)
	}
	if !c.handling.Load() && c.header.count(p[:n]) > maxHeaderLines {
		_, _ = io.WriteString(c.Conn, "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nThe header has too many lines.\n")
		return 0, errHeaderLines
	}
	return n, err
}

// errHeaderLines has a type that the server does not answer.
var errHeaderLines = &net.OpError{Op: "read", Err: errors.New("too many header lines")}

// headerLines counts the lines of a request's header.
type headerLines struct {
	lines          int
	midLine, ended bool
}

func (h *headerLines) count(received []byte) int {
	for _, b := range received {
		switch {
		case h.ended:
			return 0
		case b == '\n' && !h.midLine:
			h.ended = h.lines > 0 // else it is an empty line before the request
		case b == '\n':
			h.lines, h.midLine = h.lines+1, false
		case b != '\r':
			h.midLine = true
		}
	}
	return h.lines
}

// handshakeFailed tells of an error without what the caller sent, and without addresses.
func (c *conn) handshakeFailed(err error) {
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok && header.Conn != nil {
		_, _ = io.WriteString(c.tcp, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nUse https: in the URL of this port.\n")
	}
	if errors.Is(err, io.EOF) || c.connections.HandshakeFailed == nil {
		return // a load balancer's check
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		err = operation.Err
	}
	cause := strings.TrimPrefix(err.Error(), "tls: ")
	if end := strings.IndexAny(cause, `([":`); end >= 0 {
		cause = cause[:end]
	}
	c.connections.HandshakeFailed(strings.TrimSpace(cause))
}

// Close closes the connection in the background. A plain close while data arrives would
// reset it, and destroy an answer that its caller has not read.
func (c *conn) Close() error {
	c.closing.Do(func() { go c.linger() })
	return nil
}

// CloseWrite ends the answers. The server calls it after some, before Close.
func (c *conn) CloseWrite() error {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		_ = secure.CloseWrite() // fails if the handshake did
	}
	half, ok := c.tcp.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

func (c *conn) linger() {
	defer c.connections.remove(c)
	defer func() { _ = c.tcp.Close() }()
	if c.CloseWrite() != nil {
		return
	}
	end := time.Now().Add(cmp.Or(c.connections.times.linger, lingerTime))
	if c.tcp.SetReadDeadline(end) != nil {
		return
	}
	buffer := make([]byte, 2<<10)
	for received := 0; received < maxLinger; {
		n, err := c.tcp.Read(buffer)
		if err != nil {
			return // usually the caller has closed, too
		}
		received += n
	}
	<-time.After(time.Until(end)) // the caller is still sending
}

// idleFor is how long the connection has waited for a request, or for the rest of a
// header that is too slow. It is 0 during a request.
func (c *conn) idleFor(now time.Time) time.Duration {
	if c.idle.IsZero() || c.handling.Load() {
		return 0
	}
	if began := c.began.Load(); began != nil {
		return now.Sub(*began)
	}
	return now.Sub(c.idle)
}

// A progressConn ends when a write makes no progress for a time.
type progressConn struct {
	net.Conn
	time time.Duration
}

func (c progressConn) Write(p []byte) (int, error) {
	const checks = 30 // in that time
	written, progress := 0, time.Now()
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.time / checks)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if n > 0 {
			progress = time.Now()
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		if time.Since(progress) >= c.time {
			if tcp, ok := c.Conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // the kernel keeps nothing to send either
			}
			_ = c.Close()
			return written, err
		}
	}
}
