//go:build unix

package chaos_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
	"dmconnector/internal/errcode"
)

// results collects the tallies of all scenarios.
type results struct {
	mu   sync.Mutex
	rows []tally

	throughput []throughput
	states     []stateTally
}

func (l *results) add(row tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, row)
}

func (l *results) addState(row stateTally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, row)
}

func (l *results) addThroughput(row throughput) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.throughput = append(l.throughput, row)
}

// A fault is one way for the upstream, or the network in front of it, to fail.
type fault struct {
	name     string
	faults   []sandbox.Fault
	up, down toxic
	requests int
	callers  int      // concurrent; 0: one for each request
	want     []string // allowed answers
	must     []string // answers that must occur
}

const (
	ms   = time.Millisecond
	sent = "sent"

	unknown      = string(errcode.OutcomeUnknown)
	gone         = string(errcode.ProviderUnavailable)
	busy         = string(errcode.ProviderBusy)
	quota        = string(errcode.QuotaExhausted)
	rejected     = string(errcode.ProviderRejected)
	badRecipient = string(errcode.RecipientRejected)
	badContent   = string(errcode.ContentRejected)
	overloaded   = string(errcode.Overloaded)
	unavailable  = string(errcode.Unavailable)
	limited      = string(errcode.RateLimited)
	invalid      = string(errcode.InvalidRequest)
	unauthorized = string(errcode.Unauthorized)
	forbidden    = string(errcode.Forbidden)
)

var upstreamFaults = []fault{
	{name: "healthy", requests: 400, callers: 16, want: []string{sent}},
	{name: "answers after 200 ms", faults: []sandbox.Fault{{Kind: "delay", Duration: "200ms"}}, requests: 100, want: []string{sent}},
	{name: "answers after 3 s", faults: []sandbox.Fault{{Kind: "delay", Duration: "3s"}}, requests: 60, want: []string{sent}},
	{name: "accepts, then hangs", faults: []sandbox.Fault{{Kind: "hang"}}, requests: 60, want: []string{unknown}},
	{name: "hangs", faults: []sandbox.Fault{{Kind: "hang", Accept: new(false)}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers after 9 s", faults: []sandbox.Fault{{Kind: "delay", Duration: "9s", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "resets the connection", faults: []sandbox.Fault{{Kind: "reset"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then resets the connection", faults: []sandbox.Fault{{Kind: "reset", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "answers truncated JSON", faults: []sandbox.Fault{{Kind: "broken-json"}}, requests: 60, want: []string{unknown}},
	{name: "answers 500", faults: []sandbox.Fault{{Kind: "error", Code: "InternalError"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers 500", faults: []sandbox.Fault{{Kind: "error", Code: "InternalError", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers 503", faults: []sandbox.Fault{{Kind: "error", Code: "ServiceUnavailable", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "answers 502 with an HTML page", faults: []sandbox.Fault{{Kind: "html"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers 502 with an HTML page", faults: []sandbox.Fault{{Kind: "html", Accept: new(true)}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers an empty 200", faults: []sandbox.Fault{{Kind: "empty"}}, requests: 60, want: []string{unknown}},
	{name: "accepts, then answers 16 MiB", faults: []sandbox.Fault{{Kind: "huge"}}, requests: 12, want: []string{unknown}},
	{name: "accepts, then answers one byte per second", faults: []sandbox.Fault{{Kind: "dribble"}}, requests: 60, want: []string{unknown}},
	{name: "throttles for a while", faults: []sandbox.Fault{{Kind: "error", Code: "Throttling.User", Times: 60}}, requests: 100, want: []string{sent, busy}, must: []string{sent}},
	{name: "throttles", faults: []sandbox.Fault{{Kind: "error", Code: "Throttling"}}, requests: 60, want: []string{busy}},
	{name: "quota exhausted", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidQuota"}}, requests: 200, callers: 8, want: []string{quota}},
	{name: "rejects the key", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidAccessKeyId.NotFound"}}, requests: 200, callers: 8, want: []string{rejected}},
	{name: "rejects the signature, echoing the whole request", faults: []sandbox.Fault{{Kind: "error", Code: "SignatureDoesNotMatch"}}, requests: 200, callers: 8, want: []string{rejected}},
	{name: "rejects the recipient", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidToAddress.Spam"}}, requests: 60, want: []string{badRecipient}},
	{name: "rejects the content", faults: []sandbox.Fault{{Kind: "error", Code: "InvalidSendMail.Spam"}}, requests: 60, want: []string{badContent}},
	{name: "throttles once, then reports a used nonce", faults: slices.Repeat([]sandbox.Fault{{Kind: "error", Code: "Throttling.User", Times: 1}, {Kind: "error", Code: "SignatureNonceUsed", Accept: new(true), Times: 1}}, 10), requests: 10, callers: 1, want: []string{unknown}},
	{name: "accepts, then reports a used nonce", faults: []sandbox.Fault{{Kind: "error", Code: "SignatureNonceUsed", Accept: new(true)}}, requests: 40, want: []string{unknown}},
	{name: "a mix of faults", faults: mixture, requests: 200, callers: 100, want: []string{sent, unknown, busy, badRecipient}, must: []string{sent, unknown}},
	{name: "answers in XML", faults: []sandbox.Fault{{Kind: "xml"}}, requests: 60, want: []string{sent}},
}

// mixture affects a part of the requests, each fault a number of times.
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

// A request has about 700 bytes, an answer about 400.
var networkFaults = []fault{
	{name: "200 ms latency both ways", up: toxic{latency: 200 * ms}, down: toxic{latency: 200 * ms}, requests: 60, want: []string{sent}},
	{name: "requests in 20-byte pieces", up: toxic{piece: 20, latency: 5 * ms}, requests: 60, want: []string{sent}},
	{name: "answers in 10-byte pieces", down: toxic{piece: 10, latency: 20 * ms}, requests: 60, want: []string{sent}},
	{name: "requests at one byte per second", up: toxic{piece: 1, latency: time.Second}, requests: 60, want: []string{unknown}},
	{name: "answers at one byte per second", down: toxic{piece: 1, latency: time.Second}, requests: 60, want: []string{unknown}},
	{name: "resets every connection immediately", up: toxic{connected: "reset"}, requests: 60, want: []string{unknown, gone}},
	{name: "closes every connection immediately", up: toxic{connected: "close"}, requests: 60, want: []string{unknown, gone}},
	{name: "accepts connections, forwards nothing", up: toxic{connected: "stall"}, requests: 60, want: []string{unknown}},
	{name: "resets mid-request", up: toxic{after: 300, then: "reset"}, requests: 60, want: []string{unknown}},
	{name: "closes mid-request", up: toxic{after: 300, then: "close"}, requests: 60, want: []string{unknown}},
	{name: "stalls mid-request", up: toxic{after: 300, then: "stall"}, requests: 60, want: []string{unknown}},
	{name: "resets mid-answer", down: toxic{after: 100, then: "reset"}, requests: 60, want: []string{unknown}},
	{name: "closes mid-answer", down: toxic{after: 100, then: "close"}, requests: 60, want: []string{unknown}},
	{name: "stalls mid-answer", down: toxic{after: 100, then: "stall"}, requests: 60, want: []string{unknown}},
	{name: "resets keep-alive connections after a few mails", down: toxic{after: 2000, then: "reset"}, requests: 400, callers: 16, want: []string{sent, unknown}, must: []string{sent}},
	{name: "closes keep-alive connections after a few mails", up: toxic{after: 3000, then: "close"}, requests: 400, callers: 16, want: []string{sent, unknown}, must: []string{sent}},
}

// TestFaultSuite runs every scenario and reports the figures.
func TestFaultSuite(t *testing.T) {
	all := new(results)
	t.Run("faults", func(t *testing.T) {
		runWire(t, all)
		runTimed(t, all)
		runStops(t, all)
		runFaults(t, all, "Upstream", upstreamFaults)
		runFaults(t, all, "Network", networkFaults)
		runCallers(t, all, badCallers)
		if !*long { // in a long run the kills need the whole machine
			runStates(t, all)
		}
	})
	if *long {
		t.Run("state", func(t *testing.T) { runStates(t, all) })
	}
	// Throughput is measured alone on the machine.
	t.Run("overload", func(t *testing.T) { runOverloads(t, all) })
	all.report(t)
}

func runFaults(t *testing.T, all *results, group string, list []fault) {
	t.Helper()
	for _, f := range list {
		t.Run(group+" "+f.name, func(t *testing.T) {
			t.Parallel()
			st := newSetup(t, 0, limitsOff)
			if err := st.sandbox.SetFaults(f.faults...); err != nil {
				t.Fatal(err)
			}
			st.proxy.set(f.up, f.down)
			n := f.requests
			if len(f.faults) < 20 { // otherwise there is one fault for each request
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
			all.add(result)
		})
	}
}
