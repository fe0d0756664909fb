//go:build unix

package chaos_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stateTally is what a scenario of the state came to.
type stateTally struct {
	name           string
	kills, outages int // of the program, of the state under it
	reloads        int
	outcomes       map[string]int
	states         map[string]int // in which queued messages ended

	messages, queued, direct, inside, resent  int
	lost, excess, twice, falselySent, refused int
	leaked                                    int
	slowest                                   time.Duration // from request to mail, of a queued one
}

// A record is a message as an admin sees it.
type record struct {
	ID, State, Code string
	Attempts        int
}

// adminClient keeps no connection, for whose next request a service that stops
// would wait.
var adminClient = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// ask asks the admin API, and returns the status.
func ask(t *testing.T, address, path string, answer any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := adminClient.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, answer); err != nil {
			t.Fatalf("GET %s: %v: %s", path, err, body)
		}
	}
	return resp.StatusCode
}

// within waits until something is so.
func within(t *testing.T, most time.Duration, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * ms)
	defer tick.Stop()
	for deadline := time.Now().Add(most); !so(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", most, what)
		}
	}
}

// drained waits until nothing more happens by itself.
func drained(t *testing.T, address string) {
	t.Helper()
	within(t, patienceOfErrands, "every message has come to its end", func() bool {
		var page struct{ Messages []record }
		status := ask(t, address, "/api/messages?state=queued,sending&limit=1", &page)
		return status == http.StatusOK && len(page.Messages) == 0
	})
}

// A trial is what an audit looks at.
type trial struct {
	name     string
	upstream *upstream
	errands  []*errand
	address  string // of a service that is left
	kills    []span
	outages  []span   // of the state
	texts    []string // in which nothing must be seen
}

// audit compares what the callers were told with what the upstream accepted and
// with what the state remembers.
func (tr *trial) audit(t *testing.T) stateTally {
	t.Helper()
	drained(t, tr.address)
	result := stateTally{
		name: tr.name, kills: len(tr.kills), outages: len(tr.outages), messages: len(tr.errands),
		outcomes: map[string]int{}, states: map[string]int{},
	}
	visits := tr.upstream.book()
	result.inside = len(insideAt(visits, tr.kills))
	mayResend := unsettledAt(visits, tr.kills, tr.outages)
	times, first := tr.upstream.accepted()
	for _, e := range tr.errands {
		result.outcomes[e.outcome]++
		if e.err != nil {
			t.Errorf("no answer after %d tries: %v", e.tries, e.err)
		}
		if e.queued {
			result.auditQueued(t, e, tr.address, times[e.code], mayResend[e.code])
			result.slowest = max(result.slowest, first[e.code].Sub(e.begun))
		} else {
			result.auditDirect(t, e, times[e.code])
		}
		delete(times, e.code)
		tr.texts = append(tr.texts, e.answer)
	}
	if result.excess > 0 {
		tr.tell(t)
	}
	for code, n := range times {
		t.Errorf("%d mails that nobody asked for: %s", n, code)
	}
	for _, text := range tr.texts {
		if at := findMark(text); at >= 0 {
			result.leaked++
			t.Errorf("leaked: %s", excerpt(text, at))
		}
	}
	result.judge(t)
	return result
}

// tell logs when what came, to find out why a message was sent too often.
func (tr *trial) tell(t *testing.T) {
	t.Helper()
	visits := tr.upstream.book()
	since := func(s span) string {
		return fmt.Sprintf("%v to %v", s.begun.Sub(visits[0].begun).Round(time.Millisecond), s.ended.Sub(visits[0].begun).Round(time.Millisecond))
	}
	codes := map[string]int{}
	for _, v := range visits {
		codes[v.code]++
	}
	for _, v := range visits {
		if codes[v.code] > 1 {
			t.Logf("%s inside %s, accepted %t", v.code, since(v.span), v.accepted)
		}
	}
	for _, kill := range tr.kills {
		t.Logf("killed %s", since(kill))
	}
	for _, outage := range tr.outages {
		t.Logf("state away %s", since(outage))
	}
}

// auditQueued holds a message that was taken, with a 202 or when the caller came
// again, against what became of it.
func (c *stateTally) auditQueued(t *testing.T, e *errand, address string, accepted, mayResend int) {
	if e.outcome != "202" && e.outcome != sent {
		// It may be in the queue, though its caller was not told so.
		c.auditResent(t, e, accepted, mayResend)
		c.auditDirect(t, e, min(accepted, 1))
		return
	}
	c.queued++
	var r record
	status := ask(t, address, "/api/messages/"+e.id, &r)
	c.states[r.State]++
	switch {
	case status != http.StatusOK, r.State == sent && accepted == 0, !slices.Contains([]string{sent, "expired", "dead"}, r.State):
		c.lost++
		t.Logf("lost: answered %s, looked up %d, %+v, accepted %d times", e.outcome, status, r, accepted)
	case r.State != sent && accepted > 0:
		c.refused++
		t.Logf("%s though it was accepted: %+v", r.State, r)
	}
	c.auditResent(t, e, accepted, mayResend)
}

// auditResent holds how often a queued message was sent against the kills that came
// while it was on its way.
func (c *stateTally) auditResent(t *testing.T, e *errand, accepted, mayResend int) {
	if accepted > 1 {
		c.resent += accepted - 1
	}
	if accepted > 1+mayResend {
		c.excess++
		t.Logf("accepted %d times, though %d kills came while it was inside: %s, message %s", accepted, mayResend, e.code, e.id)
	}
}

func (c *stateTally) auditDirect(t *testing.T, e *errand, accepted int) {
	if accepted > 1 {
		c.twice++
		t.Logf("accepted %d times: %s, answered %s", accepted, e.code, e.outcome)
	}
	switch {
	case e.outcome == sent:
		c.direct++
		if accepted == 0 {
			c.falselySent++
		}
	case e.outcome != unknown && e.err == nil && accepted > 0:
		c.refused++
		t.Logf("answered %s, but the mail was accepted; queued: %t", e.outcome, e.queued)
	}
}

func (c *stateTally) judge(t *testing.T) {
	t.Helper()
	t.Logf("%s; of %d queued %s; %d kills, %d outages, inside at kills %d, sent again %d, slowest %v",
		said(c.outcomes), c.queued, said(c.states), c.kills, c.outages, c.inside, c.resent, c.slowest.Round(time.Millisecond))
	for what, n := range map[string]int{
		"lost": c.lost, "sent again though no kill came": c.excess, "direct, and sent twice": c.twice,
		"falsely 200": c.falselySent, "falsely refused": c.refused,
	} {
		if n > 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	// A short run is for busy machines as well, on whose disks outcomes wait.
	if *long && c.resent > c.inside {
		timing(t, "sent again: %d, though only %d were inside the upstream when kills came", c.resent, c.inside)
	}
}

// said lists names and how often each came.
func said(counts map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %s", name, thousands(counts[name])))
	}
	return strings.Join(list, ", ")
}

// insideAt are the mails that were inside the upstream when a kill came.
func insideAt(visits []visit, kills []span) []visit {
	var list []visit
	for _, v := range visits {
		for _, kill := range kills {
			if v.accepted && v.overlaps(kill) {
				list = append(list, v)
			}
		}
	}
	return list
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// overlaps takes a span that has not ended for one that lasts.
func (s span) overlaps(other span) bool {
	return (s.ended.IsZero() || !s.ended.Before(other.begun)) && (other.ended.IsZero() || !s.begun.After(other.ended))
}

const (
	// settleTime is what it may take to remember an outcome, on a busy disk.
	settleTime = time.Second
	// recoverTime is what it may take to remember it when the state is back, and
	// connections that broke are found to be so one by one.
	recoverTime = 4 * time.Second
)

// unsettledAt counts, for each code, the kills that came when its mail was with
// the upstream or its outcome could not be remembered yet.
func unsettledAt(visits []visit, kills, outages []span) map[string]int {
	counts := map[string]int{}
	for _, v := range visits {
		if !v.accepted {
			continue
		}
		open := span{v.begun, v.ended.Add(settleTime)}
		for _, outage := range outages {
			if back := outage.ended.Add(recoverTime); open.overlaps(span{outage.begun, back}) {
				open.ended = later(open.ended, back)
			}
		}
		for _, kill := range kills {
			if open.overlaps(kill) {
				counts[v.code]++
			}
		}
	}
	return counts
}
