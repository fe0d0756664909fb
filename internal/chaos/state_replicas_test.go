//go:build unix

package chaos_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"dmconnector/internal/postgrestest"
)

// sharesLimits sends more messages to two replicas than their recipients' limits
// allow, and then some messages many times with one key.
func sharesLimits(t *testing.T) stateTally {
	dsn := postgrestest.Start(t).Database(t)
	u := newUpstream(t, 0)
	config := connectorTo(u.url, map[string]any{"recipient": "10/10m", "connector": "off"})
	connectors := writeConnector(t, config)
	first := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	second := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	ev := evidence{upstream: u, address: first.address}
	ev.messages = append(
		exactLimits(t, u, first.address, second.address),
		oneKeyOneMail(t, u, first.address, second.address)...,
	)
	ev.texts = append(first.logs(), second.logs()...)
	result := ev.audit(t)
	first.stop(t)
	second.stop(t)
	return result
}

// exactLimits expects exactly ten mails for each recipient.
func exactLimits(t *testing.T, u *upstream, addresses ...string) []*message {
	t.Helper()
	const recipients, perRecipient, each = 4, 200, 10
	begun := time.Now()
	var (
		list    = make([]*message, recipients*perRecipient)
		slots   = make(chan struct{}, 40)
		running sync.WaitGroup
	)
	for i := range list {
		m := newMessage(i%8 >= 4)
		m.to = fmt.Sprintf("u%s-limited-%d@example.com", mark, i%recipients)
		m.once = true
		list[i] = m
		slots <- struct{}{}
		running.Go(func() { m.run(addresses, time.Time{}); <-slots })
	}
	running.Wait()
	allAnswered(t, "over the limit", list, sent, accepted, limited)
	drained(t, addresses[0])
	mails := map[string]int{}
	for _, m := range u.sandbox.Mails() {
		mails[m.To]++
	}
	for to, n := range mails {
		if n == each {
			continue
		}
		// The limit allows one more after each minute.
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

// oneKeyOneMail sends each message many times at once with one key, and expects one
// mail.
func oneKeyOneMail(t *testing.T, u *upstream, addresses ...string) []*message {
	t.Helper()
	const callers = 8
	var (
		all     []*message
		running sync.WaitGroup
	)
	for i := range times(24) {
		m := newMessage(i%2 == 0)
		all = append(all, m)
		fresh := *m.request
		for n := range callers {
			again := m // the audit sees the first alone
			if n > 0 {
				same := fresh
				again = &message{request: &same, key: m.key, queued: m.queued}
			}
			running.Go(func() {
				again.run(addresses[n%len(addresses):][:1], time.Now().Add(clientTimeout))
				if again.err != nil || again.outcome != sent && again.outcome != accepted {
					t.Errorf("one of several requests with the same key was answered %s, %v", again.outcome, again.err)
				}
			})
		}
	}
	running.Wait()
	drained(t, addresses[0])
	counts, _ := u.accepted()
	for _, m := range all {
		if counts[m.code] != 1 {
			t.Errorf("%d mails for one key", counts[m.code])
		}
	}
	return all
}
