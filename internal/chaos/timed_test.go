//go:build unix

package chaos_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// runTimed runs the scenarios in which something changes meanwhile.
func runTimed(t *testing.T, all *results) {
	t.Helper()
	for name, scenario := range map[string]func(*testing.T) tally{
		"does not listen for the first 3 s":             listensLater,
		"rejects the key for 2 s":                       keyIsFixed,
		"disconnects while the mail waits for the rate": disconnectsWhileWaiting,
		"disconnects while the upstream is unreachable": disconnectsWhileRetrying,
		"1,000 idle connections":                        idleConnections,
		"writes requests, reads no answers":             neverRead,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := scenario(t)
			row.name = name
			all.add(row)
		})
	}
}

// finish stops the setup, and counts.
func (st *setup) finish(t *testing.T, group string, requests []*request) tally {
	t.Helper()
	return count(t, group, "", requests, st.end(t), st.service.log.String())
}

func listensLater(t *testing.T) tally {
	st, listen := newUnreachableSetup(t, limitsOff)
	later := time.AfterFunc(3*time.Second, listen)
	defer later.Stop()
	requests := newRequests(times(60) + 60)
	fireAtRate(st.service.address, requests, len(requests)/6, (*request).whole)
	result := st.finish(t, "Network", requests)
	result.allow(t, sent, gone)
	result.demand(t, sent, gone)
	return result
}

// keyIsFixed makes the breaker open, and close again after 30 s.
func keyIsFixed(t *testing.T) tally {
	st := newSetup(t, 0, limitsOff)
	st.sandbox.SetAccounts(nil)
	fixed := time.AfterFunc(2*time.Second, func() {
		st.sandbox.SetAccounts([]sandbox.Account{{AccessKeyID: "LTAItest", AccessKeySecret: keySecret}})
	})
	defer fixed.Stop()
	requests := newRequests(times(33 * 5))
	fireAtRate(st.service.address, requests, len(requests)/33, (*request).whole)
	result := st.finish(t, "Upstream", requests)
	result.allow(t, sent, rejected)
	result.demand(t, sent, rejected)
	return result
}

// acceptedOf counts the mails to the recipients of the requests.
func acceptedOf(requests []*request, mails []sandbox.Mail) int {
	recipients := map[string]bool{}
	for _, r := range requests {
		recipients[r.to] = true
	}
	n := 0
	for _, m := range mails {
		if recipients[m.To] {
			n++
		}
	}
	return n
}

// disconnectsWhileWaiting has callers that leave after the store accepted their
// messages: these are sent, and keep their places in the rate until then.
func disconnectsWhileWaiting(t *testing.T) tally {
	st := newSetup(t, 0, map[string]any{"recipient": "off", "connector": "20/5s"})
	requests := newRequests(20)
	fire(st.service.address, requests, 20, (*request).whole)
	leaving := newRequests(20) // the rate lets them go after 5 s
	for _, r := range leaving {
		r.usageType, r.behavior = "SignIn", behavior{aborts: true, abortAfter: 300 * ms}
	}
	fire(st.service.address, leaving, 20, (*request).whole)
	staying := newRequests(10)
	fire(st.service.address, staying, 10, (*request).whole)
	mails := st.end(t)
	if n := acceptedOf(leaving, mails); n != len(leaving) {
		timing(t, "%d of %d messages were sent after their callers disconnected", n, len(leaving))
	}
	all := slices.Concat(requests, leaving, staying)
	result := count(t, "Caller", "", all, mails, st.service.log.String())
	result.allow(t, sent, overloaded)
	if n := result.outcomes[overloaded]; n != len(staying) {
		timing(t, "%d of %d later messages were overloaded", n, len(staying))
	}
	return result
}

// disconnectsWhileRetrying has callers that leave while the upstream is unreachable.
// Their messages fail, and are not sent when it is reachable again.
func disconnectsWhileRetrying(t *testing.T) tally {
	st, listen := newUnreachableSetup(t, limitsOff)
	leaving := newRequests(40)
	for _, r := range leaving {
		r.behavior = behavior{aborts: true, abortAfter: 50 * ms}
	}
	fire(st.service.address, leaving, 40, (*request).whole)
	st.service.logged(t, `"msg":"mail not sent"`, len(leaving))
	listen()
	requests := newRequests(40)
	fire(st.service.address, requests, 40, (*request).whole)
	mails := st.end(t)
	if n := acceptedOf(leaving, mails); n > 0 {
		t.Errorf("%d of %d messages were sent after they had failed", n, len(leaving))
	}
	result := count(t, "Caller", "", append(requests, leaving...), mails, st.service.log.String())
	result.allow(t, sent)
	return result
}

func idleConnections(t *testing.T) tally {
	st := newSetup(t, 0, limitsOff)
	connections := make([]*connection, 1000)
	var requests []*request
	for i := range connections {
		connections[i] = &connection{address: st.service.address}
		defer connections[i].close()
	}
	for range times(1) { // each connection is idle while the others send
		for _, c := range connections {
			r := newRequest()
			c.exchange(r, r.whole())
			requests = append(requests, r)
		}
	}
	for _, c := range connections {
		c.close()
	}
	result := st.finish(t, "Caller", requests)
	result.allow(t, sent)
	return result
}

// neverRead has callers that fill every buffer with answers they do not read. The
// service must serve the others, and stop in time.
func neverRead(t *testing.T) tally {
	st := newSetup(t, 0, limitsOff)
	requests := newRequests(times(200))
	flood := strings.Repeat("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200)
	for range 5 {
		conn, err := net.Dial("tcp", st.service.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		go func() {
			for {
				if _, err := conn.Write([]byte(flood)); err != nil {
					return
				}
			}
		}()
	}
	fire(st.service.address, requests, 20, (*request).whole)
	result := st.finish(t, "Caller", requests)
	result.allow(t, sent)
	return result
}
