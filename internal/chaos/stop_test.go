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

// runStops has the scenarios in which the service stops, or another takes over.
func runStops(t *testing.T, book *ledger) {
	t.Helper()
	for name, scenario := range map[string]func(*testing.T) tally{
		"SIGTERM in the middle of a burst":                        stopsInBurst,
		"SIGTERM while the upstream hangs":                        stopsWhileHanging,
		"a kept connection's request 5 s after SIGTERM":           asksLate,
		"a successor takes over the socket, connections anew":     takesOver,
		"a successor takes over the socket, connections kept":     takesOverKept,
		"three successors, one after the other, upstream is slow": takesOverThrice,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := scenario(t)
			row.name = name
			book.add(row)
		})
	}
}

func stopsInBurst(t *testing.T) tally {
	return stopsMidway(t, sandbox.Fault{Kind: "delay", Duration: "300ms"}, times(200), sent)
}

func stopsWhileHanging(t *testing.T) tally {
	return stopsMidway(t, sandbox.Fault{Kind: "hang"}, times(40), unknown)
}

// stopsMidway stops the service one second after the first request. The last
// comes before the end of the 2 s in which it still accepts.
func stopsMidway(t *testing.T, fault sandbox.Fault, n int, want string) tally {
	t.Helper()
	st := newStage(t, 0, limitsOff)
	setFaults(t, st, fault)
	stop := time.AfterFunc(time.Second, func() { st.service.terminate(t) })
	defer stop.Stop()
	requests := firePaced(st.service.address, newRequests(n), n*10/25, (*request).whole, time.After(2500*ms))
	result := st.finish(t, "Stop", requests)
	result.allow(t, want)
	return result
}

// asksLate uses connections that were idle when the stop began, so late that a
// send which hangs could not end before the program.
func asksLate(t *testing.T) tally {
	st := newStage(t, 0, limitsOff)
	lines := make([]*line, 20)
	first := newRequests(len(lines))
	for i, r := range first {
		lines[i] = &line{address: st.service.address}
		defer lines[i].close()
		lines[i].exchange(r, r.whole())
	}
	setFaults(t, st, sandbox.Fault{Kind: "hang"})
	st.service.terminate(t)
	late := newRequests(len(lines))
	done := make(chan struct{})
	for i, r := range late {
		go func() {
			defer func() { done <- struct{}{} }()
			lines[i].exchange(r, append([]part{{5 * time.Second, ""}}, r.whole()...))
		}()
	}
	for range late {
		<-done
	}
	result := st.finish(t, "Stop", append(first, late...))
	result.allow(t, sent, unknown, "unavailable", "overloaded")
	return result
}

func setFaults(t *testing.T, st *stage, faults ...sandbox.Fault) {
	t.Helper()
	if err := st.sandbox.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// A relay of services hands one socket on.
type relay struct {
	stage
	socket *os.File
	config map[string]any
	past   []*service
}

func newRelay(t *testing.T, delay string) *relay {
	t.Helper()
	r := &relay{}
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

// handOver starts a successor, and then stops the service before it.
func (r *relay) handOver(t *testing.T) {
	t.Helper()
	successor := startService(t, r.config, r.socket)
	r.service.terminate(t)
	r.past = append(r.past, r.service)
	r.service = successor
}

// finish ends the last service, and counts.
func (r *relay) finish(t *testing.T, requests []*request) tally {
	t.Helper()
	mails := r.end(t)
	logs := []string{r.service.log.String()}
	for _, s := range r.past {
		s.stopped(context.Background(), t)
		logs = append(logs, s.log.String())
	}
	return count(t, "Stop", "", requests, mails, logs...)
}

// hesitant opens the connection up to 1.5 s before it writes.
func hesitant(r *request) []part {
	parts := r.whole()
	parts[0].after = rand.N(1500 * ms)
	return parts
}

func takesOver(t *testing.T) tally { return takeOver(t, times(1000), 1, hesitant) }

func takesOverThrice(t *testing.T) tally { return takeOver(t, times(1000), 3, (*request).whole) }

// takeOver hands the socket on while requests come over connections of their own.
func takeOver(t *testing.T, n, handOvers int, parts func(*request) []part) tally {
	t.Helper()
	r := newRelay(t, "100ms")
	requests := newRequests(n)
	done := make(chan struct{})
	go func() {
		defer close(done)
		firePaced(r.service.address, requests, 250, parts)
	}()
	for range handOvers {
		pause(500 * ms)
		r.handOver(t)
	}
	<-done
	result := r.finish(t, requests)
	result.allow(t, sent, "unavailable") // a predecessor begins nothing that could outlast it
	return result
}

// takesOverKept hands the socket on while callers use their connections for many
// requests.
func takesOverKept(t *testing.T) tally {
	r := newRelay(t, "20ms")
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
