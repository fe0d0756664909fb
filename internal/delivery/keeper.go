package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// ErrInDoubt says that a [Keeper] may have done what it was asked for.
var ErrInDoubt = errors.New("it may have been done")

// A Hash names a subject, such as a recipient, without telling it: a keyed hash.
type Hash [sha256.Size]byte

// A Mode says how a message is delivered.
type Mode string

// The modes.
const (
	Direct Mode = "direct" // while its caller waits
	Queued Mode = "queued" // after its caller has been told that it is safe
	Test   Mode = "test"   // for an admin
)

// A State is where a message stands.
type State string

// The states. All but the first two are final, save that an admin may have a
// dead or unknown message sent again.
const (
	StateQueued  State = "queued"
	StateSending State = "sending"
	StateSent    State = "sent"
	StateFailed  State = "failed"  // certainly not accepted
	StateDead    State = "dead"    // queued, and refused for good
	StateExpired State = "expired" // queued, and not sent while it was good
	StateUnknown State = "unknown" // may have been accepted
)

// Final reports whether nothing more happens by itself.
func (s State) Final() bool { return s != StateQueued && s != StateSending }

// A Taking is what a message takes of one limit: one of the Count that are
// refilled evenly over Per.
type Taking struct {
	Name    string        `json:"name"` // for the operator
	Subject Hash          `json:"subject"`
	Count   int           `json:"count"`
	Per     time.Duration `json:"per"`
}

// An Entry is a message as it is remembered.
type Entry struct {
	ID        string // a UUID of version 7
	Connector string
	Type      string // one of the usage types, else "other"
	Mode      Mode
	Recipient string // masked
	Address   Hash   // of the recipient

	Idempotency *Hash // of connector and Idempotency-Key, if there is one
	Body        Hash  // of connector and body
	Person      *Hash // whom the code is for, if that is known

	Takings []Taking
	Hold    bool   // not to be sent again after a crash
	Payload []byte // the message itself, for one that is queued; the keeper seals it

	Arrived, Expires time.Time
	Report           Report
}

// An Admission says what became of an [Entry] that asked for admission.
type Admission struct {
	// Known is the message that the entry is equal to: its Idempotency-Key was
	// used before, or the same request is queued. Nothing was remembered then.
	Known *Record
	// Refusing is the limit that is used up, and Wait how long it takes until it
	// has one more. The entry was remembered as failed.
	Refusing *Taking
	Wait     time.Duration
}

// A Settlement is the end of one try to deliver a message.
type Settlement struct {
	ID      string
	Attempt int   // which try: a later one must not be overwritten
	State   State // StateQueued has it tried again at Due
	Code    Code
	Due     time.Time

	ReleaseKey  bool     // the same request may come again
	GiveBack    []Taking // was not used
	KeepPayload bool     // until the message expires, to be sent again by hand
	Report      Report
}

// A Work is a queued message that was taken up, under a lease.
type Work struct {
	Record
	Attempt int // for its [Settlement]
	Payload []byte
	Takings []Taking
}

// A Keeper remembers messages. Every method returns when what it did is as
// durable as the keeper is.
type Keeper interface {
	// Hash returns the hash of what the parts name.
	Hash(parts ...string) Hash
	// Admit remembers the message, if it is new and within its limits, as queued
	// or as sending, and has it overtake what waits for the same person. It is one
	// step: limits are exact, and of equal keys one is admitted. An error that wraps
	// ErrInDoubt leaves open whether it was.
	Admit(ctx context.Context, e *Entry) (Admission, error)
	// Note remembers a message that was refused before it asked for admission. It
	// does not wait, and under a flood leaves some out.
	Note(e *Entry, s Settlement)
	// Settle remembers how a try ended. It reports false if the message is not
	// that try's any more.
	Settle(ctx context.Context, s Settlement) (bool, error)
	// Overtaken reports whether a newer code for the same person was admitted.
	Overtaken(ctx context.Context, id string) (bool, error)
	// TakeUp takes up at most n queued messages that are due, those due first before
	// others. Messages of the connectors in without are left where they are, and
	// count for nothing. Fewer than n means that there were no others to take up.
	TakeUp(ctx context.Context, n int, without []string) ([]Work, error)
	// Waiting returns a channel that is signalled when a message may be due.
	Waiting() <-chan struct{}
	// Replicas is how many processes share the state, this one included.
	Replicas() int
}
