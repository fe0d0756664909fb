package aliyundm

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A dialer connects for the calls to Aliyun.
type dialer struct {
	timeout time.Duration
	names   *names // nil if it dials addresses only
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	targets := []string{address}
	if _, err := netip.ParseAddr(host); err != nil && d.names != nil {
		found, err := d.names.lookup(ctx, host)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		targets = nil
		for _, ip := range found {
			targets = append(targets, net.JoinHostPort(ip.Unmap().String(), port))
		}
	}
	connected, err := dialFirst(ctx, network, targets)
	if err != nil {
		return nil, err
	}
	c := &conn{TCPConn: connected.(*net.TCPConn), settingUp: ctx.Value(setUpKey{}) != nil}
	// A call that is given up must not arrive later: without linger, closing resets
	// the connection and drops what is unsent; the kernel would otherwise go on sending
	// it for minutes. An idle connection loses nothing by it, as its answers were read.
	if err := c.SetLinger(0); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// attemptDelay is how long one address is tried before the next one is tried beside
// it, as RFC 8305 has it.
const attemptDelay = 250 * time.Millisecond

// dialFirst tries the addresses in turn and returns the first connection.
func dialFirst(ctx context.Context, network string, targets []string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan attempt)
	next := time.NewTimer(0)
	defer next.Stop()
	var firstErr error
	for started, failed := 0, 0; failed < len(targets); {
		select {
		case <-next.C:
			go try(ctx, network, targets[started], ended)
			if started++; started < len(targets) {
				next.Reset(attemptDelay)
			}
		case a := <-ended:
			if a.err == nil {
				return a.conn, nil
			}
			firstErr = cmp.Or(firstErr, a.err)
			if failed++; started < len(targets) {
				next.Reset(0)
			}
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: network, Err: ctx.Err()}
		}
	}
	return nil, firstErr
}

type attempt struct {
	conn net.Conn
	err  error
}

func try(ctx context.Context, network, target string, ended chan<- attempt) {
	connected, err := new(net.Dialer).DialContext(ctx, network, target)
	select {
	case ended <- attempt{connected, err}:
	case <-ctx.Done(): // another one was first
		if err == nil {
			_ = connected.Close()
		}
	}
}

// A conn is a TCP connection that closes at once, also below TLS.
type conn struct {
	*net.TCPConn

	mu        sync.Mutex
	settingUp bool // no request has it yet
}

// Read waits 2 s at most until a request has the connection: net/http would wait a
// minute for a proxy to answer CONNECT, and without end for one that speaks SOCKS.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if c.settingUp {
		_ = c.SetReadDeadline(time.Now().Add(connectTimeout)) // fails only if closed
	}
	c.mu.Unlock()
	return c.TCPConn.Read(p)
}

// SetWriteDeadline ends all writing. Only TLS calls it, for the alert before it closes:
// that would wait 5 s for a peer that does not read, while the kernel goes on sending.
func (c *conn) SetWriteDeadline(time.Time) error {
	return c.TCPConn.SetWriteDeadline(time.Unix(1, 0))
}

type setUpKey struct{}

// setUpInTime returns a context for a request whose connection is set up in bounded
// steps. net/http sets it up on a context that outlives the request's.
func setUpInTime(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(context.WithValue(ctx, setUpKey{}, true), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		inner := got.Conn
		for layer, ok := inner.(*tls.Conn); ok; layer, ok = inner.(*tls.Conn) {
			inner = layer.NetConn()
		}
		if c, ok := inner.(*conn); ok {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.settingUp {
				c.settingUp = false
				_ = c.SetReadDeadline(time.Time{})
			}
		}
	}})
}

const (
	// lookupTimeout leaves time to connect.
	lookupTimeout = 700 * time.Millisecond
	// secondAnswer is how long IPv4 addresses wait for those of IPv6.
	secondAnswer = 50 * time.Millisecond
	// namesLast is how long addresses serve while the name service does not.
	namesLast = time.Hour
	maxNames  = 64
)

// names look up names, and remember the last good addresses for the time in which the
// name service gives no answer.
type names struct {
	lookupIP func(ctx context.Context, network, host string) ([]netip.Addr, error)

	mu    sync.Mutex
	known map[string]map[string]knownName // by name, then "ip4" and "ip6"
}

type knownName struct {
	addresses []netip.Addr
	at        time.Time
}

func newNames(r *net.Resolver) *names {
	return &names{lookupIP: r.LookupNetIP, known: make(map[string]map[string]knownName)}
}

// lookup returns a name's addresses, IPv4 first. It asks for both kinds at once. IPv4 is
// enough: some name servers never answer for IPv6.
func (n *names) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	type answer struct {
		addresses []netip.Addr
		err       error
	}
	ask := func(network string) <-chan answer {
		answered := make(chan answer, 1)
		go func() {
			// It goes on when nobody waits any more, so that later lookups share it.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
			defer cancel()
			addresses, err := n.ask(ctx, network, host)
			answered <- answer{addresses, err}
		}()
		return answered
	}
	asked6 := ask("ip6")
	v4 := <-ask("ip4")
	wait := lookupTimeout
	if v4.err == nil {
		wait = secondAnswer
	}
	var v6 answer
	select {
	case v6 = <-asked6:
	case <-time.After(wait):
	}
	found := slices.Concat(v4.addresses, v6.addresses)
	switch {
	case len(found) > 0:
		return found, nil
	case isAbsent(v4.err) && v6.err != nil:
		return nil, v6.err // the name may exist
	}
	return nil, v4.err
}

// ask looks up one kind of addresses.
func (n *names) ask(ctx context.Context, network, host string) ([]netip.Addr, error) {
	found, err := n.lookupIP(ctx, network, host)
	n.mu.Lock()
	defer n.mu.Unlock()
	last, ok := n.known[host][network]
	switch {
	case err == nil:
		if n.known[host] == nil {
			if len(n.known) >= maxNames {
				clear(n.known)
			}
			n.known[host] = make(map[string]knownName)
		}
		n.known[host][network] = knownName{found, time.Now()}
	case ok && isAbsent(err):
		delete(n.known, host) // both kinds: the answer does not tell whether the name is gone
	case ok && time.Since(last.at) < namesLast:
		return last.addresses, nil
	}
	return found, err
}

// isAbsent reports whether the name service works and has no such address.
func isAbsent(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	_, other := errors.AsType[*net.AddrError](err) // only of the other kind, in the hosts file
	return ok && dns.IsNotFound || other
}
