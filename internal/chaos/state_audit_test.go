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

// A stateTally counts the outcomes of one scenario of the state.
type stateTally struct {
	name           string
	kills, outages int // of the program, of the state
	reloads        int
	outcomes       map[string]int
	states         map[string]int // final states of queued messages

	messages, queued, direct, inFlight, resent int
	lost, excess, twice, falselySent, rejected int
	late, readyFailures, leaked                int
	slowest                                    time.Duration // from request to mail, of queued messages
}

// A record is a message in the admin API.
type record struct {
	ID, State, Code string
	Attempts        int
}

// adminClient keeps no connections alive: a stopping service would wait for them.
var adminClient = &http.Client{Timeout: clientTimeout, Transport: &http.Transport{DisableKeepAlives: true}}

// ask requests a page of the admin API, decodes a 200 answer, and returns the status.
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

// within waits until the condition holds.
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

// drained waits until every message is in a final state.
func drained(t *testing.T, address string) {
	t.Helper()
	within(t, retryTime, "every message is in a final state", func() bool {
		var page struct{ Messages []record }
		if status := ask(t, address, "/api/messages?state=queued,sending&limit=1", &page); status != http.StatusOK {
			return false
		}
		if page.Messages == nil {
			t.Fatal("the answer has no list of messages")
		}
		return len(page.Messages) == 0
	})
}

// evidence is what an audit examines.
type evidence struct {
	name     string
	upstream *upstream
	messages []*message
	address  string // of a running service
	kills    []span
	outages  []span   // of the state
	texts    []string // to search for secrets
}

// audit compares the answers with the mails that the upstream accepted, and with the
// stored messages.
func (ev *evidence) audit(t *testing.T) stateTally {
	t.Helper()
	drained(t, ev.address)
	result := stateTally{
		name: ev.name, kills: len(ev.kills), outages: len(ev.outages), messages: len(ev.messages),
		outcomes: map[string]int{}, states: map[string]int{},
	}
	calls := ev.upstream.history()
	result.inFlight = len(inFlightAt(calls, ev.kills))
	mayRepeat := pendingAt(calls, ev.kills, ev.outages)
	times, first := ev.upstream.accepted()
	last := map[string]time.Time{}
	var failed []failedSend
	for _, mail := range ev.upstream.sandbox.Mails() {
		last[mail.Subject] = later(mail.ReceivedAt, last[mail.Subject])
	}
	for _, m := range ev.messages {
		result.outcomes[m.outcome]++
		failed = append(failed, m.failed...)
		if at, ok := last[m.code]; ok && !m.queued && m.late(at) {
			result.late++
			t.Logf("answered %s after %v, but a mail was accepted after %v", m.outcome, m.took, at.Sub(m.begun))
		}
		if m.err != nil {
			t.Errorf("no answer after %d attempts: %v", m.attempts, m.err)
		}
		if m.queued {
			result.auditQueued(t, m, ev.address, times[m.code], mayRepeat[m.code])
			result.slowest = max(result.slowest, first[m.code].Sub(m.begun))
		} else {
			result.auditDirect(t, m, times[m.code])
		}
		delete(times, m.code)
		ev.texts = append(ev.texts, m.answer)
	}
	result.readyFailures = readyWhileFailing(t, failed)
	if result.excess > 0 {
		ev.logTimes(t)
	}
	for code, n := range times {
		t.Errorf("%d mails without a request: %s", n, code)
	}
	for _, text := range ev.texts {
		if at := findMark(text); at >= 0 {
			result.leaked++
			t.Errorf("leaked: %s", excerpt(text, at))
		}
	}
	result.judge(t)
	return result
}

// logTimes logs all calls, kills and outages, to find out why a message was sent too
// often.
func (ev *evidence) logTimes(t *testing.T) {
	t.Helper()
	calls := ev.upstream.history()
	since := func(s span) string {
		return fmt.Sprintf("%v to %v", s.begun.Sub(calls[0].begun).Round(time.Millisecond), s.ended.Sub(calls[0].begun).Round(time.Millisecond))
	}
	codes := map[string]int{}
	for _, v := range calls {
		codes[v.code]++
	}
	for _, v := range calls {
		if codes[v.code] > 1 {
			t.Logf("%s in flight %s, accepted %t", v.code, since(v.span), v.accepted)
		}
	}
	for _, kill := range ev.kills {
		t.Logf("killed %s", since(kill))
	}
	for _, outage := range ev.outages {
		t.Logf("state unavailable %s", since(outage))
	}
}

// auditQueued checks what became of a message that its caller asked to queue.
func (c *stateTally) auditQueued(t *testing.T, m *message, address string, accepted, mayRepeat int) {
	if m.outcome != "202" && m.outcome != sent {
		// It may be queued although its caller did not get 202.
		c.auditResent(t, m, accepted, mayRepeat)
		c.auditDirect(t, m, min(accepted, 1))
		return
	}
	c.queued++
	var r record
	status := ask(t, address, "/api/messages/"+m.id, &r)
	c.states[r.State]++
	switch {
	case status != http.StatusOK, r.State == sent && accepted == 0, !slices.Contains([]string{sent, "expired", "dead"}, r.State):
		c.lost++
		t.Logf("lost: answered %s, looked up with status %d, %+v, accepted %d times", m.outcome, status, r, accepted)
	case r.State != sent && accepted > 0:
		c.rejected++
		t.Logf("%s although it was accepted: %+v", r.State, r)
	}
	c.auditResent(t, m, accepted, mayRepeat)
}

// auditResent checks that a queued message was sent again only after kills during its
// calls.
func (c *stateTally) auditResent(t *testing.T, m *message, accepted, mayRepeat int) {
	if accepted > 1 {
		c.resent += accepted - 1
	}
	if accepted > 1+mayRepeat {
		c.excess++
		t.Logf("accepted %d times, with %d kills while its outcome was pending: %s, message %s", accepted, mayRepeat, m.code, m.id)
	}
}

func (c *stateTally) auditDirect(t *testing.T, m *message, accepted int) {
	if accepted > 1 {
		c.twice++
		t.Logf("accepted %d times: %s, answered %s", accepted, m.code, m.outcome)
	}
	switch {
	case m.outcome == sent:
		c.direct++
		if accepted == 0 {
			c.falselySent++
		}
	case m.outcome != unknown && m.err == nil && accepted > 0:
		c.rejected++
		t.Logf("answered %s, but the mail was accepted; queued: %t", m.outcome, m.queued)
	}
}

func (c *stateTally) judge(t *testing.T) {
	t.Helper()
	t.Logf("%s; of %d queued %s; %d kills, %d outages, in flight at kills %d, sent again %d, slowest %v",
		listCounts(c.outcomes), c.queued, listCounts(c.states), c.kills, c.outages, c.inFlight, c.resent, c.slowest.Round(time.Millisecond))
	for what, n := range map[string]int{
		"lost": c.lost, "sent again without a kill": c.excess, "direct and sent twice": c.twice,
		"falsely 200": c.falselySent, "falsely rejected": c.rejected, "ready while sends fail": c.readyFailures,
	} {
		if n > 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	if c.late > 0 {
		timing(t, "late after the answer: %d", c.late)
	}
	// In a short run the machine may be busy, and outcomes wait for its disk.
	if *long && c.resent > c.inFlight {
		timing(t, "sent again: %d, but only %d were in flight at kills", c.resent, c.inFlight)
	}
}

// listCounts lists names with their counts.
func listCounts(counts map[string]int) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %s", name, thousands(counts[name])))
	}
	return strings.Join(list, ", ")
}

// inFlightAt returns the accepted calls that overlapped a kill.
func inFlightAt(calls []call, kills []span) []call {
	var list []call
	for _, v := range calls {
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

// overlaps reports whether two spans overlap. A span without an end continues.
func (s span) overlaps(other span) bool {
	return (s.ended.IsZero() || !s.ended.Before(other.begun)) && (other.ended.IsZero() || !s.begun.After(other.ended))
}

const (
	// recordTime is how long recording an outcome may take on a busy disk.
	recordTime = time.Second
	// recoverTime is how long it may take after an outage, as each broken connection
	// is found only when it is used.
	recoverTime = 4 * time.Second
)

// pendingAt counts, for each code, the kills during its call or while its outcome was
// not recorded yet.
func pendingAt(calls []call, kills, outages []span) map[string]int {
	counts := map[string]int{}
	for _, v := range calls {
		if !v.accepted {
			continue
		}
		open := span{v.begun, v.ended.Add(recordTime)}
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
