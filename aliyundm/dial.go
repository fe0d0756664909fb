package aliyundm

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// A dialer connects for the calls to Aliyun.
type dialer struct {
	timeout time.Duration
	names   *names // nil if it dials addresses only
}

// dial tries a name's addresses one after the other, IPv4 first.
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
		for _, ip := range found[:min(len(found), maxAddresses)] {
			targets = append(targets, net.JoinHostPort(ip.Unmap().String(), port))
		}
	}
	var first error
	for i, target := range targets {
		until, _ := ctx.Deadline()
		share := time.Until(until) / time.Duration(len(targets)-i)
		connected, err := (&net.Dialer{Timeout: share}).DialContext(ctx, network, target)
		if err == nil {
			return newConn(ctx, connected)
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// maxAddresses bounds how many addresses share the time to connect.
const maxAddresses = 4

func newConn(ctx context.Context, connected net.Conn) (net.Conn, error) {
	c := conn{connected.(*net.TCPConn)}
	// A call that is given up must not arrive later: without linger, closing resets
	// the connection and drops what is unsent; the kernel would otherwise go on sending
	// it for minutes. An idle connection loses nothing by it, as its answers were read.
	if err := c.SetLinger(0); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if tunnel, ok := ctx.Value(tunnelKey{}).(*tunnel); ok {
		tunnel.conn = c
	}
	return c, nil
}

// A conn is a TCP connection that closes at once, also below TLS.
type conn struct{ *net.TCPConn }

// SetWriteDeadline ends all writing. Only TLS calls it, for the alert before it closes:
// that would wait 5 s for a peer that does not read, while the kernel goes on sending.
func (c conn) SetWriteDeadline(time.Time) error {
	return c.TCPConn.SetWriteDeadline(time.Unix(1, 0))
}

// A tunnel is the connection to a proxy that a request has made, if it made one.
type tunnel struct{ conn net.Conn }

type tunnelKey struct{}

func withTunnel(ctx context.Context) context.Context {
	return context.WithValue(ctx, tunnelKey{}, new(tunnel))
}

// boundTunnels makes a transport give up a proxy that does not answer CONNECT as soon as
// an endpoint that does not answer TLS: it would wait for a minute. Requests need the
// context of [withTunnel].
func boundTunnels(t *http.Transport) {
	t.GetProxyConnectHeader = func(ctx context.Context, _ *url.URL, _ string) (http.Header, error) {
		tunnel, ok := ctx.Value(tunnelKey{}).(*tunnel)
		if !ok || tunnel.conn == nil {
			return nil, nil //nolint:nilnil // nil is no header
		}
		return nil, tunnel.conn.SetReadDeadline(time.Now().Add(connectTimeout))
	}
	t.OnProxyConnectResponse = func(ctx context.Context, _ *url.URL, _ *http.Request, _ *http.Response) error {
		tunnel, ok := ctx.Value(tunnelKey{}).(*tunnel)
		if !ok || tunnel.conn == nil {
			return nil
		}
		return tunnel.conn.SetReadDeadline(time.Time{})
	}
}

const (
	// lookupTimeout leaves time to connect.
	lookupTimeout = 700 * time.Millisecond
	// secondAnswer is how long IPv4 addresses wait for those of IPv6.
	secondAnswer = 50 * time.Millisecond
	// namesLast is how long addresses serve while the name service does not.
	namesLast = time.Hour
	maxNames  = 1000
)

// names look up names, and remember the last good addresses for the time in which the
// name service gives no answer.
type names struct {
	lookupIP func(ctx context.Context, network, host string) ([]netip.Addr, error)

	mu    sync.Mutex
	known map[string]knownName
}

type knownName struct {
	addresses []netip.Addr
	at        time.Time
}

func newNames(r *net.Resolver) *names {
	return &names{lookupIP: r.LookupNetIP, known: make(map[string]knownName)}
}

func (n *names) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	found, err := n.ask(ctx, host)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		if len(n.known) >= maxNames {
			clear(n.known)
		}
		n.known[host] = knownName{found, time.Now()}
		return found, nil
	}
	if absent, ok := errors.AsType[*net.DNSError](err); ok && absent.IsNotFound {
		delete(n.known, host)
		return nil, err
	}
	if last, ok := n.known[host]; ok && time.Since(last.at) < namesLast {
		return last.addresses, nil
	}
	return nil, err
}

// ask looks up both kinds of addresses at once. IPv4 is enough: some name servers never
// answer for IPv6.
func (n *names) ask(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	v6 := make(chan []netip.Addr, 1)
	go func() {
		addresses, _ := n.lookupIP(ctx, "ip6", host) // most names have none
		v6 <- addresses
	}()
	found, err := n.lookupIP(ctx, "ip4", host)
	select {
	case addresses := <-v6:
		found = append(found, addresses...)
	case <-time.After(secondAnswer):
	}
	if len(found) == 0 {
		return nil, cmp.Or(err, errNoAddress)
	}
	return found, nil
}

var errNoAddress = errors.New("the name has no address")
