//go:build unix

package chaos_test

import (
	"fmt"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// An overload is a load beyond a rate limit.
type overload struct {
	name      string
	perSecond int            // the limit
	rate      int            // the sandbox's
	limits    map[string]any // the connector's
	want      []string
}

// throughput compares two loads on the same limit.
type throughput struct {
	name      string
	perSecond int
	fit, tens float64 // accepted mails per second at 1 and at 10 times the limit
}

func (o throughput) ratio() float64 { return o.tens / o.fit }

// runOverloads sends at the limit, and at ten times the limit.
func runOverloads(t *testing.T, all *results) {
	t.Helper()
	rate := 30
	switch {
	case *long:
		rate = 100
	case raceEnabled():
		rate = 10
	}
	withLimit := map[string]any{"recipient": "off", "connector": fmt.Sprintf("%d/1s", rate)}
	for _, o := range []overload{
		{"limited by the connector", rate, 0, withLimit, []string{sent, overloaded}},
		{"limited by the connector, upstream throttles at the same rate", rate, rate, withLimit, []string{sent, overloaded, busy}},
		{"upstream throttles, no connector limit", rate, rate, limitsOff, []string{sent, overloaded, busy}},
	} {
		t.Run(o.name, func(t *testing.T) {
			if !*long { // in a long run the loads need the whole machine
				t.Parallel()
			}
			result := throughput{name: o.name, perSecond: o.perSecond}
			result.fit = o.run(t, all, 1)
			result.tens = o.run(t, all, 10)
			t.Logf("%.1f mails per second at the limit, %.1f at 10 times the limit: ratio %.2f", result.fit, result.tens, result.ratio())
			if result.ratio() < 0.85 {
				timing(t, "throughput drops under overload: from %.1f to %.1f per second", result.fit, result.tens)
			}
			all.addThroughput(result)
		})
	}
}

// run sends at a multiple of the limit for some seconds, and returns the accepted
// mails per second.
func (o overload) run(t *testing.T, all *results, load int) float64 {
	t.Helper()
	st := newSetup(t, o.rate, o.limits)
	seconds := 4
	if *long {
		seconds = 20
	}
	begun := time.Now()
	requests := newRequests(o.perSecond * load * seconds)
	fireAtRate(st.service.address, requests, o.perSecond*load, (*request).whole)
	mails := st.end(t)
	result := count(t, "Overload", fmt.Sprintf("%s, load %d×", o.name, load), requests, mails, st.service.log.String())
	result.allow(t, o.want...)
	all.add(result)
	// An idle account accepts a burst in the first second.
	return perSecond(mails, begun.Add(time.Second), begun.Add(time.Duration(seconds)*time.Second))
}

func perSecond(mails []sandbox.Mail, from, to time.Time) float64 {
	n := 0
	for _, m := range mails {
		if !m.ReceivedAt.Before(from) && m.ReceivedAt.Before(to) {
			n++
		}
	}
	return float64(n) / to.Sub(from).Seconds()
}
