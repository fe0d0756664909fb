package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Connections watches a server's connections: it knows when a request's first
// byte came, from which its time is counted, and when none is open any more. The
// server takes its connections from Listener; State and Context are its ConnState
// and ConnContext.
type Connections struct {
	mu   sync.Mutex
	open map[net.Conn]time.Time // until when to wait for a request; zero while one is on it
}

// Listener returns a listener whose connections are watched.
func (c *Connections) Listener(inner net.Listener) net.Listener { return watchedListener{inner} }

type watchedListener struct{ net.Listener }

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn}, nil
}

// A watchedConn notes when the first byte after an idle time comes. The server
// itself tells of a request only when its header is complete.
type watchedConn struct {
	net.Conn
	began atomic.Int64 // nanoseconds since 1970; 0 while idle
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.began.CompareAndSwap(0, time.Now().UnixNano())
	}
	return n, err
}

// CloseWrite is what the server closes a connection with so that its last answer
// is not lost.
func (c *watchedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// Context gives the requests of a connection what watches it.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// State notes what happens to a connection.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]time.Time{}
	}
	switch state {
	case http.StateNew:
		c.open[conn] = time.Now().Add(unusedTime)
	case http.StateActive:
		c.open[conn] = time.Time{}
	case http.StateIdle:
		c.open[conn] = time.Now().Add(reuseTime)
		if watched, ok := conn.(*watchedConn); ok {
			watched.began.Store(0)
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

const (
	// reuseTime is how long an idle connection is kept for a caller that does not
	// know of the stop yet: Node's HTTP agent, which Logto uses, reuses none that was
	// idle for 5 s. A successor may be waiting.
	reuseTime = 6 * time.Second
	// unusedTime is the same for one that has had no request yet: Go's client keeps
	// such that it opened needlessly.
	unusedTime = 2 * time.Second
	openEvery  = 20 * time.Millisecond
)

// Wait returns when no connection is open any more, or when ctx ends. Connections
// that nobody is likely to use again are closed. The server must have stopped
// accepting.
func (c *Connections) Wait(ctx context.Context) error {
	tick := time.NewTicker(openEvery)
	defer tick.Stop()
	for c.closeIdle() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// closeIdle closes what was idle for long, and returns how many are still open.
func (c *Connections) closeIdle() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, until := range c.open {
		if watched, ok := conn.(*watchedConn); ok && watched.began.Load() != 0 {
			continue // a request has just begun
		}
		if !until.IsZero() && !time.Now().Before(until) {
			_ = conn.Close() // its State follows
		}
	}
	return len(c.open)
}

// arrival is when the request's first byte came, or now where nobody watches.
func arrival(r *http.Request) time.Time {
	if watched, ok := r.Context().Value(connKey{}).(*watchedConn); ok {
		if began := watched.began.Load(); began != 0 {
			return time.Unix(0, began)
		}
	}
	return time.Now()
}
