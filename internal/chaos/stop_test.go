//go:build unix

package chaos_test

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// runStops runs the scenarios in which the service stops or is replaced.
func runStops(t *testing.T, all *results) {
	t.Helper()
	for name, scenario := range map[string]func(*testing.T) tally{
		"SIGTERM during a burst":                               stopsInBurst,
		"SIGTERM while the upstream hangs":                     stopsWhileHanging,
		"request on a keep-alive connection 5 s after SIGTERM": asksLate,
		"socket handover, new connections":                     takesOver,
		"socket handover, keep-alive connections":              takesOverKept,
		"three socket handovers in a row, slow upstream":       takesOverThrice,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := scenario(t)
			row.name = name
			all.add(row)
		})
	}
}

func stopsInBurst(t *testing.T) tally {
	return stopsMidway(t, sandbox.Fault{Kind: "delay", Duration: "300ms"}, times(200), sent)
}

func stopsWhileHanging(t *testing.T) tally {
	// More than the 128 that a connector sends at once wait in vain.
	return stopsMidway(t, sandbox.Fault{Kind: "hang"}, times(40), unknown, overloaded)
}

// stopsMidway stops the service one second after the first request. The last request
// arrives within the 2 s in which a stopping service still accepts.
func stopsMidway(t *testing.T, fault sandbox.Fault, n int, want ...string) tally {
	t.Helper()
	st := newSetup(t, 0, limitsOff)
	setFaults(t, st, fault)
	stop := time.AfterFunc(time.Second, func() { st.service.terminate(t) })
	defer stop.Stop()
	requests := fireAtRate(st.service.address, newRequests(n), n*10/25, (*request).whole, time.After(2500*ms))
	result := st.finish(t, "Stop", requests)
	result.allow(t, want...)
	return result
}

// asksLate uses connections that were idle when the stop began, too late for a hanging
// send to end before the program.
func asksLate(t *testing.T) tally {
	st := newSetup(t, 0, limitsOff)
	connections := make([]*connection, 20)
	first := newRequests(len(connections))
	for i, r := range first {
		connections[i] = &connection{address: st.service.address}
		defer connections[i].close()
		connections[i].exchange(r, r.whole())
	}
	setFaults(t, st, sandbox.Fault{Kind: "hang"})
	st.service.terminate(t)
	late := newRequests(len(connections))
	done := make(chan struct{})
	for i, r := range late {
		go func() {
			defer func() { done <- struct{}{} }()
			connections[i].exchange(r, append([]part{{5 * time.Second, ""}}, r.whole()...))
		}()
	}
	for range late {
		<-done
	}
	result := st.finish(t, "Stop", append(first, late...))
	result.allow(t, sent, unknown, unavailable, overloaded)
	return result
}

func setFaults(t *testing.T, st *setup, faults ...sandbox.Fault) {
	t.Helper()
	if err := st.sandbox.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// A handover passes one socket from process to process.
type handover struct {
	setup
	socket *os.File
	config map[string]any
	past   []*service
}

func newHandover(t *testing.T, delay string) *handover {
	t.Helper()
	r := &handover{}
	r.sandbox, r.server = newSandbox(t, 0)
	if err := r.sandbox.SetFaults(sandbox.Fault{Kind: "delay", Duration: delay}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.socket, err = listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	t.Cleanup(func() { r.socket.Close() })
	r.config = connectorTo(r.server.URL, limitsOff)
	r.service = startService(t, r.config, r.socket)
	return r
}

// handOver starts a new process, and then stops the old one.
func (r *handover) handOver(t *testing.T) {
	t.Helper()
	next := startService(t, r.config, r.socket)
	r.service.terminate(t)
	r.past = append(r.past, r.service)
	r.service = next
}

// finish stops the last process, and counts.
func (r *handover) finish(t *testing.T, requests []*request) tally {
	t.Helper()
	mails := r.end(t)
	logs := []string{r.service.log.String()}
	for _, s := range r.past {
		s.stopped(context.Background(), t)
		logs = append(logs, s.log.String())
	}
	return count(t, "Stop", "", requests, mails, logs...)
}

// hesitant writes up to 1.5 s after its connection is open.
func hesitant(r *request) []part {
	parts := r.whole()
	parts[0].after = rand.N(1500 * ms)
	return parts
}

func takesOver(t *testing.T) tally { return takeOver(t, times(1000), 1, hesitant) }

func takesOverThrice(t *testing.T) tally { return takeOver(t, times(1000), 3, (*request).whole) }

// takeOver hands the socket over while requests arrive, each on a new connection.
func takeOver(t *testing.T, n, handOvers int, parts func(*request) []part) tally {
	t.Helper()
	r := newHandover(t, "100ms")
	requests := newRequests(n)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fireAtRate(r.service.address, requests, 250, parts)
	}()
	for range handOvers {
		pause(500 * ms)
		r.handOver(t)
	}
	<-done
	result := r.finish(t, requests)
	result.allow(t, sent, unavailable) // a stopping process begins no send that could outlast it
	return result
}

// takesOverKept hands the socket over while callers use keep-alive connections.
func takesOverKept(t *testing.T) tally {
	r := newHandover(t, "20ms")
	requests := newRequests(times(1000))
	done := make(chan struct{})
	address := r.service.address
	go func() {
		defer close(done)
		fire(address, requests, 10, (*request).whole)
	}()
	pause(500 * ms)
	r.handOver(t)
	<-done
	result := r.finish(t, requests)
	result.allow(t, sent)
	return result
}
