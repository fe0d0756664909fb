// Package delivery sends messages: it enforces limits and idempotency, lets the
// newest code win, retries what was certainly not accepted, and records each outcome.
//
// [Delivery.Send] is the way of a message: the store accepts it, the connector
// composes its mail, the mail waits for the connector's rate, the provider is called,
// and the store records the outcome. A queued message goes the same way from compose
// on, claimed by [Delivery.Work].
package delivery

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/errcode"
	"dmconnector/internal/sampling"
)

const (
	// sendBy is when the last attempt must have ended, counted from the request's
	// arrival: Logto's page gives up at 10 s, and the service answers within 8.
	sendBy = 7500 * time.Millisecond
	// acceptTime bounds the wait for the store before a send.
	acceptTime = 3 * time.Second
	// answerBy is when a caller is answered though the outcome is not recorded yet.
	answerBy = 7800 * time.Millisecond
	// leastCompleteTime is what recording an outcome takes on a busy machine.
	leastCompleteTime = 200 * time.Millisecond
	// lifetimeWithoutCode is how long a message without a code is worth sending.
	lifetimeWithoutCode = 24 * time.Hour
)

// A Sender hands one mail to the provider, once. [*aliyundm.Client] is the real
// one. Errors that it could classify are of type [*aliyundm.Error].
type Sender interface {
	SingleSendMail(ctx context.Context, mail *aliyundm.Mail) (*aliyundm.Receipt, error)
}

// A Connector composes mails and sends them.
type Connector struct {
	ID       string // for the log; empty for a config that is only tried
	Composer *connector.Connector
	Sender   Sender

	out *outbound // of an active one
}

// An outbound is an active connector with what its messages share.
type outbound struct {
	Connector
	limits  limits
	limiter *rateLimiter
	memory  *semaphore.Weighted // bytes of its calls
	breaker breaker
}

// A Request is one message as its caller sent it.
type Request struct {
	Message        connector.Message
	Arrived        time.Time
	BodySum        [sha256.Size]byte // of the whole request's body
	IdempotencyKey string            // empty if the caller gave none
	Queue          bool              // the caller asks for 202
	// Progress, if not nil, gets the report of a test after each step: the choice of
	// the template, and each attempt's beginning and end. The test waits for its
	// return.
	Progress func(Report)

	fromQueue bool   // one attempt of a message whose caller got 202
	masked    string // the recipient
}

// Options are what a [Delivery] needs.
type Options struct {
	Store Store
	// Volatile says that the store forgets when the program ends: nothing is queued
	// then, as 202 would be a promise.
	Volatile bool
	Log      *slog.Logger
	// Observe, if not nil, is told how messages end. They wait for its return.
	Observe func(Observation)
	// Tracer, if not nil, makes the spans of queued messages. The spans of others are
	// parts of their request's.
	Tracer trace.Tracer
}

// Delivery sends messages through its connectors. It is safe for concurrent use.
type Delivery struct {
	store       Store
	volatile    bool
	log         *slog.Logger
	sampled     *sampling.Logger // for what callers can have at will
	warnings    *sampling.Logger
	observer    func(Observation)
	tracer      trace.Tracer
	connectors  atomic.Pointer[map[string]*outbound]
	calls       *inFlight
	concurrency *concurrency
	memory      *semaphore.Weighted // bytes of all calls
	pending     pendingOutcomes
	running     sync.WaitGroup // sends, pending outcomes, and Work
	giveUp      context.CancelFunc
}

// New returns a Delivery without connectors; see [Delivery.Use].
func New(opts Options) *Delivery {
	d := &Delivery{
		store: opts.Store, volatile: opts.Volatile, log: opts.Log, observer: opts.Observe, tracer: opts.Tracer,
		calls:       &inFlight{joined: make(map[Hash]*call), byID: make(map[string]*call)},
		concurrency: &concurrency{freed: make(chan struct{}, 1), connectors: make(map[string]*places)},
		memory:      semaphore.NewWeighted(processMemory),
	}
	d.sampled = sampling.New(opts.Log, 10, 10*time.Second)
	d.warnings = sampling.New(opts.Log, 1, time.Minute)
	d.connectors.Store(&map[string]*outbound{})
	var closing context.Context
	closing, d.giveUp = context.WithCancel(context.Background())
	d.pending = pendingOutcomes{store: opts.Store, log: opts.Log, closing: closing, running: &d.running}
	return d
}

// Use replaces the active connectors, by their id. Messages in flight go on as they
// began. A connector that has not changed keeps its breaker, and one with the same
// rate its place in the rate. Calls must not overlap.
func (d *Delivery) Use(connectors map[string]Connector) {
	before := *d.connectors.Load()
	active := make(map[string]*outbound, len(connectors))
	concurrent := make(map[string]int, len(connectors))
	for id, c := range connectors {
		old := before[id]
		if old != nil && old.Composer == c.Composer {
			active[id] = old
		} else {
			out := &outbound{Connector: c, limits: limitsOf(c.Composer.Config()), memory: semaphore.NewWeighted(connectorMemory)}
			out.limiter = &rateLimiter{rate: out.limits.connector, replicas: d.store.Replicas}
			if old != nil && old.limits.connector == out.limits.connector {
				out.limiter = old.limiter
			}
			if old != nil {
				out.memory = old.memory
			}
			active[id] = out
		}
		concurrent[id] = concurrencyOf(active[id].limits.connector)
	}
	d.connectors.Store(&active)
	d.concurrency.setLimits(concurrent)
}

// Connector returns the active connector of that id. The empty id means the one
// called "default", or else the only one.
func (d *Delivery) Connector(id string) (Connector, bool) {
	active := *d.connectors.Load()
	out, ok := active[cmp.Or(id, "default")]
	if id == "" && len(active) == 1 {
		for _, out = range active {
			ok = true
		}
	}
	if !ok {
		return Connector{}, false
	}
	c := out.Connector
	c.out = out
	return c, true
}

// Wait returns when [Delivery.Work] has returned, no message is being sent and every
// outcome is recorded, or when ctx ends.
func (d *Delivery) Wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { d.running.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		d.giveUp()
		return ctx.Err()
	}
}

// Send sends the message through the connector, which must come from
// [Delivery.Connector], and logs its outcome in one line. It returns nil if and only
// if the provider accepted the mail, or the mail is queued; every other error is an
// [*Error]. Once the store has accepted the message, the end of ctx does not stop it.
func (d *Delivery) Send(ctx context.Context, c Connector, req Request) (Report, error) {
	if c.out == nil {
		return Report{}, &Error{Code: errcode.Internal, Detail: "the connector is not an active one"}
	}
	var invalid error
	req.Message.To, invalid = connector.ParseAddress(req.Message.To)
	req.masked = connector.MaskAddress(req.Message.To)
	key := d.joinKey(c, req)
	for {
		call, isNew := d.calls.join(NewID(), key)
		if isNew {
			d.running.Go(func() {
				defer d.calls.finish(call)
				d.send(ctx, c.out, call, req, invalid)
			})
		}
		<-call.done
		if !isNew && call.aborted {
			continue // nothing was sent: this caller still waits
		}
		if !isNew {
			trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: call.span})
		}
		return call.report, call.failure.orNil()
	}
}

// send takes a new call to its end. A panic on the way must leave no caller without
// an answer, nor end the program.
func (d *Delivery) send(caller context.Context, out *outbound, call *call, req Request, invalid error) {
	entry, err := d.sendEntry(caller, out, call.id, req)
	call.report = entry.report()
	ctx, span := messageSpan(context.WithoutCancel(caller), entry)
	call.span = span.SpanContext()
	sending, cancel := context.WithDeadline(ctx, req.Arrived.Add(sendBy))
	accepted := false
	defer func() {
		cancel()
		if cause := recover(); cause != nil {
			// What had begun when it happened is not known.
			call.report.State = StateUnknown
			call.failure = internalError(entry.ID, cause)
		}
		if outcome := directOutcome(entry, &call.report, call.failure); accepted {
			d.complete(ctx, req.Arrived, outcome)
		}
		d.observe(ctx, entry, req, call.report, call.failure)
		endMessage(span, &call.report, call.failure)
	}()
	switch {
	case invalid != nil:
		call.failure = d.reject(entry, &call.report, invalidRecipient(entry.ID, invalid))
		return
	case err != nil:
		call.report.State = StateFailed
		call.failure = &Error{Code: errcode.Internal, Incident: entry.ID, Detail: "the message cannot be queued", Err: err}
		return
	}
	call.failure = d.accept(sending, caller, entry, &call.report)
	if call.failure != nil {
		call.aborted = call.failure.Code == errcode.Unavailable && caller.Err() != nil
		return
	}
	if call.report.ID != entry.ID || entry.Mode == Queued {
		return
	}
	accepted = true
	m := outgoing{id: entry.ID, claim: 1, usageType: req.Message.Type, known: time.Now(), superseded: call.superseded}
	call.failure = d.deliver(sending, out, m, req, &call.report)
}

// accept has the store accept a message. Until it has, the end of caller takes the
// message back. The report becomes that of the message that this one repeats, if it
// repeats one.
func (d *Delivery) accept(ctx, caller context.Context, e *Entry, report *Report) (failure *Error) {
	ctx, span := partSpan(ctx, "accept")
	defer func() { endPart(span, failure) }()
	asking, cancel := context.WithTimeout(ctx, acceptTime)
	defer cancel()
	defer context.AfterFunc(caller, cancel)()
	accepted, err := d.store.Accept(asking, e)
	d.calls.supersede(accepted.Superseded)
	switch {
	case errors.Is(err, ErrInDoubt) && e.Mode == Queued:
		// It may be sent. Asked again with its Idempotency-Key, its caller will know.
		report.State = StateUnknown
		return &Error{Code: errcode.OutcomeUnknown, Incident: e.ID, Detail: "the state did not answer, so the message may be queued", Err: err}
	case err != nil:
		failure := unavailable(e.ID, "the state could not be written, so nothing was sent", err)
		report.State = StateFailed
		if errors.Is(err, ErrInDoubt) {
			d.pending.add(directOutcome(e, report, failure), true)
		}
		return failure
	case accepted.Known != nil:
		*report, failure = replay(accepted.Known, e)
		if failure != nil && report.ID == e.ID {
			return d.reject(e, report, failure)
		}
		return failure
	case accepted.Exceeded != nil:
		report.State, report.Steps = StateFailed, e.Rejected(accepted.Exceeded, accepted.Wait).Steps
		return limited(e.ID, accepted.Exceeded, accepted.Wait)
	case accepted.Full:
		return d.reject(e, report, queueFull(e.ID))
	}
	return nil
}

// replay is the answer to a repeated request.
func replay(known *Record, e *Entry) (Report, *Error) {
	rejected := e.report()
	rejected.State = StateFailed
	if known.Body != e.Body {
		return rejected, &Error{Code: errcode.IdempotencyMismatch, Incident: e.ID, Detail: "the Idempotency-Key was used with another body"}
	}
	report := Report{ID: known.ID, State: known.State, Recipient: known.Recipient}
	if known.Steps != nil {
		report.Steps = *known.Steps
	}
	final := known.State.Kind().Final
	switch {
	case known.State == StateSent:
		return report, nil
	case !final && known.Mode == Queued:
		report.State = StateQueued
		return report, nil
	case !final:
		return rejected, &Error{Code: errcode.InProgress, Incident: e.ID, Detail: "the first request with this Idempotency-Key is in progress", RetryAfter: time.Second}
	}
	// One without a code expired before its first attempt.
	return report, &Error{Code: cmp.Or(known.Code, errcode.Overloaded), Incident: known.ID, Detail: report.Detail}
}

// complete records an outcome. Its caller waits for that, so that its key is answered
// the same way at once; but not for long: what was accepted was accepted, and is
// recorded later. ctx must not end.
func (d *Delivery) complete(ctx context.Context, arrived time.Time, o Outcome) {
	ctx, span := partSpan(ctx, "complete")
	defer span.End()
	until := arrived.Add(answerBy)
	if least := time.Now().Add(leastCompleteTime); until.Before(least) {
		until = least
	}
	recording, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if _, err := d.store.Complete(recording, o); err != nil {
		span.SetStatus(codes.Error, "")
		d.log.ErrorContext(ctx, "cannot record outcome, will retry", "incident", o.ID, "outcome", string(o.State), "error", err.Error())
		d.pending.add(o, false)
	}
}

// directOutcome is how a message ends that has one claim.
func directOutcome(e *Entry, report *Report, failure *Error) Outcome {
	o := Outcome{ID: e.ID, Attempt: 1, State: report.State, Steps: report.Steps}
	if e.Mode == Queued {
		o.Attempt = 0 // it was never claimed
	}
	if failure == nil {
		return o
	}
	kind := errcode.Of(failure.Code)
	o.State, o.Code, o.ReleaseKey = StateFailed, failure.Code, kind.ReleasesKey
	if report.State == StateUnknown {
		o.State = StateUnknown
	}
	report.Detail, o.Steps.Detail = failure.Detail, failure.Detail
	if kind.Refunds {
		o.Refund = e.Charges
	}
	return o
}

// Rejected is how an entry ends that exceeds a limit.
func (e *Entry) Rejected(exceeded *Charge, wait time.Duration) Outcome {
	report := e.report()
	report.State = StateFailed
	report.Limits = slices.Clone(report.Limits)
	for i := range report.Limits {
		report.Limits[i].UsedUp = report.Limits[i].Limit == exceeded.Limit
	}
	o := directOutcome(e, &report, limited(e.ID, exceeded, wait))
	o.Refund = nil // nothing was charged
	return o
}

func limited(incident string, exceeded *Charge, wait time.Duration) *Error {
	detail := fmt.Sprintf("the limit per %s is used up: %s", exceeded.Limit, exceeded.rate())
	return &Error{Code: errcode.RateLimited, Incident: incident, RetryAfter: wait, Detail: detail, Limit: exceeded.Limit}
}

// testRate is how many test mails one token may send.
var testRate = connector.Rate{Count: 20, Per: time.Minute}

// Test sends the message through a connector that need not be active, past its
// limits, joining, superseding and the breaker. A tester, if named, may do so 20
// times a minute.
func (d *Delivery) Test(ctx context.Context, c Connector, req Request, tester string) (Report, error) {
	var invalid error
	req.Message.To, invalid = connector.ParseAddress(req.Message.To)
	req.masked = connector.MaskAddress(req.Message.To)
	entry := d.entry(NewID(), c, req, Test)
	if tester != "" {
		entry.Charges = []Charge{{"tester", d.store.Hash("test", tester), testRate.Count, testRate.Per}}
	}
	report := entry.report()
	var failure *Error
	kept, span := messageSpan(context.WithoutCancel(ctx), entry)
	defer func() { endMessage(span, &report, failure) }()
	sending, cancel := context.WithDeadline(kept, req.Arrived.Add(sendBy))
	defer cancel()
	if invalid != nil {
		failure = d.reject(entry, &report, invalidRecipient(entry.ID, invalid))
	} else if failure = d.accept(sending, ctx, entry, &report); failure == nil {
		failure = attempts(sending, c, req, &report, atOnce(report.ID, d.memory))
		d.complete(kept, req.Arrived, directOutcome(entry, &report, failure))
	}
	d.observe(ctx, entry, req, report, failure)
	return report, failure.orNil()
}

// Try sends the message once for somebody who watches, without storing it.
func Try(ctx context.Context, c Connector, req Request) (Report, error) {
	report := Report{ID: NewID(), State: StateFailed, Recipient: connector.MaskAddress("")}
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return report, invalidRecipient(report.ID, err)
	}
	req.Message.To = recipient
	report.Recipient = connector.MaskAddress(recipient)
	sending, cancel := context.WithDeadline(ctx, req.Arrived.Add(sendBy))
	defer cancel()
	return report, attempts(sending, c, req, &report, atOnce(report.ID)).orNil()
}

// atOnce is the turn of test mails, which wait for memory only.
func atOnce(id string, memory ...*semaphore.Weighted) turn {
	return func(ctx context.Context, pause time.Duration, size int) (func(), *Error) {
		if err := sleep(ctx, pause, nil); err != nil {
			return nil, waitError(id, err)
		}
		deadline, _ := ctx.Deadline()
		waiting, cancel := context.WithDeadline(ctx, deadline.Add(-sendTime))
		defer cancel()
		free, err := acquireMemory(waiting, size, memory...)
		if err != nil {
			return nil, waitError(id, err)
		}
		return free, nil
	}
}

// reject records a message that was rejected without a charge.
func (d *Delivery) reject(e *Entry, report *Report, failure *Error) *Error {
	report.State, report.Limits = StateFailed, nil
	rejected := directOutcome(e, report, failure)
	rejected.Refund = nil
	d.store.RecordRejected(e, rejected)
	return failure
}

// NewID returns an id for a message: a UUID of version 7, which sorts by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// entry is a message that begins. Its recipient is empty if it is not one address.
func (d *Delivery) entry(id string, c Connector, req Request, mode Mode) *Entry {
	m := req.Message
	return &Entry{
		ID: id, Connector: c.ID, Type: typeLabel(m.Type), Mode: mode,
		Recipient: req.masked, Address: d.AddressHash(m.To), Body: d.store.Hash("body", c.ID, string(req.BodySum[:])),
		Arrived: req.Arrived, Expires: req.Arrived.Add(lifetime(c, m)),
	}
}

// TypeLabels lists the usage types that messages are stored with: Logto's, and
// "other" for any that is not.
func TypeLabels() []string { return append(connector.UsageTypes(), otherType) }

const otherType = "other"

// typeLabel bounds what callers can put into the store, the log and the metrics.
func typeLabel(usageType string) string {
	if slices.Contains(connector.UsageTypes(), usageType) {
		return usageType
	}
	return otherType
}

// sendEntry is a message that begins through an active connector.
func (d *Delivery) sendEntry(ctx context.Context, out *outbound, id string, req Request) (*Entry, error) {
	mode, m := Direct, req.Message
	if !d.volatile && (req.Queue || out.Composer.Config().Delivery[m.Type] == string(Queued)) {
		mode = Queued
	}
	e := d.entry(id, out.Connector, req, mode)
	e.Charges = out.limits.charges(d.store, out.ID, m)
	for _, charge := range e.Charges {
		e.Steps.Limits = append(e.Steps.Limits, LimitCheck{Limit: charge.Limit, Rate: charge.rate()})
	}
	e.Supersede = d.supersedeKey(out.ID, m)
	e.Hold = out.Composer.Config().OnUnknown == "hold"
	if req.IdempotencyKey != "" {
		key := d.store.Hash("key", out.ID, req.IdempotencyKey)
		e.Idempotency = &key
	}
	if mode == Direct {
		return e, nil
	}
	var err error
	e.Payload, err = json.Marshal(payload{m.To, m.Type, m.Payload, m.IP, traceparent(ctx)})
	return e, err
}

// report is that of a message that begins.
func (e *Entry) report() Report {
	state := StateFailed
	if e.Mode == Queued {
		state = StateQueued
	}
	return Report{ID: e.ID, State: state, Recipient: e.Recipient, Steps: e.Steps}
}

// A payload is a queued message, in the shape in which it came.
type payload struct {
	To      string         `json:"to"`
	Type    string         `json:"type"`
	Payload map[string]any `json:"payload"`
	IP      string         `json:"ip,omitempty"`

	Traceparent string `json:"traceparent,omitempty"` // of its request, in W3C's form
}

func lifetime(c Connector, m connector.Message) time.Duration {
	if code, _ := m.Payload["code"].(string); code == "" {
		return lifetimeWithoutCode
	}
	if d, err := connector.ParseLifetime(c.Composer.Config().CodeLifetime); err == nil {
		return d
	}
	return connector.DefaultCodeLifetime // the config has none: a bad one was rejected with it
}

// AddressHash is the hash by which messages to an address are found.
func (d *Delivery) AddressHash(address string) Hash {
	return d.store.Hash("address", strings.ToLower(address))
}

// joinKey is what equal requests share. One with an Idempotency-Key is told from
// others by that.
func (d *Delivery) joinKey(c Connector, req Request) *Hash {
	if req.IdempotencyKey != "" {
		return nil
	}
	key := d.store.Hash("join", c.ID, string(req.BodySum[:]), fmt.Sprint(req.Queue))
	return &key
}

// supersedeKey is what a newer code must share to supersede this one. Without
// application and client it could be anybody's code, and those whose ip cannot be read
// are not one client.
func (d *Delivery) supersedeKey(id string, m connector.Message) *Hash {
	code, _ := m.Payload["code"].(string)
	application, _ := m.Payload["application"].(map[string]any)
	applicationID, _ := application["id"].(string)
	who := client(m.IP)
	if code == "" || applicationID == "" || who == "" || who == unreadable {
		return nil
	}
	key := d.store.Hash("supersede", id, m.To, m.Type, applicationID, who)
	return &key
}

// limits are a connector's, read from its config. A Count of 0 means off.
type limits struct{ recipient, ip, connector connector.Rate }

// limitsOf reads a config's limits. The defaults are Logto's own number for a
// recipient, and Aliyun's for an account.
func limitsOf(cfg *connector.Config) limits {
	given := connector.Limits{}
	if cfg.Limits != nil {
		given = *cfg.Limits
	}
	return limits{
		recipient: rateOf(given.Recipient, connector.Rate{Count: 10, Per: 10 * time.Minute}),
		ip:        rateOf(given.IP, connector.Rate{}),
		connector: rateOf(given.Connector, connector.Rate{Count: 100, Per: time.Second}),
	}
}

func rateOf(text string, standard connector.Rate) connector.Rate {
	if text == "" {
		return standard
	}
	rate, err := connector.ParseRate(text)
	if err != nil {
		return connector.Rate{} // "off": anything else was rejected with the config
	}
	return rate
}

// charges are what a message uses of the limits, always in the same order.
func (l limits) charges(store Store, id string, m connector.Message) []Charge {
	var list []Charge
	if l.recipient.Count > 0 {
		subject := store.Hash("recipient", id, strings.ToLower(m.To))
		list = append(list, Charge{"recipient", subject, l.recipient.Count, l.recipient.Per})
	}
	if who := client(m.IP); l.ip.Count > 0 && who != "" {
		list = append(list, Charge{"ip", store.Hash("ip", id, who), l.ip.Count, l.ip.Per})
	}
	return list
}

// A Load is what one active connector has to do at the moment.
type Load struct {
	Connector   string
	InFlight    int // messages that are sent
	Waiting     int // messages that wait for their turn
	BreakerOpen bool
}

// Loads returns the loads of all active connectors.
func (d *Delivery) Loads() []Load {
	active := *d.connectors.Load()
	loads := make([]Load, 0, len(active))
	for id, out := range active {
		inUse, waiting := d.concurrency.load(id)
		loads = append(loads, Load{id, inUse, waiting + out.limiter.waitingCount(), out.breaker.open()})
	}
	return loads
}

// PendingOutcomes returns how many outcomes wait to be recorded, and how many were
// dropped since the start.
func (d *Delivery) PendingOutcomes() (waiting int, dropped int64) {
	d.pending.mu.Lock()
	defer d.pending.mu.Unlock()
	return len(d.pending.list), d.pending.dropped
}
