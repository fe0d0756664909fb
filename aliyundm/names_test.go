package aliyundm_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"dmconnector/aliyundm"
)

// Name servers as lookups see them.
var (
	errServerFailed = &net.DNSError{Err: "server misbehaving", IsTemporary: true}
	errNoName       = &net.DNSError{Err: "no such host", IsNotFound: true}
)

// TestLastGoodAddresses: a name's addresses serve for an hour while the name service does
// not, and never when it says that the name is gone.
func TestLastGoodAddresses(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	hang := func(ctx context.Context) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}
	}
	good := func(address netip.Addr) func(context.Context) ([]netip.Addr, error) {
		return func(context.Context) ([]netip.Addr, error) { return []netip.Addr{address}, nil }
	}
	fail := func(err error) func(context.Context) ([]netip.Addr, error) {
		return func(context.Context) ([]netip.Addr, error) { return nil, err }
	}
	late := func(answer func(context.Context) ([]netip.Addr, error)) func(context.Context) ([]netip.Addr, error) {
		return func(ctx context.Context) ([]netip.Addr, error) {
			<-time.After(300 * time.Millisecond)
			return answer(ctx)
		}
	}
	tests := map[string]struct {
		known    bool
		after    time.Duration
		ip4, ip6 func(context.Context) ([]netip.Addr, error)
		want     []netip.Addr
		within   time.Duration
	}{
		"both kinds":                      {false, 0, good(v4), good(v6), []netip.Addr{v4, v6}, 0},
		"no IPv6":                         {false, 0, good(v4), fail(errNoName), []netip.Addr{v4}, 0},
		"IPv6 alone":                      {false, 0, fail(errNoName), good(v6), []netip.Addr{v6}, 0},
		"IPv6 is not answered":            {false, 0, good(v4), hang, []netip.Addr{v4}, 50 * time.Millisecond},
		"hangs, unknown":                  {false, 0, hang, hang, nil, 750 * time.Millisecond},
		"hangs, known":                    {true, 0, hang, hang, []netip.Addr{v4}, 750 * time.Millisecond},
		"hangs, known for less than 1 h":  {true, time.Hour - time.Second, hang, hang, []netip.Addr{v4}, 750 * time.Millisecond},
		"hangs, known for more than 1 h":  {true, time.Hour, hang, hang, nil, 750 * time.Millisecond},
		"fails, known":                    {true, 0, fail(errServerFailed), fail(errServerFailed), []netip.Addr{v4}, 0},
		"fails, known, without IPv6":      {true, 0, fail(errServerFailed), fail(errNoName), []netip.Addr{v4}, 0},
		"fails for IPv4 alone":            {true, 0, fail(errServerFailed), good(v6), []netip.Addr{v4, v6}, 0},
		"IPv6 alone, answered late":       {false, 0, fail(errNoName), late(good(v6)), []netip.Addr{v6}, 300 * time.Millisecond},
		"the name is gone":                {true, 0, fail(errNoName), fail(errNoName), nil, 0},
		"the name is gone, IPv6 not said": {true, 0, fail(errNoName), hang, nil, 700 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ip4, ip6 := good(v4), fail(errNoName)
				lookup := aliyundm.Lookup(func(ctx context.Context, network, _ string) ([]netip.Addr, error) {
					if network == "ip4" {
						return ip4(ctx)
					}
					return ip6(ctx)
				})
				if tt.known {
					if _, err := lookup(t.Context(), "dm.aliyuncs.com"); err != nil {
						t.Fatal(err)
					}
					<-time.After(tt.after)
				}
				ip4, ip6 = tt.ip4, tt.ip6
				begun := time.Now()
				got, err := lookup(t.Context(), "dm.aliyuncs.com")
				if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
					t.Errorf("%v, %v, want %v", got, err, tt.want)
				}
				if took := time.Since(begun); took > tt.within {
					t.Errorf("took %v", took)
				}
				if errors.Is(err, errNoName) {
					ip4 = fail(errServerFailed)
					if got, err := lookup(t.Context(), "dm.aliyuncs.com"); err == nil {
						t.Errorf("after the name was gone: %v", got)
					}
				}
				<-time.After(time.Second) // for what is still asked
			})
		})
	}
}

// TestNameServerFails sends through a real name server, whose faults come after a mail.
func TestNameServerFails(t *testing.T) {
	var answered atomic.Int64
	upstream := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answered.Add(1)
		_, _ = w.Write([]byte(`{"EnvId":"600","RequestId":"B7B2C5B6-2B3E-4A4B-9B1C-3F0E6B1B6E0A"}`))
	}))
	t.Cleanup(upstream.Close)
	var mode atomic.Value
	mode.Store("good")
	server := startNameServer(t, &mode)
	for _, fault := range []string{"hang", "fail", "drop IPv6"} {
		t.Run(fault, func(t *testing.T) {
			mode.Store("good")
			shared := aliyundm.NewHTTPClient()
			transport := shared.Transport.(*http.Transport)
			transport.TLSClientConfig = upstream.Client().Transport.(*http.Transport).TLSClientConfig
			transport.DisableKeepAlives = true // each mail asks for the address
			transport.Proxy = nil
			asking, stop := context.WithCancel(context.WithoutCancel(t.Context()))
			t.Cleanup(stop) // a resolver waits for 5 s by itself
			aliyundm.UseNames(shared, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, "udp", server)
				if err == nil {
					context.AfterFunc(asking, func() { c.Close() })
				}
				return c, err
			}})
			client := mustClient(t, aliyundm.Options{Endpoint: "https://example.com:" + mustParse(t, upstream.URL).Port(), HTTP: shared})
			before := answered.Load()
			if fault != "drop IPv6" { // that one may also be the first
				if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
					t.Fatal(err)
				}
			}
			mode.Store(fault)
			if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
				t.Error(err)
			}
			if answered.Load() == before {
				t.Error("no mail came")
			}
		})
	}
}

// startNameServer answers that each name is this machine, unless the mode is a fault.
func startNameServer(t *testing.T, mode *atomic.Value) string {
	t.Helper()
	socket, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			var query dnsmessage.Message
			if query.Unpack(buffer[:n]) != nil {
				continue
			}
			question := query.Questions[0]
			answer := dnsmessage.Message{Header: dnsmessage.Header{ID: query.ID, Response: true, RecursionAvailable: true}, Questions: query.Questions}
			switch fault := mode.Load(); {
			case fault == "hang", fault == "drop IPv6" && question.Type == dnsmessage.TypeAAAA:
				continue
			case fault == "fail":
				answer.RCode = dnsmessage.RCodeServerFailure
			case question.Type == dnsmessage.TypeA:
				answer.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: question.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
				}}
			}
			packed, err := answer.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = socket.WriteTo(packed, from)
		}
	}()
	return socket.LocalAddr().String()
}

// TestFirstAddressHangs: the next address is tried beside it.
func TestFirstAddressHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	shared := aliyundm.NewHTTPClient()
	// The first ones are of a network for documents: nobody answers there.
	aliyundm.UseAddresses(shared, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "127.0.0.1")
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	conn, err := shared.Transport.(*http.Transport).DialContext(t.Context(), "tcp", net.JoinHostPort("mail.example.com", port))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
