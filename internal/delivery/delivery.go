// Package delivery leads one message through its life: it checks that there is
// exactly one recipient, joins equal requests, has the message admitted within
// its limits, lets the newest code win, has the mail composed and sent before the
// deadline or out of the queue, sends again what certainly was not accepted, and
// says in the product's own words what became of it.
package delivery

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

// sendBy is when the last attempt must have ended, counted from the request's
// arrival: Logto's page gives up at 10 s, and the service answers within 8.
const sendBy = 7500 * time.Millisecond

// A Sender hands one mail to the provider, once. [*aliyundm.Client] is the real
// one. Errors that it could classify are of type [*aliyundm.Error].
type Sender interface {
	SingleSendMail(ctx context.Context, mail *aliyundm.Mail) (*aliyundm.Receipt, error)
}

// A Connector is what messages are sent through: it composes and sends.
type Connector struct {
	ID       string // for the log; empty for a config that is only tried
	Composer *connector.Connector
	Sender   Sender

	lane *lane // of one that is in force
}

// A Request is one message as its caller sent it.
type Request struct {
	Message        connector.Message
	Arrived        time.Time
	BodySum        [sha256.Size]byte // of the whole request's body
	IdempotencyKey string            // empty if the caller gave none
	Queue          bool              // the caller would rather not wait
	// Progress, if not nil, is told of each step of a test as it happens: the choice
	// of the template, and each attempt's beginning and end. The report is its own;
	// the test waits for its return.
	Progress func(Report)

	fromQueue bool // one try of a message that its caller knows to be queued
}

// Options are what a [Delivery] needs.
type Options struct {
	Keeper Keeper
	// Volatile says that the keeper forgets with the program's end: nothing is
	// queued then, as that would be a promise.
	Volatile bool
	Log      *slog.Logger
	// Ended, if not nil, is told how messages end. They wait for its return.
	Ended func(Ending)
	// Tracer, if not nil, makes the spans of queued messages. Those of others are
	// parts of their request's span, where that is recorded.
	Tracer trace.Tracer
}

// Delivery sends messages through its connectors. It is safe for concurrent use.
type Delivery struct {
	keeper   Keeper
	volatile bool
	log      *slog.Logger
	ended    func(Ending)
	tracer   trace.Tracer
	lanes    atomic.Pointer[map[string]*lane]
	flights  *flights
	persons  [1024]sync.Mutex // of those whose codes are admitted, by their hash
	flying   sync.WaitGroup   // messages on their way, outcomes not yet remembered, and Work
	giveUp   context.CancelFunc

	unsettled unsettled
}

// New returns a Delivery without connectors; see [Delivery.Use].
func New(opts Options) *Delivery {
	d := &Delivery{keeper: opts.Keeper, volatile: opts.Volatile, log: opts.Log, ended: opts.Ended, tracer: opts.Tracer, flights: newFlights()}
	d.lanes.Store(&map[string]*lane{})
	var closing context.Context
	closing, d.giveUp = context.WithCancel(context.Background())
	d.unsettled = unsettled{keeper: opts.Keeper, closing: closing, running: &d.flying}
	return d
}

// Use puts connectors, by their id, in the place of those in force. What is on its
// way goes on as it began. Calls must not overlap.
func (d *Delivery) Use(connectors map[string]Connector) {
	before := *d.lanes.Load()
	lanes := make(map[string]*lane, len(connectors))
	for id, c := range connectors {
		lanes[id] = newLane(c, d.keeper, before[id])
	}
	d.lanes.Store(&lanes)
}

// Connector returns the connector of that id. The empty id means the one called
// "default", or else the only one.
func (d *Delivery) Connector(id string) (Connector, bool) {
	lanes := *d.lanes.Load()
	if id == "" && len(lanes) == 1 {
		for only := range maps.Values(lanes) {
			return only.connector(), true
		}
	}
	if l, ok := lanes[cmp.Or(id, "default")]; ok {
		return l.connector(), true
	}
	return Connector{}, false
}

// Wait returns when [Delivery.Work] has returned, no message is on its way any more
// and every outcome is remembered, or when ctx ends.
func (d *Delivery) Wait(ctx context.Context) error {
	landed := make(chan struct{})
	go func() { d.flying.Wait(); close(landed) }()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		d.giveUp()
		return ctx.Err()
	}
}

// Send leads the message through the connector, which must come from
// [Delivery.Connector], and logs what became of it, in one line. It returns nil if
// and only if the provider accepted the mail, or the mail is queued; every other
// error is an [*Error].
func (d *Delivery) Send(ctx context.Context, c Connector, req Request) (Report, error) {
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return d.refuse(ctx, c, req, &Error{Code: InvalidRecipient, Detail: "the recipient is not one mail address: " + err.Error()})
	}
	req.Message.To = recipient
	if c.lane == nil {
		return d.refuse(ctx, c, req, &Error{Code: Internal, Detail: "the connector is not one of this delivery's"})
	}
	f, isNew := d.flights.board(d.joinKey(c, req))
	if isNew {
		d.flying.Go(func() { d.fly(context.WithoutCancel(ctx), c.lane, f, req) })
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		// It may have closed only its own side of the connection, and still read.
		d.flights.disembark(f)
		<-f.done
	}
	if !isNew {
		trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: f.span})
	}
	if f.failure != nil {
		return f.report, f.failure
	}
	return f.report, nil
}

// testRate is how many test mails a tester may send.
var testRate = connector.Rate{Count: 20, Per: time.Minute}

// Test sends the message through a connector that need not be in force, past its
// limits, joining, superseding and the breaker. A tester, if named, may do so 20
// times a minute.
func (d *Delivery) Test(ctx context.Context, c Connector, req Request, tester string) (Report, error) {
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return d.refuse(ctx, c, req, &Error{Code: InvalidRecipient, Detail: "the recipient is not one mail address: " + err.Error()})
	}
	req.Message.To = recipient
	entry := d.entry(c, req, Test)
	if tester != "" {
		entry.Takings = []Taking{{Name: "tester", Subject: d.keeper.Hash("test", tester), Count: testRate.Count, Per: testRate.Per}}
	}
	report := entry.Report
	var failure *Error
	watched, span := messageSpan(context.WithoutCancel(ctx), entry)
	defer func() { endMessage(span, &report, failure) }()
	sending, cancel := context.WithDeadline(watched, req.Arrived.Add(sendBy))
	defer cancel()
	failure = d.admit(sending, entry, &report)
	if failure == nil {
		failure = attemptAll(sending, c, req, &report, atOnce{ctx})
		d.settle(watched, req.Arrived, directSettlement(entry, &report, failure))
	}
	d.logLine(ctx, c, req, Test, report, failure)
	return report, failure.orNil()
}

// Try sends the message once for somebody who watches, without remembering it.
func Try(ctx context.Context, c Connector, req Request) (Report, error) {
	report := Report{ID: NewID(), Outcome: StateFailed, Recipient: connector.MaskAddress("")}
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return report, &Error{Code: InvalidRecipient, Incident: report.ID, Detail: "the recipient is not one mail address: " + err.Error()}
	}
	req.Message.To = recipient
	report.Recipient = connector.MaskAddress(recipient)
	sending, cancel := context.WithDeadline(ctx, req.Arrived.Add(sendBy))
	defer cancel()
	return report, attemptAll(sending, c, req, &report, atOnce{ctx}).orNil()
}

// refuse answers a message that does not get on its way.
func (d *Delivery) refuse(ctx context.Context, c Connector, req Request, failure *Error) (Report, error) {
	entry := d.entry(c, req, Direct)
	failure.Incident = entry.ID
	entry.Report.Detail = failure.Detail
	d.keeper.Note(entry, directSettlement(entry, &entry.Report, failure))
	d.logLine(ctx, c, req, Direct, entry.Report, failure)
	return entry.Report, failure
}

// NewID returns an id for a message: a UUID of version 7, which sorts by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
