package aliyundm

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// A Stage is how far a connection to the endpoint came.
type Stage string

// The stages, in their order.
const (
	StageName    Stage = "name"    // looking the name up
	StageConnect Stage = "connect" // connecting, to the endpoint or its proxy
	StageTLS     Stage = "tls"
	StageAnswer  Stage = "answer"
	StageDone    Stage = "done"
)

// A Reach is what a plain request shows of the endpoint: it is not signed, so that
// only the way there matters.
type Reach struct {
	Host    string // the endpoint's, with its port if it names one
	Plain   bool   // http, as a sandbox on this machine speaks
	Proxied bool   // through the proxy that the environment names
	Stage   Stage  // where it ended
	Address string // that the connection led to; the proxy's if there is one
	TLS     string // the version, such as "TLS 1.3"
	Expires time.Time
	Took    time.Duration

	// Date is the endpoint's time by its answer, to the second; zero if it told
	// none. At is this machine's, halfway between request and answer.
	Date, At time.Time
}

// reachTimeout bounds a [Client.Reach] whose context has no earlier deadline.
const reachTimeout = 10 * time.Second

// Reach asks the endpoint for nothing in particular. Any answer will do. The
// error is an [*Error]; the Reach is never nil and as complete as it got.
func (c *Client) Reach(ctx context.Context) (*Reach, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	way := &way{stage: StageName}
	reach := &Reach{Host: c.url.Host, Plain: c.url.Scheme == "http", Stage: StageName}
	r, err := http.NewRequestWithContext(way.watch(ctx), http.MethodGet, c.url.String(), nil)
	if err != nil {
		return reach, unanswered(ctx, Retry, err)
	}
	r.Header.Set("User-Agent", "dmconnector")
	if transport, ok := c.http.Transport.(*http.Transport); ok && transport.Proxy != nil {
		proxy, err := transport.Proxy(r)
		reach.Proxied = err == nil && proxy != nil
	}
	begun := time.Now()
	resp, err := c.http.Do(r)
	if err != nil {
		reach.Stage, reach.Address = way.end()
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			reach.Stage = StageName
		}
		return reach, unanswered(ctx, Retry, err)
	}
	defer resp.Body.Close()
	reach.Took = time.Since(begun)
	reach.At = begun.Add(reach.Took / 2)
	// The body does not matter, only that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	_, reach.Address = way.end()
	reach.answered(resp)
	return reach, nil
}

// way is how far a request came. The transport dials on goroutines of its own,
// which may outlast the request.
type way struct {
	mu      sync.Mutex
	stage   Stage
	address string
}

func (w *way) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart:      func(string, string) { w.at(StageConnect, "") },
		TLSHandshakeStart: func() { w.at(StageTLS, "") },
		GotConn:           func(got httptrace.GotConnInfo) { w.at(StageAnswer, got.Conn.RemoteAddr().String()) },
	})
}

func (w *way) at(stage Stage, address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stage, w.address = stage, address
}

func (w *way) end() (Stage, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stage, w.address
}

func (r *Reach) answered(resp *http.Response) {
	r.Stage = StageDone
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.Date = date
	}
	if resp.TLS == nil {
		return
	}
	r.TLS = tls.VersionName(resp.TLS.Version)
	if len(resp.TLS.PeerCertificates) > 0 {
		r.Expires = resp.TLS.PeerCertificates[0].NotAfter
	}
}

// noAddress is where a probe's mail would go: it has no @, so that no mail can be
// made of it.
const noAddress = "nobody"

// A Probe is what a call showed that could not lead to a mail.
type Probe struct {
	// Passed says that only the recipient was refused, so that the key may send
	// and the sender is accepted.
	Passed bool
	// Sent says that the call was accepted, which none of Direct Mail's documents
	// would have it be.
	Sent bool
}

// Probe calls SingleSendMail as a mail of this sender would, with a recipient that
// is no address: it tells what of the rest is refused, and nothing is sent. Direct
// Mail does not document in which order it looks at a call, so that a probe that
// passed does not prove the sender. The error is an [*Error].
func (c *Client) Probe(ctx context.Context, m Mail) (Probe, error) {
	m.To, m.Subject, m.TextBody, m.HTMLBody = noAddress, "Test", "Test", ""
	_, err := c.SingleSendMail(ctx, &m)
	failure, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return Probe{Sent: true}, nil
	case ok && failure.Class == Recipient:
		return Probe{Passed: true}, nil
	}
	return Probe{}, err
}
