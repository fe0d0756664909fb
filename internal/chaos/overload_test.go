//go:build unix

package chaos_test

import (
	"fmt"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// An overload is a bound of what can be sent, and how it shows.
type overload struct {
	name      string
	perSecond int            // what the upstream bears
	rate      int            // the sandbox's
	limits    map[string]any // the connector's
	want      []string
}

// throughput compares two loads on the same bound.
type throughput struct {
	name      string
	perSecond int
	fit, tens float64 // mails accepted a second at 1 and at 10 times the bound
}

func (o throughput) ratio() float64 { return o.tens / o.fit }

// runOverloads offers what the upstream bears, and ten times that.
func runOverloads(t *testing.T, book *ledger) {
	t.Helper()
	rate := 30
	switch {
	case *long:
		rate = 100
	case raceEnabled():
		rate = 10
	}
	pace := map[string]any{"recipient": "off", "connector": fmt.Sprintf("%d/1s", rate)}
	for _, o := range []overload{
		{"paced by the connector", rate, 0, pace, []string{sent, "overloaded"}},
		{"paced by the connector, upstream throttles at the same rate", rate, rate, pace, []string{sent, "overloaded", busy}},
		{"upstream throttles, no pace", rate, rate, limitsOff, []string{sent, "overloaded", busy}},
	} {
		t.Run(o.name, func(t *testing.T) {
			if !*long { // a long run's loads need the machine
				t.Parallel()
			}
			result := throughput{name: o.name, perSecond: o.perSecond}
			result.fit = o.run(t, book, 1)
			result.tens = o.run(t, book, 10)
			t.Logf("at 1 times the rate %.1f mails a second, at 10 times %.1f: ratio %.2f", result.fit, result.tens, result.ratio())
			if result.ratio() < 0.85 {
				timing(t, "throughput falls under overload: from %.1f to %.1f a second", result.fit, result.tens)
			}
			book.addThroughput(result)
		})
	}
}

// run offers so many times the rate for some seconds, and returns how many mails
// a second were accepted.
func (o overload) run(t *testing.T, book *ledger, load int) float64 {
	t.Helper()
	st := newStage(t, o.rate, o.limits)
	seconds := 4
	if *long {
		seconds = 20
	}
	begun := time.Now()
	requests := newRequests(o.perSecond * load * seconds)
	firePaced(st.service.address, requests, o.perSecond*load, (*request).whole)
	mails := st.end(t)
	result := count(t, "Overload", fmt.Sprintf("%s, %d times", o.name, load), requests, mails, st.service.log.String())
	result.allow(t, o.want...)
	book.add(result)
	// The first second has what the idle account could take at once.
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
