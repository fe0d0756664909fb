// Package delivery leads one message through its life: it checks that there is
// exactly one recipient, keeps the limits, joins equal requests, lets the newest
// code win, has the mail composed and sent before the deadline, sends again what
// certainly was not accepted, and says in the product's own words what became of
// it.
package delivery

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

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
}

// A Request is one message as its caller sent it.
type Request struct {
	Message        connector.Message
	Arrived        time.Time
	BodySum        [sha256.Size]byte // of the whole request's body
	IdempotencyKey string            // empty if the caller gave none
}

// An Outcome is what became of a message.
type Outcome string

// The outcomes of a message that was sent at once.
const (
	Sent    Outcome = "sent"    // the provider accepted it
	Failed  Outcome = "failed"  // the provider certainly did not accept it
	Unknown Outcome = "unknown" // the provider may have accepted it
)

// A Report tells one message's life. It holds no code and no full address.
type Report struct {
	ID        string            `json:"id"` // the incident, in errors
	Outcome   Outcome           `json:"outcome"`
	Recipient string            `json:"recipient"` // masked
	Trace     *connector.Trace  `json:"template,omitempty"`
	Attempts  []Attempt         `json:"attempts,omitempty"`
	Receipt   *aliyundm.Receipt `json:"receipt,omitempty"`
}

// An Attempt is one call of the provider.
type Attempt struct {
	Milliseconds int64  `json:"milliseconds"`
	Error        string `json:"error,omitempty"`
}

// Delivery sends messages through its connectors. It is safe for concurrent use.
type Delivery struct {
	lanes   map[string]*lane
	log     *slog.Logger
	limiter *limiter
	flights *flights
	flying  sync.WaitGroup
}

// New returns a Delivery for the given connectors, by their id.
func New(connectors map[string]Connector, log *slog.Logger) *Delivery {
	d := &Delivery{lanes: make(map[string]*lane), log: log, limiter: newLimiter(), flights: newFlights()}
	for id, c := range connectors {
		d.lanes[id] = newLane(c)
	}
	return d
}

// Connector returns the connector of that id. The empty id means the one called
// "default", or else the only one.
func (d *Delivery) Connector(id string) (Connector, bool) {
	if id == "" && len(d.lanes) == 1 {
		for only := range maps.Values(d.lanes) {
			return only.Connector, true
		}
	}
	if l, ok := d.lanes[cmp.Or(id, "default")]; ok {
		return l.Connector, true
	}
	return Connector{}, false
}

// Wait returns when no message is on its way any more, or when ctx ends.
func (d *Delivery) Wait(ctx context.Context) error {
	landed := make(chan struct{})
	go func() { d.flying.Wait(); close(landed) }()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send leads the message through the connector, which must be one of this
// Delivery's, and logs what became of it, in one line. It returns nil if and
// only if the provider accepted the mail; every other error is an [*Error].
func (d *Delivery) Send(ctx context.Context, c Connector, req Request) (Report, error) {
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return d.refuse(ctx, c, req, &Error{Code: InvalidRecipient, Detail: "the recipient is not one mail address: " + err.Error()})
	}
	req.Message.To = recipient
	l, ok := d.lanes[c.ID]
	if !ok {
		return d.refuse(ctx, c, req, &Error{Code: Internal, Detail: "the connector is not one of this delivery's"})
	}

	b := d.boarding(c, req)
	f, isNew, refusal := d.flights.board(time.Now(), b)
	if refusal != "" {
		return d.refuse(ctx, c, req, &Error{Code: refusal, Detail: "the Idempotency-Key is known", RetryAfter: retryAfterOf(refusal)})
	}
	if isNew {
		d.flying.Go(func() { d.fly(l, f, b, req) })
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		// It may have closed only its own side of the connection, and still read.
		d.flights.disembark(f)
		<-f.done
	}
	if f.failure != nil {
		return f.report, f.failure
	}
	return f.report, nil
}

// testRate is how many test mails a tester may send.
var testRate = connector.Rate{Count: 20, Per: time.Minute}

// Test sends the message through a connector that need not be one of this
// Delivery's, past its limits, joining, superseding and the breaker. A tester,
// if named, may do so 20 times a minute.
func (d *Delivery) Test(ctx context.Context, c Connector, req Request, tester string) (Report, error) {
	if tester != "" {
		tests := []limit{{"tester", d.limiter.hash("test", tester), testRate}}
		if refusing, wait := d.limiter.take(time.Now(), tests); refusing != nil {
			return d.refuse(ctx, c, req, limited(refusing, wait))
		}
	}
	report := Report{ID: NewID(), Outcome: Failed, Recipient: connector.MaskAddress("")}
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return d.refuse(ctx, c, req, &Error{Code: InvalidRecipient, Detail: "the recipient is not one mail address: " + err.Error()})
	}
	req.Message.To = recipient
	report.Recipient = connector.MaskAddress(recipient)
	sending, cancel := context.WithDeadline(context.WithoutCancel(ctx), req.Arrived.Add(sendBy))
	defer cancel()
	failure := attemptAll(sending, c, req, &report, atOnce{ctx})
	d.record(ctx, c, req, report, failure)
	if failure != nil {
		return report, failure
	}
	return report, nil
}

// fly leads a new flight to its end. A defect on the way must not leave its
// callers without an answer, nor end the program.
func (d *Delivery) fly(l *lane, f *flight, b boarding, req Request) {
	f.report = Report{ID: NewID(), Outcome: Failed, Recipient: connector.MaskAddress(req.Message.To)}
	ctx, cancel := context.WithDeadline(context.Background(), req.Arrived.Add(sendBy))
	defer func() {
		cancel()
		if cause := recover(); cause != nil {
			// What had begun when it happened is not known.
			f.report.Outcome = Unknown
			f.failure = internalError(f.report.ID, cause)
		}
		d.record(ctx, l.Connector, req, f.report, f.failure)
		d.flights.land(time.Now(), b, f)
	}()
	f.failure = d.deliver(ctx, l, f, req)
}

// deliver takes a message past breaker and limits, and sends it in its turn.
func (d *Delivery) deliver(ctx context.Context, l *lane, f *flight, req Request) *Error {
	now := time.Now()
	if failure := l.breaker.refusal(now, f.report.ID); failure != nil {
		return failure
	}
	limits := d.limiter.limitsOf(l.ID, l.rates, req.Message.To, req.Message.IP)
	if refusing, wait := d.limiter.take(now, limits); refusing != nil {
		failure := limited(refusing, wait)
		failure.Incident = f.report.ID
		return failure
	}
	failure := attemptAll(ctx, l.Connector, req, &f.report, &turns{d.flights, f, l, req.Message.Type})
	l.breaker.note(time.Now(), failure)
	if failure != nil && failure.sparesLimits() {
		d.limiter.giveBack(limits)
	}
	return failure
}

// boarding says by what names the message is looked for among the others.
func (d *Delivery) boarding(c Connector, req Request) boarding {
	b := boarding{bodySum: req.BodySum}
	if req.IdempotencyKey != "" {
		key := d.limiter.hash("key", c.ID, req.IdempotencyKey)
		b.key = &key
	} else {
		join := d.limiter.hash("join", c.ID, string(req.BodySum[:]))
		b.join = &join
	}
	b.person = d.person(c, req.Message)
	return b
}

// person names whom a code is for. Without application and client it could be
// anybody's code that would be overtaken.
func (d *Delivery) person(c Connector, m connector.Message) *limitKey {
	code, _ := m.Payload["code"].(string)
	application, _ := m.Payload["application"].(map[string]any)
	id, _ := application["id"].(string)
	who := client(m.IP)
	if code == "" || id == "" || who == "" {
		return nil
	}
	person := d.limiter.hash("person", c.ID, m.To, m.Type, id, who)
	return &person
}

// refuse answers a message that does not get on its way.
func (d *Delivery) refuse(ctx context.Context, c Connector, req Request, failure *Error) (Report, error) {
	failure.Incident = NewID()
	report := Report{ID: failure.Incident, Outcome: Failed, Recipient: connector.MaskAddress("")}
	d.record(ctx, c, req, report, failure)
	return report, failure
}

// record writes the one log line of a message.
func (d *Delivery) record(ctx context.Context, c Connector, req Request, report Report, failure *Error) {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("incident", report.ID), slog.String("outcome", string(report.Outcome)),
		slog.String("connector", c.ID), slog.String("type", typeLabel(req.Message.Type)),
		slog.String("to", report.Recipient), slog.Int64("ms", time.Since(req.Arrived).Milliseconds()),
		slog.Int("attempts", len(report.Attempts)))
	if report.Trace != nil {
		attrs = append(attrs, slog.Int("template", report.Trace.Template), slog.String("language", report.Trace.LanguageTag))
		if len(report.Trace.Missing) > 0 {
			attrs = append(attrs, slog.Any("missing", report.Trace.Missing))
		}
		if len(report.Trace.Notes) > 0 {
			attrs = append(attrs, slog.Any("notes", report.Trace.Notes))
		}
	}
	if failure != nil {
		attrs = append(attrs, slog.String("code", string(failure.Code)), slog.String("error", failure.Error()))
		d.log.LogAttrs(ctx, failure.level(), "mail not sent", attrs...)
		return
	}
	attrs = append(attrs, slog.String("env_id", report.Receipt.EnvID), slog.String("request_id", report.Receipt.RequestID))
	d.log.LogAttrs(ctx, slog.LevelInfo, "mail sent", attrs...)
}

// typeLabel keeps callers from filling the log with words of their own.
func typeLabel(usageType string) string {
	if slices.Contains(connector.UsageTypes(), usageType) {
		return usageType
	}
	return "other"
}

// NewID returns an id for a message: a UUID of version 7, which sorts by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
