package aliyundm

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Scrub lets the fuzzer reach scrub without a server.
var Scrub = scrub

// SetClock puts a test's clock in the place of the machine's.
func (c *Client) SetClock(now func() time.Time) { c.role.now = now }

// KeyExpires is when the role's key ends.
func (c *Client) KeyExpires() time.Time {
	c.role.mu.Lock()
	defer c.role.mu.Unlock()
	return c.role.expires
}

// KeyRenewsAt is from when on the role's key is replaced.
func (c *Client) KeyRenewsAt() time.Time {
	c.role.mu.Lock()
	defer c.role.mu.Unlock()
	return c.role.renewAt
}

// RefuseKey tells the role of a key that Direct Mail refused.
func (c *Client) RefuseKey(key Credentials, code string) { c.role.refused(key, code) }

// UseNames makes a client of [NewHTTPClient] look names up through r.
func UseNames(client *http.Client, r *net.Resolver) {
	client.Transport.(*http.Transport).DialContext = dialer{connectTimeout, newNames(r)}.dial
}

// Lookup returns a lookup of names with that way to ask.
func Lookup(ask func(ctx context.Context, network, host string) ([]netip.Addr, error)) func(context.Context, string) ([]netip.Addr, error) {
	n := newNames(net.DefaultResolver)
	n.lookupIP = ask
	return n.lookup
}

// UseAddresses makes a client of [NewHTTPClient] take each name for these addresses.
func UseAddresses(client *http.Client, addresses ...string) {
	n := newNames(net.DefaultResolver)
	n.lookupIP = func(_ context.Context, network, _ string) ([]netip.Addr, error) {
		if network == "ip6" {
			return nil, &net.DNSError{IsNotFound: true}
		}
		var found []netip.Addr
		for _, address := range addresses {
			found = append(found, netip.MustParseAddr(address))
		}
		return found, nil
	}
	client.Transport.(*http.Transport).DialContext = dialer{connectTimeout, n}.dial
}
