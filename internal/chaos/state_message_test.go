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

	"dmconnector/internal/errcode"
)

// A message is a request that its caller repeats with the same Idempotency-Key until
// the answer is final.
type message struct {
	*request
	key      string
	queued   bool // with Prefer: respond-async
	once     bool // the caller does not retry
	attempts int
	id       string // from the answer
}

func newMessage(queued bool) *message {
	r := newRequest()
	return &message{request: r, key: "key-of-" + r.code, queued: queued}
}

func (m *message) parts() []part {
	body := m.body()
	lines := []string{"Idempotency-Key: " + m.key}
	if m.queued {
		lines = append(lines, "Prefer: respond-async")
	}
	return []part{{0, headFor(body, lines...) + body}}
}

// accepted is the answer to a queued message.
const accepted = "202"

// retryable are the answers after which a caller repeats the message.
var retryable = []string{string(errcode.InProgress), unavailable, overloaded, limited, busy, gone}

// run sends the message until the answer is final, each time to a random address.
func (m *message) run(addresses []string, until time.Time) {
	for {
		m.outcome = ""
		c := &connection{address: addresses[rand.N(len(addresses))]}
		c.exchange(m.request, m.parts())
		c.close()
		m.attempts++
		if m.err == nil && !slices.Contains(retryable, m.outcome) || m.once || time.Now().After(until) {
			m.id = idIn(m.answer)
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

// A load sends messages at a rate until it is stopped.
type load struct {
	addresses []string
	make      func(n int) *message
	stop      chan struct{}
	once      sync.Once
	stopped   chan struct{}
	messages  []*message // after stopped
	running   sync.WaitGroup
}

// retryTime is longer than a replica needs to take over from a dead one.
const retryTime = 2 * time.Minute

func startLoad(perSecond int, build func(n int) *message, addresses ...string) *load {
	l := &load{addresses: addresses, make: build, stop: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(l.stopped)
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			m := l.make(n)
			l.messages = append(l.messages, m)
			l.running.Go(func() { m.run(l.addresses, time.Now().Add(retryTime)) })
			select {
			case <-tick.C:
			case <-l.stop:
				return
			}
		}
	}()
	return l
}

// halt stops sending new messages.
func (l *load) halt() {
	l.once.Do(func() { close(l.stop) })
	<-l.stopped
}

// end stops the load, and waits until each message has its answer.
func (l *load) end() []*message {
	l.halt()
	l.running.Wait()
	return l.messages
}

// everyOtherQueued returns a message that is queued if n is even.
func everyOtherQueued(n int) *message { return newMessage(n%2 == 0) }

// everyOtherQueuedOnce is the same for callers that do not retry.
func everyOtherQueuedOnce(n int) *message {
	m := everyOtherQueued(n)
	m.once = true
	return m
}

// runOnce sends n messages at once, each once.
func runOnce(n int, build func(n int) *message, addresses ...string) []*message {
	var (
		list    = make([]*message, n)
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

// allAnswered checks that all were answered as wanted, and in time.
func allAnswered(t *testing.T, when string, list []*message, want ...string) {
	t.Helper()
	counts := map[string]int{}
	for _, m := range list {
		switch {
		case m.err != nil:
			counts[m.err.Error()]++
		default:
			counts[m.outcome]++
		}
		if m.took > answerTime {
			timing(t, "%s: answered after %v", when, m.took)
		}
	}
	for outcome, n := range counts {
		if !slices.Contains(want, outcome) {
			t.Errorf("%s: %d of %d were answered %s, want %s", when, n, len(list), outcome, fmt.Sprint(want))
		}
	}
}
