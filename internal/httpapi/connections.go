package httpapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Connections follows a server's connections: when a request's first byte arrived, from
// which its deadlines count, and when all connections are closed. The server accepts
// from Listener; State and Context are its ConnState and ConnContext.
type Connections struct {
	mu   sync.Mutex
	open map[net.Conn]time.Time // until when to wait for a request; zero during a request
}

// Listener returns a listener whose connections are followed.
func (c *Connections) Listener(inner net.Listener) net.Listener { return watchedListener{inner} }

type watchedListener struct{ net.Listener }

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn}, nil
}

// A watchedConn notes when the first byte after an idle time arrives. The server itself
// reports a request only when its header is complete.
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

// CloseWrite lets the server close a connection without losing its last answer.
func (c *watchedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connKey struct{}

// Context makes the connection known to its requests.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// State notes a connection's new state.
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
	// reuseTime is how long an idle connection stays open for a caller that does not
	// know of the stop yet. Node's HTTP agent, which Logto uses, reuses connections for
	// 5 s.
	reuseTime = 6 * time.Second
	// unusedTime is the same for a connection without any request: Go's client keeps
	// some that it did not need.
	unusedTime = 2 * time.Second
	openEvery  = 20 * time.Millisecond
)

// Wait closes connections that are not likely to be used again, and returns when none
// is open, or when ctx ends. The server must have stopped accepting.
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

// closeIdle closes connections whose time is over, and returns how many are open.
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

// arrival is when the request's first byte arrived, or now if that is not known.
func arrival(r *http.Request) time.Time {
	if watched, ok := r.Context().Value(connKey{}).(*watchedConn); ok {
		if began := watched.began.Load(); began != 0 {
			return time.Unix(0, began)
		}
	}
	return time.Now()
}
