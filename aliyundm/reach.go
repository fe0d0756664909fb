package aliyundm

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
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
	reach := &Reach{Host: c.url.Host, Plain: c.url.Scheme == "http", Stage: StageName}
	// The transport dials on goroutines of its own, which may outlast the request.
	type position struct {
		stage   Stage
		address string
	}
	var at atomic.Pointer[position]
	at.Store(&position{stage: StageName})
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(setUpInTime(ctx), &httptrace.ClientTrace{
		ConnectStart:      func(string, string) { at.Store(&position{stage: StageConnect}) },
		TLSHandshakeStart: func() { at.Store(&position{stage: StageTLS}) },
		GotConn:           func(got httptrace.GotConnInfo) { at.Store(&position{StageAnswer, got.Conn.RemoteAddr().String()}) },
	}), http.MethodGet, c.url.String(), nil)
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
	reached := at.Load()
	reach.Stage, reach.Address = reached.stage, reached.address
	if err != nil {
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			reach.Stage = StageName
		}
		return reach, unanswered(ctx, Retry, err)
	}
	defer resp.Body.Close()
	reach.Stage, reach.Took = StageDone, time.Since(begun)
	reach.At = begun.Add(reach.Took / 2)
	// The body does not matter, only that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		reach.Date = date
	}
	if resp.TLS != nil {
		reach.TLS = tls.VersionName(resp.TLS.Version)
		if len(resp.TLS.PeerCertificates) > 0 {
			reach.Expires = resp.TLS.PeerCertificates[0].NotAfter
		}
	}
	return reach, nil
}

// A Probe is what a call showed that could not lead to a mail.
type Probe struct {
	// Passed says that only the recipient was refused, so that the key may send
	// and the sender is accepted.
	Passed bool
	// Sent says that the call was accepted, against Direct Mail's documents.
	Sent bool
}

// Probe calls SingleSendMail like a mail of this sender, with a recipient that is not
// an address: it tells what else is refused, and nothing is sent. Direct Mail does
// not document the order of its checks, so a probe that passed does not prove the
// sender. The error is an [*Error].
func (c *Client) Probe(ctx context.Context, m Mail) (Probe, error) {
	m.To, m.Subject, m.TextBody, m.HTMLBody = "nobody", "Test", "Test", "" // without an @ it can reach no one
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
