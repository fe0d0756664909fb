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
// byte came, from which its time is counted, and when none is open any more.
// State and Context are an http.Server's ConnState and ConnContext.
type Connections struct {
	open   sync.WaitGroup
	clocks sync.Map // net.Conn to *clock
}

// A clock holds when the connection's current request began to arrive.
type clock struct{ began atomic.Int64 } // nanoseconds since 1970; 0 before the first byte

type clockKey struct{}

// Context gives the requests of a connection its clock.
func (c *Connections) Context(ctx context.Context, conn net.Conn) context.Context {
	if found, ok := c.clocks.Load(conn); ok {
		return context.WithValue(ctx, clockKey{}, found)
	}
	return ctx
}

// State notes what happens to a connection.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
		c.clocks.Store(conn, new(clock))
	case http.StateActive: // the first byte of a request has come
		if found, ok := c.clocks.Load(conn); ok {
			found.(*clock).began.Store(time.Now().UnixNano())
		}
	case http.StateClosed, http.StateHijacked:
		c.clocks.Delete(conn)
		c.open.Done()
	}
}

// Wait returns when no connection is open any more, or when ctx ends. The server
// must have stopped accepting.
func (c *Connections) Wait(ctx context.Context) error {
	closed := make(chan struct{})
	go func() { c.open.Wait(); close(closed) }()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// arrival is when the request's first byte came, or now where nobody watches.
func arrival(r *http.Request) time.Time {
	if found, ok := r.Context().Value(clockKey{}).(*clock); ok {
		if began := found.began.Load(); began != 0 {
			return time.Unix(0, began)
		}
	}
	return time.Now()
}
