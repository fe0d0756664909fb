//go:build linux

package chaos_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
	"dmconnector/internal/postgrestest"
)

// dropsPostgres drops the packets from PostgreSQL for a while, or those to it too.
func dropsPostgres(t *testing.T, requests bool) stateTally {
	t.Helper()
	const outage = 14 * time.Second // the kernel's next retransmission comes 11 s later
	server := postgrestest.Start(t)
	dsn := server.Database(t)
	u := newUpstream(t, 0)
	w := newWire(t)
	listener := w.listen(t)
	newProxy(t, listener, server.Host())
	dsn = strings.Replace(dsn, server.Host(), listener.Addr().String(), 1)
	r, _ := w.newReplica(t, u, onPostgres(dsn)...)
	ev := evidence{upstream: u, address: r.address}
	before := runOnce(20, everyOtherQueued, r.address)
	allAnswered(t, "before", before, sent, accepted)
	drained(t, r.address)

	load := startLoad(messageRate(), everyOtherQueuedOnce, r.address)
	pause(300 * ms)
	var burst []*message
	burstEnded := make(chan struct{})
	go func() { // so that commits are in flight
		defer close(burstEnded)
		burst = runOnce(100, everyOtherQueued, r.address)
	}()
	within(t, clientTimeout, "a mail of the burst is at the upstream", func() bool { return len(u.history()) > len(before)+30 })
	dropped := span{begun: time.Now()}
	w.drop(portOf(listener), requests, true)
	pause(2 * time.Second)
	<-burstEnded
	crossing := append(load.end(), burst...)
	allAnswered(t, "while packets are dropped", crossing, sent, accepted, unavailable, overloaded, unknown)
	calls := len(u.history())
	during := runOnce(40, everyOtherQueued, r.address)
	allAnswered(t, "without PostgreSQL", during, unavailable)
	if outcome, _ := get(t, r.address, "/readyz"); outcome != "503" {
		t.Errorf("/readyz answers %s without PostgreSQL", outcome)
	}
	if n := len(u.history()); n != calls {
		t.Errorf("%d mails were sent without PostgreSQL", n-calls)
	}
	pause(outage - time.Since(dropped.begun))
	w.restore()
	dropped.ended = time.Now()
	ev.outages = []span{dropped}
	after := recovers(t, r.address)
	took := time.Since(dropped.ended)
	t.Logf("sent again %v after the packets came back", took)
	if took > 5*time.Second {
		timing(t, "it waited for retransmissions")
	}
	var newer []*message // for those whose commits are in doubt
	for _, m := range burst {
		if m.outcome == unknown {
			next := newMessage(false)
			next.to, next.usageType = m.to, m.usageType
			next.run([]string{r.address}, time.Now().Add(clientTimeout))
			newer = append(newer, next)
		}
	}
	t.Logf("%d commits were in doubt", len(newer))
	again := sendAgain(during, r.address)
	pause(retransmission(outage) - time.Since(dropped.begun))
	ev.messages = slices.Concat(before, crossing, after, again, newer)
	ev.texts = r.logs()
	result := ev.audit(t)
	result.requireOnce(t, u, again)
	u.requireNewest(t, newer)
	r.stop(t)
	return result
}

// requireNewest checks that these are the newest mails of their recipients.
func (u *upstream) requireNewest(t *testing.T, list []*message) {
	t.Helper()
	latest := map[string]sandbox.Mail{}
	for _, mail := range u.sandbox.Mails() {
		if mail.ReceivedAt.After(latest[mail.To].ReceivedAt) {
			latest[mail.To] = mail
		}
	}
	for _, m := range list {
		// Of two mails that are sent at the same time, either can be the first.
		if mail := latest[m.to]; mail.Subject != m.code && mail.ReceivedAt.Sub(m.begun) > m.took+time.Second {
			t.Errorf("the newest mail is an older message's, accepted %v after the newer one was begun", mail.ReceivedAt.Sub(m.begun))
		}
	}
}
