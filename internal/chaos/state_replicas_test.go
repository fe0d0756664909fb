//go:build unix

package chaos_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"dmconnector/internal/postgrestest"
)

// sharesLimits brings, to two replicas at once, more messages than the recipients
// may have, and then each of some messages many times.
func sharesLimits(t *testing.T) stateTally {
	dsn := postgrestest.Start(t).Database(t)
	u := newUpstream(t, 0)
	config := connectorTo(u.url, map[string]any{"recipient": "10/10m", "connector": "off"})
	connectors := writeConnector(t, config)
	first := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	second := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	tr := trial{upstream: u, address: first.address}
	tr.errands = append(
		exactLimits(t, u, first.address, second.address),
		oneKeyOneMail(t, u, first.address, second.address)...,
	)
	tr.texts = append(first.logs(), second.logs()...)
	result := tr.audit(t)
	first.stop(t)
	second.stop(t)
	return result
}

// exactLimits expects exactly ten mails to each recipient.
func exactLimits(t *testing.T, u *upstream, addresses ...string) []*errand {
	t.Helper()
	const recipients, perRecipient, each = 4, 200, 10
	begun := time.Now()
	var (
		list    = make([]*errand, recipients*perRecipient)
		seats   = make(chan struct{}, 40)
		running sync.WaitGroup
	)
	for i := range list {
		e := newErrand(i%8 >= 4)
		e.to = fmt.Sprintf("u%s-limited-%d@example.com", mark, i%recipients)
		e.once = true
		list[i] = e
		seats <- struct{}{}
		running.Go(func() { e.run(addresses, time.Time{}); <-seats })
	}
	running.Wait()
	allOf(t, "over the limit", list, sent, accepted, "rate_limited")
	drained(t, addresses[0])
	mails := map[string]int{}
	for _, m := range u.sandbox.Mails() {
		mails[m.To]++
	}
	for to, n := range mails {
		if n == each {
			continue
		}
		// One more is refilled each minute.
		if took := time.Since(begun); n > each && took > time.Minute {
			timing(t, "%d mails to one recipient within %v", n, took)
			continue
		}
		t.Errorf("%d mails to %s, want %d", n, to[len(to)-14:], each)
	}
	if len(mails) != recipients {
		t.Errorf("mails to %d recipients, want %d", len(mails), recipients)
	}
	return list
}

// oneKeyOneMail brings each message many times at once, until every caller has its
// answer.
func oneKeyOneMail(t *testing.T, u *upstream, addresses ...string) []*errand {
	t.Helper()
	const callers = 8
	var (
		all     []*errand
		running sync.WaitGroup
	)
	for i := range times(24) {
		e := newErrand(i%2 == 0)
		all = append(all, e)
		fresh := *e.request
		for n := range callers {
			again := e // the first stands for all in the audit
			if n > 0 {
				same := fresh
				again = &errand{request: &same, key: e.key, queued: e.queued}
			}
			running.Go(func() {
				again.run(addresses[n%len(addresses):][:1], time.Now().Add(patience))
				if again.err != nil || again.outcome != sent && again.outcome != accepted {
					t.Errorf("one of many with the same key was answered %s, %v", again.outcome, again.err)
				}
			})
		}
	}
	running.Wait()
	drained(t, addresses[0])
	counts, _ := u.accepted()
	for _, e := range all {
		if counts[e.code] != 1 {
			t.Errorf("%d mails for one key", counts[e.code])
		}
	}
	return all
}
