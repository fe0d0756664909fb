//go:build linux

package attack_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answerTime is the service's deadline, from a request's first byte.
const answerTime = 8 * time.Second

// senders are good callers, like Logto: five sends a second, of which every fifth has a
// connection of its own.
type senders struct {
	mu       sync.Mutex
	outcomes map[string]int
	slowest  time.Duration
	sent     int
	finish   func()
}

var serial atomic.Int64

// sendBody is a send request as Logto makes it, to a recipient of its own.
func sendBody(code string) string {
	return fmt.Sprintf(`{"to":"u%d@example.com","type":"SignIn","payload":{"code":%q,"locale":"en"},"ip":"198.51.100.7"}`, serial.Add(1), code)
}

func newSenders(g *target) *senders {
	s := &senders{outcomes: map[string]int{}}
	var running sync.WaitGroup
	stop := make(chan struct{})
	kept, fresh := g.client(true), g.client(false)
	running.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			client := kept
			if n%5 == 4 {
				client = fresh
			}
			running.Go(func() { s.send(g, client) })
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	s.finish = sync.OnceFunc(func() {
		close(stop)
		running.Wait()
	})
	return s
}

func (s *senders) send(g *target, client *http.Client) {
	begun := time.Now()
	a, err := g.call(client, http.MethodPost, "/api/send", sendBody("123456"),
		"Authorization", "Bearer "+sendToken, "Content-Type", "application/json", "User-Agent", "got (https://github.com/sindresorhus/got)")
	took := time.Since(begun)
	outcome := strings.TrimSpace(fmt.Sprint(a.status, " ", a.header.Get("Dmconnector-Code")))
	if err != nil {
		outcome = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes[outcome]++
	s.sent++
	s.slowest = max(s.slowest, took)
}

// count is how many sends have been answered.
func (s *senders) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// judge waits for all answers, and checks them.
func (s *senders) judge(t *testing.T) {
	t.Helper()
	s.finish()
	for _, outcome := range slices.Sorted(maps.Keys(s.outcomes)) {
		if outcome != "200" {
			t.Errorf("good senders: %d of %d: %s", s.outcomes[outcome], s.sent, outcome)
		}
	}
	if s.slowest > answerTime {
		timing(t, "good senders: the slowest answer took %v", s.slowest)
	}
}
