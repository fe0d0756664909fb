//go:build unix

package chaos_test

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// answerTime is the service's deadline, from a request's first byte.
const answerTime = 8 * time.Second

// A tally counts the outcomes of one scenario.
type tally struct {
	group, name string
	outcomes    map[string]int
	slowest     time.Duration

	requests, aborted, answered, inTime               int
	twice, late, falselySent, falselyRejected, leaked int
	readyFailures                                     int // sends that failed while /readyz answered 200
}

// count compares the answers with the mails that the upstream accepted. texts is what
// the service printed.
func count(t *testing.T, group, name string, requests []*request, mails []sandbox.Mail, texts ...string) tally {
	t.Helper()
	result := tally{group: group, name: name, outcomes: map[string]int{}, requests: len(requests)}
	accepted := map[string][]time.Time{}
	var failed []failedSend
	for _, m := range mails {
		key := m.To + " " + m.Subject
		accepted[key] = append(accepted[key], m.ReceivedAt)
	}
	for _, r := range requests {
		key := r.to + " " + r.code
		result.request(t, r, accepted[key])
		delete(accepted, key)
		failed = append(failed, r.failed...)
		texts = append(texts, r.answer)
	}
	result.readyFailures = readyWhileFailing(t, failed)
	for key := range accepted {
		t.Errorf("a mail without a request: %s", key)
	}
	for _, text := range texts {
		if at := findMark(text); at >= 0 {
			result.leaked++
			if result.leaked <= 3 {
				t.Errorf("leaked: %s", excerpt(text, at))
			}
		}
	}
	result.judge(t)
	return result
}

func (c *tally) request(t *testing.T, r *request, accepted []time.Time) {
	switch {
	case r.aborts:
		c.aborted++
	case r.err != nil:
		c.note(t, c.requests-c.aborted-c.answered, "no answer: %v", r.err)
	default:
		c.answered++
		c.outcomes[r.outcome]++
		c.slowest = max(c.slowest, r.took)
		if r.took <= answerTime {
			c.inTime++
		}
	}
	if len(accepted) > 1 {
		c.twice++
	}
	for _, at := range accepted {
		if r.late(at) {
			c.late++
			c.note(t, c.late, "answered %s after %v, but a mail was accepted after %v", r.outcome, r.took, at.Sub(r.begun))
			break
		}
	}
	switch answered := !r.aborts && r.err == nil; {
	case answered && r.outcome == sent && len(accepted) == 0:
		c.falselySent++
	case answered && r.outcome != sent && r.outcome != unknown && len(accepted) > 0:
		c.falselyRejected++
		c.note(t, c.falselyRejected, "answered %s, but the mail was accepted", r.outcome)
	}
}

// note logs the first few of a kind.
func (c *tally) note(t *testing.T, n int, format string, args ...any) {
	if n <= 3 {
		t.Logf(format, args...)
	}
}

// judge checks the figures that every scenario must have.
func (c *tally) judge(t *testing.T) {
	t.Helper()
	t.Logf("%s, slowest %v", c.answers(), c.slowest.Round(time.Millisecond))
	want := c.requests - c.aborted
	if c.answered != want {
		t.Errorf("answered %d of %d", c.answered, want)
	}
	if c.inTime != c.answered {
		timing(t, "within %v: %d of %d; the slowest took %v", answerTime, c.inTime, c.answered, c.slowest)
	}
	for what, n := range map[string]int{
		"sent twice": c.twice, "falsely 200": c.falselySent, "falsely rejected": c.falselyRejected,
		"ready while sends fail": c.readyFailures,
	} {
		if n > 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	if c.late > 0 {
		timing(t, "late after the answer: %d", c.late)
	}
}

// answers lists the answers with their counts.
func (c *tally) answers() string {
	var list []string
	for _, outcome := range slices.Sorted(maps.Keys(c.outcomes)) {
		list = append(list, strings.Join([]string{outcome, thousands(c.outcomes[outcome])}, " "))
	}
	if c.aborted > 0 {
		list = append(list, "(aborted) "+thousands(c.aborted))
	}
	return strings.Join(list, ", ")
}

// allow checks that only these answers occurred.
func (c *tally) allow(t *testing.T, outcomes ...string) {
	t.Helper()
	for outcome, n := range c.outcomes {
		if !slices.Contains(outcomes, outcome) {
			timing(t, "%d were answered %s, want one of %v", n, outcome, outcomes)
		}
	}
}

// demand checks that each of these answers occurred.
func (c *tally) demand(t *testing.T, outcomes ...string) {
	t.Helper()
	for _, outcome := range outcomes {
		if c.outcomes[outcome] == 0 {
			t.Errorf("no request was answered %s", outcome)
		}
	}
}

// findMark returns the offset of the mark in the text, plain or in base64 or
// hexadecimal; -1 if it is not there.
func findMark(text string) int {
	lower := strings.ToLower(text)
	for _, form := range []string{mark, hex.EncodeToString([]byte(mark))} {
		if at := strings.Index(lower, form); at >= 0 {
			return at
		}
	}
	for shift := range 3 { // of the mark against base64's groups of three bytes
		form := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + mark))
		form = strings.TrimRight(form[4*((shift+2)/3):], "=")
		if at := strings.Index(text, form[:len(form)-1]); at >= 0 {
			return at
		}
	}
	return -1
}
