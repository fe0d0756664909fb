package delivery

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// A flight is one message on its way, and the callers that wait for it.
type flight struct {
	join   *Hash // what equal requests share; nil if it takes no others along
	person *Hash // whom its code is for, once it is the newest

	superseded chan struct{} // closed when a newer code overtakes it while it waits
	done       chan struct{} // closed when report and failure are set
	report     Report
	failure    *Error
	span       trace.SpanContext // its own, if it is traced; set with them

	// Guarded by flights.mu.
	callers   int
	waiting   bool // for its turn, or for its next attempt
	overtaken bool // by a newer code

	// gone ends when no caller waits any more: what has not been written yet
	// need not be.
	gone  context.Context //nolint:containedctx // it is the callers' going, not a call's context
	leave context.CancelFunc
}

// flights knows what is on its way in this process.
type flights struct {
	mu     sync.Mutex
	joined map[Hash]*flight // by connector and body
	newest map[Hash]*flight // by whom a code is for
}

func newFlights() *flights {
	return &flights{joined: make(map[Hash]*flight), newest: make(map[Hash]*flight)}
}

func newFlight(join *Hash) *flight {
	f := &flight{join: join, callers: 1, waiting: true, superseded: make(chan struct{}), done: make(chan struct{})}
	f.gone, f.leave = context.WithCancel(context.Background())
	return f
}

// board returns the flight that a request belongs to, and whether it is a new one
// that the caller must lead to its end.
func (fs *flights) board(join *Hash) (f *flight, isNew bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if join == nil {
		return newFlight(nil), true
	}
	if f, ok := fs.joined[*join]; ok {
		f.callers++
		if f.callers == 1 { // all others have gone
			f.gone, f.leave = context.WithCancel(context.Background())
		}
		return f, false
	}
	f = newFlight(join)
	fs.joined[*join] = f
	return f, true
}

// carry returns the flight of a queued message. No caller can leave it.
func (fs *flights) carry(person *Hash) *flight {
	f := newFlight(nil)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	// It may be older than what is on its way already, and overtakes nothing.
	if person != nil && fs.newest[*person] == nil {
		f.person = person
		fs.newest[*person] = f
	}
	return f
}

// supersede makes f the newest flight for a person, and overtakes the one before
// if it still waits.
func (fs *flights) supersede(person Hash, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if older, ok := fs.newest[person]; ok {
		older.overtaken = true
		if older.waiting {
			older.waiting = false
			close(older.superseded)
		}
	}
	f.person = &person
	fs.newest[person] = f
}

// begin says that an attempt begins, which nothing overtakes any more, and
// returns what ends with the last caller's going. It returns false if something
// has overtaken the flight already.
func (fs *flights) begin(f *flight) (gone context.Context, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiting = false
	return f.gone, !f.overtaken
}

// wait says that the flight waits for another attempt. It returns false if
// something has overtaken it during the last one.
func (fs *flights) wait(f *flight) (gone context.Context, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.waiting = !f.overtaken
	return f.gone, !f.overtaken
}

// disembark says that a caller waits no more.
func (fs *flights) disembark(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.callers--
	if f.callers == 0 {
		f.leave()
	}
}

// land ends the flight.
func (fs *flights) land(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.join != nil {
		delete(fs.joined, *f.join)
	}
	if f.person != nil && fs.newest[*f.person] == f {
		delete(fs.newest, *f.person)
	}
	f.leave()
	close(f.done)
}
