package delivery

import (
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// A call is one send in flight, and what its callers wait for.
type call struct {
	id  string // its message's
	key *Hash  // what equal requests share; nil if none can join

	superseded chan struct{} // closed when a newer code supersedes it
	done       chan struct{} // closed when the fields below are set

	report  Report
	failure *Error
	aborted bool              // its caller left before it was accepted
	span    trace.SpanContext // its own, if it is traced
}

// inFlight joins equal requests, and tells calls that they are superseded. Which
// call supersedes which is decided by the store.
type inFlight struct {
	mu     sync.Mutex
	joined map[Hash]*call
	byID   map[string]*call
}

// join returns the call that a request belongs to, and whether it is a new one,
// which the caller must lead to its end. A new call is known by the id of its message
// before that is accepted, so that no newer message can miss it.
func (f *inFlight) join(id string, key *Hash) (c *call, isNew bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if key != nil && f.joined[*key] != nil {
		return f.joined[*key], false
	}
	c = &call{id: id, key: key, superseded: make(chan struct{}), done: make(chan struct{})}
	f.byID[id] = c
	if key != nil {
		f.joined[*key] = c
	}
	return c, true
}

// supersede tells the calls of these messages, as far as they are in this process.
func (f *inFlight) supersede(ids []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		if c, ok := f.byID[id]; ok {
			delete(f.byID, id) // the channel is closed once
			close(c.superseded)
		}
	}
}

// finish ends a call.
func (f *inFlight) finish(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.key != nil {
		delete(f.joined, *c.key)
	}
	if f.byID[c.id] == c { // a queued message may be claimed already
		delete(f.byID, c.id)
	}
	close(c.done)
}
