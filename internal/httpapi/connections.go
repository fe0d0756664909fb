package httpapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// Connections accepts a server's connections and follows them: it bounds how many are
// open, knows when a request's first byte arrived, and when all connections are closed.
// The server accepts from Listener; State and Context are its ConnState and ConnContext.
type Connections struct {
	// Max is how many connections may be open. 0 means any number.
	Max int
	// TLS is nil for plain HTTP.
	TLS *tls.Config
	// HandshakeFailed is told why TLS failed, in words without the caller's own. It may
	// be nil.
	HandshakeFailed func(cause string)

	times connectionTimes // zero: those of the constants; for tests

	mu   sync.Mutex
	open map[*conn]struct{}
}

type connectionTimes struct{ reuse, write, linger time.Duration }

const (
	// reuseTime is how long an idle connection stays open for a caller that does not
	// know yet that it will close. Node's HTTP agent, which Logto uses, reuses
	// connections for 5 s.
	reuseTime = 6 * time.Second
	// unusedTime is the same for a connection without any request when the program
	// stops: Go's client keeps some that it did not need.
	unusedTime = 2 * time.Second
	openEvery  = 20 * time.Millisecond
)

// Listener returns a listener of followed connections. When Max are open, a new one
// waits for another to close.
func (c *Connections) Listener(inner net.Listener) net.Listener {
	return &listener{Listener: inner, connections: c, closed: make(chan struct{})}
}

type listener struct {
	net.Listener
	connections *Connections
	closing     sync.Once
	closed      chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	tcp, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	accepted := newConn(tcp, l.connections)
	for !l.connections.add(accepted, false) {
		select {
		case <-time.After(openEvery):
		case <-l.closed:
			// A stop resets the connections that still wait in the backlog, but this
			// one would not even be refused.
			l.connections.add(accepted, true)
			return accepted, nil
		}
	}
	return accepted, nil
}

func (l *listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// add follows a connection, unless too many are open. It first closes the one that has
// been idle for longest, if its caller is not likely to be using it just now.
func (c *Connections) add(accepted *conn, always bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[*conn]struct{})
	}
	now := time.Now()
	if c.Max > 0 && len(c.open) >= c.Max && !always {
		var idlest *conn
		longest := cmp.Or(c.times.reuse, reuseTime)
		for known := range c.open {
			if idle := known.idleFor(now); idle > longest {
				idlest, longest = known, idle
			}
		}
		if idlest == nil {
			return false
		}
		if _, unread := silence(idlest.tcp.Conn); unread {
			idlest.idle = now // a request has just come
			return false
		}
		_ = idlest.tcp.Close()
		delete(c.open, idlest)
	}
	accepted.idle = now
	if silent, unread := silence(accepted.tcp.Conn); !unread {
		accepted.idle = now.Add(-silent)
	}
	c.open[accepted] = struct{}{}
	return true
}

// crowded reports whether more than three quarters of the allowed connections are open.
// Answers then close theirs, so that a quarter is always for callers that send.
func (c *Connections) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Max > 0 && 4*len(c.open) > 3*c.Max
}

func (c *Connections) remove(closed *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, closed)
}

type connKey struct{}

// Context makes the connection known to its requests.
func (c *Connections) Context(ctx context.Context, accepted net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, accepted)
}

// State notes a connection's new state.
func (c *Connections) State(changed net.Conn, state http.ConnState) {
	known, ok := changed.(*conn)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateActive:
		known.idle, known.used = time.Time{}, true
	case http.StateIdle:
		known.idle = time.Now()
		known.began.Store(nil)
		known.header = headerLines{}
		known.handling.Store(false)
	case http.StateNew, http.StateClosed, http.StateHijacked:
	}
}

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
	now := time.Now()
	for known := range c.open {
		longest := cmp.Or(c.times.reuse, reuseTime)
		if !known.used && known.began.Load() == nil {
			longest = unusedTime
		}
		if known.idleFor(now) >= longest {
			_ = known.tcp.Close() // the server removes it
		}
	}
	return len(c.open)
}

// beginHandling notes that a request's header is complete. It returns when the request's
// first byte arrived, or now if that is not known.
func beginHandling(r *http.Request) time.Time {
	if known, ok := r.Context().Value(connKey{}).(*conn); ok {
		known.handling.Store(true)
		if began := known.began.Load(); began != nil {
			return *began
		}
	}
	return time.Now()
}

// closes reports whether the answer to a request must close its connection.
func (s *Server) closes(r *http.Request) bool {
	known, ok := r.Context().Value(connKey{}).(*conn)
	return s.draining.Load() != nil || ok && known.connections.crowded()
}
