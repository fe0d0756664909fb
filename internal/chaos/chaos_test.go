//go:build unix

package chaos_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// A ledger keeps the tallies of a run.
type ledger struct {
	mu   sync.Mutex
	rows []tally

	throughput []throughput
	states     []stateTally
}

func (l *ledger) add(row tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, row)
}

func (l *ledger) addState(row stateTally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, row)
}

func (l *ledger) addThroughput(row throughput) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.throughput = append(l.throughput, row)
}

// A fault is a way in which the upstream, or the network before it, fails.
type fault struct {
	name     string
	faults   []sandbox.Fault
	up, down toxic
	requests int
	callers  int      // at once; 0: as many as requests
	want     []string // the answers that are right
	must     []string // those of them that must come
}

const (
	ms      = time.Millisecond
	sent    = "sent"
	unknown = "outcome_unknown"
	gone    = "provider_unavailable"
	busy    = "provider_busy"
	refused = "provider_rejected"
)

var upstreamFaults = []fault{
	{name: "healthy", requests: 400, callers: 16, want: []string{sent}},
	{name: "answers after 200 ms", faults: []sandbox.Fault{{Kind: "delay", Duration: "200ms"}}, requests: 100, want: []string{sent}},
	{name: "answers after 3 s", faults: []sandbox.Fault{{Kind: "delay", Duration: "3s"}}, requests: 60, want: []string{sent}},
	{name: "accepts, then hangs", faults: []sandbox.Fault{{Kind: "hang"}}, requests: 60, want: []string{unknown}},
	{name: "hangs", faults: []sandbox.Fault{{Kind: "hang", Accept: new(false)}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers after 9 s", faults: []sandbox.Fault{{Kind: "delay", Duration: "9s", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "resets", faults: []sandbox.Fault{{Kind: "reset"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then resets", faults: []sandbox.Fault{{Kind: "reset", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "answers half", faults: []sandbox.Fault{{Kind: "broken-json"}}, requests: 60, want: []string{unknown}},
	{name: "answers 500", faults: []sandbox.Fault{{Kind: "error", Code: "InternalError"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers 500", faults: []sandbox.Fault{{Kind: "error", Code: "InternalError", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers 503", faults: []sandbox.Fault{{Kind: "error", Code: "ServiceUnavailable", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "a gateway's HTML page, 502", faults: []sandbox.Fault{{Kind: "html"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then a gateway's HTML page, 502", faults: []sandbox.Fault{{Kind: "html", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then an empty 200", faults: []sandbox.Fault{{Kind: "empty"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then 16 MiB", faults: []sandbox.Fault{{Kind: "huge"}}, requests: 12, want: []string{unknown}},
	{name: "accepts, then a byte a second", faults: []sandbox.Fault{{Kind: "dribble"}}, requests: 60, want: []string{unknown}},
	{name: "throttles a while", faults: []sandbox.Fault{{Kind: "error", Code: "Throttling.User", Times: 60}}, requests: 100, want: []string{sent, busy}, must: []string{sent}},
	{name: "throttles", faults: []sandbox.Fault{{Kind: "error", Code: "Throttling"}}, requests: 60, want: []string{busy}},
	{name: "the quota is used up", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidQuota"}}, requests: 200, callers: 8, want: []string{"quota_exhausted"}},
	{name: "refuses the key", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidAccessKeyId.NotFound"}}, requests: 200, callers: 8, want: []string{refused}},
	{name: "refuses the signature, and shows the whole request", faults: []sandbox.Fault{{Kind: "error", Code: "SignatureDoesNotMatch"}}, requests: 200, callers: 8, want: []string{refused}},
	{name: "refuses the recipient", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidToAddress.Spam"}}, requests: 60, want: []string{"recipient_rejected"}},
	{name: "refuses the content", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidSendMail.Spam"}}, requests: 60, want: []string{"content_rejected"}},
	{name: "throttles once, then knows the nonce", faults: slices.Repeat([]sandbox.Fault{{Kind: "error", Code: "Throttling.User", Times: 1}, {Kind: "error", Code: "SignatureNonceUsed", Accept: new(true), Times: 1}}, 10), requests: 10, callers: 1, want: []string{unknown}},
	{name: "accepts, then knows the nonce", faults: []sandbox.Fault{{Kind: "error", Code: "SignatureNonceUsed", Accept: new(true)}}, requests: 40, want: []string{unknown}},
	{name: "a mixture of all", faults: mixture, requests: 200, callers: 100, want: []string{sent, unknown, busy, "recipient_rejected"}, must: []string{sent, unknown}},
	{name: "answers in XML", faults: []sandbox.Fault{{Kind: "xml"}}, requests: 60, want: []string{sent}},
}

// mixture has something for everybody, once.
var mixture = []sandbox.Fault{
	{Kind: "delay", Duration: "1s", Times: 10},
	{Kind: "hang", Times: 10},
	{Kind: "reset", Times: 10},
	{Kind: "error", Code: "Throttling.User", Times: 20},
	{Kind: "error", Code: "InternalError", Accept: new(true), Times: 10},
	{Kind: "html", Times: 10},
	{Kind: "empty", Times: 10},
	{Kind: "broken-json", Times: 10},
	{Kind: "huge", Times: 3},
	{Kind: "dribble", Times: 10},
	{Kind: "dribble", Duration: "5ms", Times: 10},
	{Kind: "xml", Times: 10},
	{Kind: "error", Code: "InvalidToAddress", Times: 10},
	{Kind: "reset", Accept: new(true), Times: 10},
}

// The bytes of a request are some 700, those of an answer some 400.
var networkFaults = []fault{
	{name: "200 ms late both ways", up: toxic{latency: 200 * ms}, down: toxic{latency: 200 * ms}, requests: 60, want: []string{sent}},
	{name: "requests in pieces of 20 bytes", up: toxic{piece: 20, latency: 5 * ms}, requests: 60, want: []string{sent}},
	{name: "answers in pieces of 10 bytes", down: toxic{piece: 10, latency: 20 * ms}, requests: 60, want: []string{sent}},
	{name: "requests a byte a second", up: toxic{piece: 1, latency: time.Second}, requests: 60, want: []string{unknown}},
	{name: "answers a byte a second", down: toxic{piece: 1, latency: time.Second}, requests: 60, want: []string{unknown}},
	{name: "resets every connection at once", up: toxic{connected: "reset"}, requests: 60, want: []string{unknown, gone}},
	{name: "closes every connection at once", up: toxic{connected: "close"}, requests: 60, want: []string{unknown, gone}},
	{name: "takes connections, and no more", up: toxic{connected: "stall"}, requests: 60, want: []string{unknown}},
	{name: "resets in the middle of the request", up: toxic{after: 300, then: "reset"}, requests: 60, want: []string{unknown}},
	{name: "closes in the middle of the request", up: toxic{after: 300, then: "close"}, requests: 60, want: []string{unknown}},
	{name: "stalls in the middle of the request", up: toxic{after: 300, then: "stall"}, requests: 60, want: []string{unknown}},
	{name: "resets in the middle of the answer", down: toxic{after: 100, then: "reset"}, requests: 60, want: []string{unknown}},
	{name: "closes in the middle of the answer", down: toxic{after: 100, then: "close"}, requests: 60, want: []string{unknown}},
	{name: "stalls in the middle of the answer", down: toxic{after: 100, then: "stall"}, requests: 60, want: []string{unknown}},
	{name: "resets kept connections after some mails", down: toxic{after: 2000, then: "reset"}, requests: 400, callers: 16, want: []string{sent, unknown}, must: []string{sent}},
	{name: "closes kept connections after some mails", up: toxic{after: 3000, then: "close"}, requests: 400, callers: 16, want: []string{sent, unknown}, must: []string{sent}},
}

// TestFaultSuite is the suite.
func TestFaultSuite(t *testing.T) {
	book := new(ledger)
	t.Run("faults", func(t *testing.T) {
		runTimed(t, book)
		runStops(t, book)
		runFaults(t, book, "Upstream", upstreamFaults)
		runFaults(t, book, "Network", networkFaults)
		runCallers(t, book, badCallers)
		if !*long { // a long run's kills need the machine
			runStates(t, book)
		}
	})
	if *long {
		t.Run("state", func(t *testing.T) { runStates(t, book) })
	}
	// Alone, for its figures need the machine.
	t.Run("overload", func(t *testing.T) { runOverloads(t, book) })
	book.report(t)
}

func runFaults(t *testing.T, book *ledger, group string, list []fault) {
	t.Helper()
	for _, f := range list {
		t.Run(group+" "+f.name, func(t *testing.T) {
			t.Parallel()
			st := newStage(t, 0, limitsOff)
			if err := st.sandbox.SetFaults(f.faults...); err != nil {
				t.Fatal(err)
			}
			st.proxy.set(f.up, f.down)
			n := f.requests
			if len(f.faults) < 20 { // else each is for one request
				n = times(n)
			}
			requests := newRequests(n)
			callers := f.callers
			if callers == 0 {
				callers = f.requests
			}
			probe := st.probe(t)
			fire(st.service.address, requests, callers, (*request).whole)
			health := probe.end()
			result := count(t, group, f.name, requests, st.end(t), health, st.service.log.String())
			result.allow(t, f.want...)
			result.demand(t, f.must...)
			book.add(result)
		})
	}
}
