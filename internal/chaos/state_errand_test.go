//go:build unix

package chaos_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An errand is a message that its caller brings again, with the same
// Idempotency-Key, until it has an answer that is final.
type errand struct {
	*request
	key    string
	queued bool // the caller would rather not wait
	once   bool // the caller does not come again
	tries  int
	id     string // as the answer says
}

func newErrand(queued bool) *errand {
	r := newRequest()
	return &errand{request: r, key: "key-of-" + r.code, queued: queued}
}

func (e *errand) parts() []part {
	body := e.body()
	lines := []string{"Idempotency-Key: " + e.key}
	if e.queued {
		lines = append(lines, "Prefer: respond-async")
	}
	return []part{{0, headFor(body, lines...) + body}}
}

// accepted is the answer to a message that is queued.
const accepted = "202"

// passing are the answers after which the same message may come again.
var passing = []string{"in_progress", "unavailable", "overloaded", "rate_limited", busy, gone}

// run brings the message to one of the addresses, each time to any.
func (e *errand) run(addresses []string, until time.Time) {
	for {
		e.outcome = ""
		l := &line{address: addresses[rand.N(len(addresses))]}
		l.exchange(e.request, e.parts())
		l.close()
		e.tries++
		if e.err == nil && !slices.Contains(passing, e.outcome) || e.once || time.Now().After(until) {
			e.id = idIn(e.answer)
			return
		}
		pause(50*ms + rand.N(100*ms))
	}
}

// idIn returns the message's id in an answer: in an error it is the incident.
func idIn(answer string) string {
	var body struct{ ID, Incident string }
	_, text, _ := strings.Cut(answer, "\r\n\r\n")
	if json.Unmarshal([]byte(text), &body) != nil {
		return ""
	}
	return body.ID + body.Incident
}

// A campaign is errands that come at a pace, until it is ended.
type campaign struct {
	addresses []string
	make      func(n int) *errand
	stop      chan struct{}
	once      sync.Once
	stopped   chan struct{}
	errands   []*errand // after stopped
	running   sync.WaitGroup
}

// patienceOfErrands is longer than replicas need to find out about each other.
const patienceOfErrands = 2 * time.Minute

func startCampaign(perSecond int, build func(n int) *errand, addresses ...string) *campaign {
	c := &campaign{addresses: addresses, make: build, stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(c.stopped)
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			e := c.make(n)
			c.errands = append(c.errands, e)
			c.running.Go(func() { e.run(c.addresses, time.Now().Add(patienceOfErrands)) })
			select {
			case <-tick.C:
			case <-c.stop:
				return
			}
		}
	}()
	return c
}

// halt ends the coming of errands.
func (c *campaign) halt() {
	c.once.Do(func() { close(c.stop) })
	<-c.stopped
}

// end ends the campaign, and waits until each errand has its answer.
func (c *campaign) end() []*errand {
	c.halt()
	c.running.Wait()
	return c.errands
}

// mixedErrands are queued every other time.
func mixedErrands(n int) *errand { return newErrand(n%2 == 0) }

// onceMixed is the same for callers that do not come again.
func onceMixed(n int) *errand {
	e := mixedErrands(n)
	e.once = true
	return e
}

// runOnce brings n messages at once, each once.
func runOnce(n int, build func(n int) *errand, addresses ...string) []*errand {
	var (
		list    = make([]*errand, n)
		running sync.WaitGroup
	)
	for i := range list {
		list[i] = build(i)
		list[i].once = true
		running.Go(func() { list[i].run(addresses, time.Time{}) })
	}
	running.Wait()
	return list
}

// allOf checks that all of them were answered so, and in time.
func allOf(t *testing.T, when string, list []*errand, want ...string) {
	t.Helper()
	counts := map[string]int{}
	for _, e := range list {
		switch {
		case e.err != nil:
			counts[e.err.Error()]++
		default:
			counts[e.outcome]++
		}
		if e.took > answerTime {
			timing(t, "%s: answered after %v", when, e.took)
		}
	}
	for outcome, n := range counts {
		if !slices.Contains(want, outcome) {
			t.Errorf("%s: %d of %d were answered %s, want %s", when, n, len(list), outcome, fmt.Sprint(want))
		}
	}
}
