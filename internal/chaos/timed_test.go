//go:build unix

package chaos_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// runTimed has the scenarios in which something changes meanwhile.
func runTimed(t *testing.T, book *ledger) {
	t.Helper()
	for name, scenario := range map[string]func(*testing.T) tally{
		"does not listen, and does after 3 s":             listensLater,
		"refuses the key, and takes it from 2 s on":       keyIsMended,
		"the caller goes while its mail waits":            goesWhileWaiting,
		"the caller goes while nobody is reached":         goesWhileRetrying,
		"1,000 idle connections":                          idleConnections,
		"callers that write requests and read no answers": neverRead,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := scenario(t)
			row.name = name
			book.add(row)
		})
	}
}

// finish ends the stage and counts.
func (st *stage) finish(t *testing.T, group string, requests []*request) tally {
	t.Helper()
	return count(t, group, "", requests, st.end(t), st.service.log.String())
}

func listensLater(t *testing.T) tally {
	st, listen := newDeafStage(t, limitsOff)
	later := time.AfterFunc(3*time.Second, listen)
	defer later.Stop()
	requests := newRequests(times(60) + 60)
	firePaced(st.service.address, requests, len(requests)/6, (*request).whole)
	result := st.finish(t, "Network", requests)
	result.allow(t, sent, gone)
	result.demand(t, sent, gone)
	return result
}

// keyIsMended sees the breaker open, and close again after its 30 s.
func keyIsMended(t *testing.T) tally {
	st := newStage(t, 0, limitsOff)
	st.sandbox.SetAccounts(nil)
	mended := time.AfterFunc(2*time.Second, func() {
		st.sandbox.SetAccounts([]sandbox.Account{{AccessKeyID: "LTAItest", AccessKeySecret: keySecret}})
	})
	defer mended.Stop()
	requests := newRequests(times(33 * 5))
	firePaced(st.service.address, requests, len(requests)/33, (*request).whole)
	result := st.finish(t, "Upstream", requests)
	result.allow(t, sent, refused)
	result.demand(t, sent, refused)
	return result
}

// noneAccepted checks that what nobody waited for any more was not sent.
func noneAccepted(t *testing.T, requests []*request, mails []sandbox.Mail) {
	t.Helper()
	gone := map[string]bool{}
	for _, r := range requests {
		gone[r.to] = true
	}
	n := 0
	for _, m := range mails {
		if gone[m.To] {
			n++
		}
	}
	if n > 0 {
		timing(t, "%d of %d mails were sent after their callers had gone", n, len(requests))
	}
}

func goesWhileWaiting(t *testing.T) tally {
	st := newStage(t, 0, map[string]any{"recipient": "off", "connector": "20/5s"})
	requests := newRequests(20)
	fire(st.service.address, requests, 20, (*request).whole)
	leaving := newRequests(20) // for which the pace has no place before 5 s
	for _, r := range leaving {
		r.usageType, r.manner = "SignIn", manner{aborts: true, abortAfter: 300 * ms}
	}
	fire(st.service.address, leaving, 20, (*request).whole)
	staying := newRequests(10)
	fire(st.service.address, staying, 10, (*request).whole)
	mails := st.end(t)
	noneAccepted(t, leaving, mails)
	all := append(append(requests, leaving...), staying...)
	result := count(t, "Caller", "", all, mails, st.service.log.String())
	result.allow(t, sent, "overloaded")
	return result
}

func goesWhileRetrying(t *testing.T) tally {
	st, listen := newDeafStage(t, limitsOff)
	leaving := newRequests(40)
	for _, r := range leaving {
		r.manner = manner{aborts: true, abortAfter: 50 * ms}
	}
	fire(st.service.address, leaving, 40, (*request).whole)
	st.service.said(t, `"msg":"mail not sent"`, len(leaving))
	listen()
	requests := newRequests(40)
	fire(st.service.address, requests, 40, (*request).whole)
	mails := st.end(t)
	noneAccepted(t, leaving, mails)
	return count(t, "Caller", "", append(requests, leaving...), mails, st.service.log.String())
}

func idleConnections(t *testing.T) tally {
	st := newStage(t, 0, limitsOff)
	lines := make([]*line, 1000)
	var requests []*request
	for i := range lines {
		lines[i] = &line{address: st.service.address}
		defer lines[i].close()
	}
	for range times(1) { // each line is idle while the others have their turns
		for _, l := range lines {
			r := newRequest()
			l.exchange(r, r.whole())
			requests = append(requests, r)
		}
	}
	for _, l := range lines {
		l.close()
	}
	result := st.finish(t, "Caller", requests)
	result.allow(t, sent)
	return result
}

// neverRead has callers with whose answers every buffer fills up. The service
// must go on for the others, and end in time.
func neverRead(t *testing.T) tally {
	st := newStage(t, 0, limitsOff)
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
