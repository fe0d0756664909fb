//go:build unix

package chaos_test

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// readyInterval is the time between two requests to /readyz.
	readyInterval = 200 * ms
	// Failures that are no further apart than failureGap belong to one period. Shorter
	// periods than failureTime may fall between two requests to /readyz.
	failureGap, failureTime = 2 * time.Second, 3 * time.Second
)

// A readiness is what /readyz of an address has answered.
type readiness struct {
	mu      sync.Mutex
	answers []readyAnswer
}

type readyAnswer struct {
	span
	ready bool
}

// readinessOf holds a *readiness for each address. Processes that follow each other on
// a socket share one.
var readinessOf sync.Map

var readyClient = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// watchReady requests /readyz until the process ends or is asked to.
func (s *service) watchReady() {
	found, _ := readinessOf.LoadOrStore(s.address, new(readiness))
	watched := found.(*readiness)
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		answer := readyAnswer{span: span{begun: time.Now()}}
		resp, err := readyClient.Get("http://" + s.address + "/readyz")
		if err == nil {
			resp.Body.Close()
			answer.ready = resp.StatusCode == http.StatusOK
		}
		answer.ended = time.Now()
		watched.mu.Lock()
		watched.answers = append(watched.answers, answer)
		watched.mu.Unlock()
		select {
		case <-tick.C:
		case <-s.stopping:
			return
		case <-s.ended:
			return
		}
	}
}

// A failedSend is when a send was answered unavailable.
type failedSend struct {
	at      time.Time
	address string
}

// readyWhileFailing counts the sends of failure periods throughout which the service
// said that it was ready. A period begins when the first send has failed: until then
// nobody can know.
func readyWhileFailing(t *testing.T, failed []failedSend) int {
	t.Helper()
	slices.SortFunc(failed, func(a, b failedSend) int {
		return cmp.Or(strings.Compare(a.address, b.address), a.at.Compare(b.at))
	})
	n := 0
	for len(failed) > 0 {
		size := 1
		for size < len(failed) && failed[size].address == failed[0].address && failed[size].at.Sub(failed[size-1].at) <= failureGap {
			size++
		}
		period := span{failed[0].at, failed[size-1].at}
		if period.ended.Sub(period.begun) > failureTime && alwaysReady(failed[0].address, period) {
			n += size
			t.Logf("ready while %d sends failed, from %v to %v", size, period.begun.Format(time.StampMilli), period.ended.Format(time.StampMilli))
		}
		failed = failed[size:]
	}
	return n
}

// alwaysReady reports whether /readyz was asked in that period and always answered 200.
func alwaysReady(address string, period span) bool {
	found, ok := readinessOf.Load(address)
	if !ok {
		return false
	}
	watched := found.(*readiness)
	watched.mu.Lock()
	defer watched.mu.Unlock()
	asked := false
	for _, answer := range watched.answers {
		if answer.begun.Before(period.begun) || answer.begun.After(period.ended) {
			continue
		}
		if !answer.ready {
			return false
		}
		asked = true
	}
	return asked
}

const (
	// sendTime is the deadline of the last attempt, from a request's first byte.
	sendTime = 7500 * ms
	// lateTolerance is for the time from a mail's last byte to its acceptance.
	lateTolerance = 300 * ms
)

// late reports whether a mail that was accepted at that time came after its request was
// answered as failed or unknown, or later than the service may send.
func (r *request) late(accepted time.Time) bool {
	after := accepted.Sub(r.begun)
	answered := !r.aborts && r.err == nil && r.outcome != sent
	return after > sendTime+lateTolerance || answered && after > r.took+lateTolerance
}

func TestReadyWhileFailing(t *testing.T) {
	begun := time.Now()
	at := func(from, to time.Duration) span { return span{begun.Add(from), begun.Add(to)} }
	for _, test := range []struct {
		name    string
		answers []readyAnswer
		want    int
	}{
		{"always ready", []readyAnswer{{at(0, 0), true}, {at(time.Second, time.Second), true}}, 3},
		{"not ready once", []readyAnswer{{at(0, 0), true}, {at(time.Second, time.Second), false}}, 0},
		{"not ready after it", []readyAnswer{{at(0, 0), true}, {at(9*time.Second, 9*time.Second), false}}, 3},
		{"not asked", nil, 0},
	} {
		address := "of " + test.name
		readinessOf.Store(address, &readiness{answers: test.answers})
		failed := []failedSend{
			{begun.Add(4 * time.Second), address},
			{begun, address},
			{begun.Add(2 * time.Second), address},
			{begun.Add(40 * time.Second), address}, // too short
		}
		if got := readyWhileFailing(t, failed); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestLate(t *testing.T) {
	begun := time.Now()
	for _, test := range []struct {
		r    request
		at   time.Duration
		want bool
	}{
		{request{outcome: unknown, took: time.Second}, 900 * ms, false},
		{request{outcome: unknown, took: time.Second}, 2 * time.Second, true},
		{request{outcome: sent, took: time.Second}, 2 * time.Second, false},
		{request{outcome: sent, took: 7900 * ms}, 7850 * ms, true},
		{request{behavior: behavior{aborts: true}}, 2 * time.Second, false},
		{request{behavior: behavior{aborts: true}}, 8 * time.Second, true},
	} {
		test.r.begun = begun
		if got := test.r.late(begun.Add(test.at)); got != test.want {
			t.Errorf("%s after %v, accepted after %v: %t", test.r.outcome, test.r.took, test.at, got)
		}
	}
}
