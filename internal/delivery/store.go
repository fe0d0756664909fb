package delivery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dmconnector/internal/errcode"
)

// Errors of a [Store].
var (
	// ErrInDoubt says that the store may have done what it was asked for.
	ErrInDoubt = errors.New("it may have been done")
	// ErrSuperseded says that a newer code with the same supersede key was accepted.
	ErrSuperseded = errors.New("superseded by a newer code")
	// ErrLost says that the message no longer belongs to this attempt.
	ErrLost = errors.New("the lease of the message has ended")
)

// A Store keeps messages. Each method returns when its effect is as durable as the
// store is.
type Store interface {
	// Hash returns the keyed hash of what the parts name.
	Hash(parts ...string) Hash
	// Accept stores a new message within its limits, as queued or as sending, and
	// supersedes the waiting messages with the same key. It is one transaction: limits
	// are exact, and of equal Idempotency-Keys one is accepted. An error that wraps
	// ErrInDoubt leaves open whether the message was accepted.
	Accept(ctx context.Context, e *Entry) (Acceptance, error)
	// RecordRejected stores a message that was rejected before Accept. It does not
	// wait, and drops some under a flood.
	RecordRejected(e *Entry, o Outcome)
	// Confirm extends the lease of a message before an attempt. The error is
	// ErrSuperseded or ErrLost if the attempt must not begin.
	Confirm(ctx context.Context, id string, attempt int) error
	// Complete stores how an attempt ended. It reports false if the message no longer
	// belongs to that attempt.
	Complete(ctx context.Context, o Outcome) (bool, error)
	// Claim leases at most n queued messages that are due, the longest due first,
	// except those of some connectors. Fewer than n means that no others are due.
	Claim(ctx context.Context, n int, except []string) ([]Job, error)
	// Wake returns a channel that is signalled when a message may be due.
	Wake() <-chan struct{}
	// Replicas is how many processes share the store, this one included.
	Replicas() int
}

// A Hash names a subject, such as a recipient, without telling it: a keyed hash.
type Hash [sha256.Size]byte

// A Mode says how a message is delivered.
type Mode string

// The modes.
const (
	Direct Mode = "direct" // while its caller waits
	Queued Mode = "queued" // after its caller got 202
	Test   Mode = "test"   // for an admin
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{Direct, Queued, Test} }

// A State is the state of a message.
type State string

// The states; see [States].
const (
	StateQueued  State = "queued"
	StateSending State = "sending"
	StateSent    State = "sent"    // Aliyun accepted it
	StateFailed  State = "failed"  // certainly not accepted
	StateDead    State = "dead"    // queued, and rejected for good
	StateExpired State = "expired" // queued, and not sent while its code was good
	StateUnknown State = "unknown" // may have been accepted
)

// A StateKind is what the product does with messages in a state.
type StateKind struct {
	State State
	// Final says that nothing more happens by itself.
	Final bool
	// Retryable says that an admin may have the message sent again.
	Retryable bool
}

// States lists all states.
func States() []StateKind {
	return []StateKind{
		{StateQueued, false, false},
		{StateSending, false, false},
		{StateSent, true, false},
		{StateFailed, true, false},
		{StateDead, true, true},
		{StateExpired, true, false},
		{StateUnknown, true, true},
	}
}

// Kind returns what the product does with messages in this state.
func (s State) Kind() StateKind {
	for _, kind := range States() {
		if kind.State == s {
			return kind
		}
	}
	return StateKind{State: s}
}

// A Charge is what a message uses of one limit: one of the Count that are refilled
// evenly over Per.
type Charge struct {
	Limit   string        `json:"limit"` // such as "recipient"
	Subject Hash          `json:"subject"`
	Count   int           `json:"count"`
	Per     time.Duration `json:"per"`
}

func (c Charge) rate() string { return fmt.Sprintf("%d in %v", c.Count, c.Per) }

// An Entry is a message as it enters the store.
type Entry struct {
	ID        string // a UUID of version 7
	Connector string
	Type      string // one of [TypeLabels]
	Mode      Mode
	Recipient string // masked
	Address   Hash   // of the recipient

	Idempotency *Hash // of connector and Idempotency-Key, if there is one
	Body        Hash  // of connector and body
	Supersede   *Hash // what a newer code must share to supersede this one, if it can be

	Charges []Charge
	Hold    bool   // after a crash during the send, do not send it again
	Payload []byte // the message itself, for the queue; the store seals it

	Arrived, Expires time.Time
	Steps            Steps
}

// An Acceptance is what became of an [Entry].
type Acceptance struct {
	// Known is the message that the entry repeats: its Idempotency-Key was used
	// before, or the same request is queued. Nothing was stored.
	Known *Record
	// Exceeded is the limit that is used up, and Wait how long until it has one more.
	// The entry ended as failed, and nothing was superseded.
	Exceeded *Charge
	Wait     time.Duration
	// Full says that the connector's queue has no room. Nothing was stored.
	Full bool
	// Superseded are the ids of messages being sent that the entry supersedes.
	Superseded []string
}

// An Outcome is how an attempt to deliver a message ended.
type Outcome struct {
	ID      string
	Attempt int   // of which claim; a later one must not be overwritten
	State   State // StateQueued has it tried again at Due
	Code    errcode.Code
	Due     time.Time

	ReleaseKey  bool     // the same request may come again
	Refund      []Charge // what it did not use
	KeepPayload bool     // until the message expires, for an admin's retry
	Steps       Steps
}

// A Job is a queued message under a lease.
type Job struct {
	Record
	Attempt int // for its [Outcome]
	Payload []byte
	Charges []Charge
}

// A Record is a message as an admin sees it. It holds no code, no body and no full
// address.
type Record struct {
	ID        string       `json:"id"` // the incident, in errors
	Connector string       `json:"connector"`
	Type      string       `json:"type"`
	Mode      Mode         `json:"mode"`
	State     State        `json:"state"`
	Code      errcode.Code `json:"code,omitempty"`
	Recipient string       `json:"recipient"` // masked
	Attempts  int          `json:"attempts"`  // how often it was claimed
	Created   time.Time    `json:"createdAt"`
	Updated   time.Time    `json:"updatedAt"`
	Expires   time.Time    `json:"expiresAt"`
	Due       time.Time    `json:"dueAt,omitzero"`  // while it is queued
	Retryable bool         `json:"retryable"`       // an admin may have it sent again
	Steps     *Steps       `json:"steps,omitempty"` // left out in lists

	Body Hash `json:"-"`
}

// A Filter chooses records. Zero fields choose all.
type Filter struct {
	States    []State
	Type      string
	Connector string
	Address   *Hash
	Incident  string    // a whole id, or its last 8 characters
	Since     time.Time // created then or later
	Until     time.Time // created before
	Before    string    // the last id of the page before: the newest come first
	Limit     int
}

// A Backlog is what is queued.
type Backlog struct {
	Queued int           // messages, those that wait for another attempt included
	Late   time.Duration // how long the oldest has been due
}

// A StatisticsQuery chooses the messages that are counted.
type StatisticsQuery struct {
	Since, Until    time.Time     // created since then, and before then
	Step            time.Duration // the length of a bucket
	Connector, Type string        // empty means any
}

// Buckets is how many buckets there are. The last one may end after Until.
func (q StatisticsQuery) Buckets() int { return int((q.Until.Sub(q.Since)-1)/q.Step) + 1 }

// Statistics count messages in buckets of time.
type Statistics struct {
	Series  []Series   `json:"series"`  // by connector, type and state
	Latency []*Latency `json:"latency"` // of each bucket; nil if nothing was sent
}

// A Series is how many messages of one kind were created in each bucket.
type Series struct {
	Connector string `json:"connector"`
	Type      string `json:"type"`
	State     State  `json:"state"`
	Counts    []int  `json:"counts"`
}

// A Latency is how long messages took from their request until they were sent, in
// milliseconds. Quantiles are right within 10 %.
type Latency struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
	Max int64 `json:"max"`
}

const (
	// maxPending bounds the outcomes that wait to be recorded.
	maxPending = 10_000
	// maxDoubtful bounds those among them that only undo an acceptance in doubt.
	maxDoubtful = 4096
	// maxFailures is how often one outcome may fail while others are recorded.
	maxFailures  = 100
	pendingTime  = 3 * time.Second        // for one
	pendingPause = 500 * time.Millisecond // after a failure
)

// pendingOutcomes retries outcomes that could not be recorded. One that fails goes to
// the end of the list, so that one that can never be recorded holds up no other.
type pendingOutcomes struct {
	store   Store
	log     *slog.Logger
	closing context.Context //nolint:containedctx // the Delivery's own life
	running *sync.WaitGroup

	mu      sync.Mutex
	list    []pendingOutcome
	busy    bool
	dropped int64
}

type pendingOutcome struct {
	Outcome
	failures int // with another one recorded between each two
	recorded int // how many others were recorded when it failed last
}

// add queues an outcome. One that only undoes an acceptance in doubt has less room:
// without it the lease ends by itself.
func (p *pendingOutcomes) add(o Outcome, doubtful bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) >= maxPending || doubtful && len(p.list) >= maxDoubtful {
		p.drop(o)
		return
	}
	p.list = append(p.list, pendingOutcome{Outcome: o})
	if !p.busy {
		p.busy = true
		p.running.Go(p.work)
	}
}

// drop gives an outcome up. p.mu is held.
func (p *pendingOutcomes) drop(o Outcome) {
	p.dropped++
	p.log.Error("outcome dropped, it cannot be recorded", "incident", o.ID, "outcome", string(o.State), "code", string(o.Code))
}

// work records outcomes until none is left or the program ends.
func (p *pendingOutcomes) work() {
	recorded := 0
	for {
		o, ok := p.first()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(p.closing, pendingTime)
		_, err := p.store.Complete(ctx, o.Outcome)
		cancel()
		if err == nil {
			recorded++
			p.remove(nil)
			continue
		}
		if recorded > o.recorded {
			o.failures, o.recorded = o.failures+1, recorded
		}
		p.remove(&o)
		if sleep(p.closing, pendingPause, nil) != nil {
			return
		}
	}
}

// first returns the first outcome of the list. Without one the work ends.
func (p *pendingOutcomes) first() (first pendingOutcome, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		p.busy = false
		return pendingOutcome{}, false
	}
	return p.list[0], true
}

// remove takes the first outcome off the list. One that failed goes to the end, unless
// it has failed too often.
func (p *pendingOutcomes) remove(failed *pendingOutcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = p.list[1:]
	switch {
	case failed == nil:
	case failed.failures >= maxFailures:
		p.drop(failed.Outcome)
	default:
		p.list = append(p.list, *failed)
	}
}
