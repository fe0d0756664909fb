package delivery

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// A flight is one message on its way, and the callers that wait for it.
type flight struct {
	bodySum [sha256.Size]byte

	superseded chan struct{} // closed when a newer code overtakes it while it waits
	done       chan struct{} // closed when report and failure are set
	report     Report
	failure    *Error

	// Guarded by flights.mu.
	callers   int
	waiting   bool // for its turn, or for its next attempt
	overtaken bool // by a newer code

	// gone ends when no caller waits any more: what has not been written yet
	// need not be.
	gone  context.Context //nolint:containedctx // it is the callers' going, not a call's context
	leave context.CancelFunc
}

// flights knows what is on its way, and what became of messages that came with
// an Idempotency-Key.
type flights struct {
	mu      sync.Mutex
	joined  map[limitKey]*flight // without a key: by connector and body
	keyed   map[limitKey]*keyed  // by connector and Idempotency-Key
	newest  map[limitKey]*flight // by whom a code is for
	expires []expiry             // of keyed, in the order of their time
}

// keyed is a message with an Idempotency-Key: on its way, or ended for good.
type keyed struct {
	flight  *flight
	settled bool
}

type expiry struct {
	key limitKey
	at  time.Time
}

const (
	keyLifetime = 24 * time.Hour
	maxKeys     = 1 << 18 // then the oldest are forgotten first
)

func newFlights() *flights {
	return &flights{
		joined: make(map[limitKey]*flight),
		keyed:  make(map[limitKey]*keyed),
		newest: make(map[limitKey]*flight),
	}
}

// boarding says under which names a message is looked for.
type boarding struct {
	bodySum [sha256.Size]byte
	key     *limitKey // its Idempotency-Key
	join    *limitKey // what equal messages share
	person  *limitKey // whom the code is for, if that is known
}

// board returns the flight that the message belongs to, and whether it is a new
// one that the caller must lead to its end. The code, if any, says why it may
// not fly: in_progress or idempotency_mismatch.
func (fs *flights) board(now time.Time, b boarding) (f *flight, isNew bool, refusal Code) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.forget(now)
	if b.key != nil {
		if known, ok := fs.keyed[*b.key]; ok {
			return known.meet(b)
		}
	} else if f, ok := fs.joined[*b.join]; ok {
		f.callers++
		if f.callers == 1 { // all others have gone
			f.gone, f.leave = context.WithCancel(context.Background())
		}
		return f, false, ""
	}
	f = newFlight(b.bodySum)
	if b.key != nil {
		fs.keyed[*b.key] = &keyed{flight: f}
	} else {
		fs.joined[*b.join] = f
	}
	fs.supersede(b.person, f)
	return f, true, ""
}

func (k *keyed) meet(b boarding) (*flight, bool, Code) {
	switch {
	case k.flight.bodySum != b.bodySum:
		return nil, false, IdempotencyMismatch
	case !k.settled:
		return nil, false, InProgress
	default:
		return k.flight, false, ""
	}
}

func newFlight(sum [sha256.Size]byte) *flight {
	f := &flight{
		bodySum: sum, callers: 1, waiting: true,
		superseded: make(chan struct{}), done: make(chan struct{}),
	}
	f.gone, f.leave = context.WithCancel(context.Background())
	return f
}

// supersede makes f the newest flight for a person, and overtakes the one before
// if it still waits.
func (fs *flights) supersede(person *limitKey, f *flight) {
	if person == nil {
		return
	}
	if older, ok := fs.newest[*person]; ok {
		older.overtaken = true
		if older.waiting {
			close(older.superseded)
		}
	}
	fs.newest[*person] = f
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
	f.waiting = true
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

// land ends the flight. A result that the same request would get again is kept
// for its Idempotency-Key; any other releases the key.
func (fs *flights) land(now time.Time, b boarding, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	switch {
	case b.key == nil:
		delete(fs.joined, *b.join)
	case f.failure != nil && f.failure.releasesKey():
		delete(fs.keyed, *b.key)
	default:
		f.report.Trace, f.report.Attempts = nil, nil // they are in the log; this is kept for long
		fs.keyed[*b.key].settled = true
		fs.expires = append(fs.expires, expiry{*b.key, now.Add(keyLifetime)})
	}
	if b.person != nil && fs.newest[*b.person] == f {
		delete(fs.newest, *b.person)
	}
	f.leave()
	close(f.done)
}

// forget drops the keys whose time is over.
func (fs *flights) forget(now time.Time) {
	for len(fs.expires) > 0 && (len(fs.expires) > maxKeys || !now.Before(fs.expires[0].at)) {
		delete(fs.keyed, fs.expires[0].key)
		fs.expires = fs.expires[1:]
	}
}
