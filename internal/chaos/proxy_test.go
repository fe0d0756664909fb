//go:build unix

package chaos_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// A proxy forwards TCP connections to the upstream, and disturbs them on request.
type proxy struct {
	listener net.Listener
	ctx      context.Context //nolint:containedctx // it lasts as long as the proxy
	end      context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	target   string
	up, down toxic // for requests and for answers
}

// A toxic disturbs the bytes of one direction. The zero value forwards them.
type toxic struct {
	latency   time.Duration // before every piece
	piece     int           // most bytes at a time; 0: no limit
	after     int           // the bytes of a connection to forward before then
	then      string        // "reset", "close" or "stall" (forward nothing more)
	connected string        // the same before the first byte
}

// newProxy starts a proxy to the target.
func newProxy(t *testing.T, listener net.Listener, target string) *proxy {
	t.Helper()
	p := &proxy{target: target, listener: listener}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.running.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

// set replaces the toxics, also those of open connections.
func (p *proxy) set(up, down toxic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
}

func (p *proxy) toxics() (up, down toxic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up, p.down
}

// redirect leads new connections to another target. Open ones stay.
func (p *proxy) redirect(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *proxy) close() {
	p.end()
	p.listener.Close()
	p.running.Wait()
}

func (p *proxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.running.Go(func() { p.pass(conn) })
		}
	}
}

// pass forwards one connection until it ends.
func (p *proxy) pass(near net.Conn) {
	defer near.Close()
	if up, _ := p.toxics(); up.connected != "" {
		p.fail(up.connected, near)
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	far, err := new(net.Dialer).DialContext(p.ctx, "tcp", target)
	if err != nil {
		reset(near)
		return
	}
	defer far.Close()
	stop := context.AfterFunc(p.ctx, func() { near.Close(); far.Close() })
	defer stop()
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		p.copy(near, far, func() toxic { _, down := p.toxics(); return down })
	}()
	p.copy(far, near, func() toxic { up, _ := p.toxics(); return up })
	<-answers
}

// copy forwards bytes until one side ends, then closes both.
func (p *proxy) copy(to, from net.Conn, now func() toxic) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	passed := 0
	for {
		how := now()
		size := len(buffer)
		if how.piece > 0 {
			size = how.piece
		}
		n, err := from.Read(buffer[:size])
		if err != nil {
			return
		}
		how = now()
		if how.then != "" && passed+n >= how.after {
			_, _ = to.Write(buffer[:max(0, how.after-passed)])
			p.fail(how.then, to, from)
			return
		}
		if how.latency > 0 && !p.wait(how.latency) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
		passed += n
	}
}

// fail resets, closes or stalls connections. A stall lasts until the peer closes the
// last of them.
func (p *proxy) fail(how string, conns ...net.Conn) {
	switch how {
	case "reset":
		for _, conn := range conns {
			reset(conn)
		}
	case "stall":
		last := conns[len(conns)-1]
		stop := context.AfterFunc(p.ctx, func() { last.Close() })
		defer stop()
		var ignored [4096]byte
		for {
			if _, err := last.Read(ignored[:]); err != nil {
				return
			}
		}
	}
}

func (p *proxy) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// reset closes the connection with a TCP reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}
