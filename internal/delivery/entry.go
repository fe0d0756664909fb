package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dmconnector/connector"
)

// lifetimeOfOthers is how long a message without a code is worth sending.
const lifetimeOfOthers = 24 * time.Hour

// entry is what is remembered of a message that begins.
func (d *Delivery) entry(c Connector, req Request, mode Mode) *Entry {
	m := req.Message
	e := &Entry{
		ID: NewID(), Connector: c.ID, Type: typeLabel(m.Type), Mode: mode,
		Recipient: maskOf(m.To), Address: d.AddressHash(m.To), Body: d.keeper.Hash("body", c.ID, string(req.BodySum[:])),
		Arrived: req.Arrived, Expires: req.Arrived.Add(lifetime(c, m)),
	}
	e.Report = Report{ID: e.ID, Outcome: StateFailed, Recipient: e.Recipient}
	return e
}

// maskOf masks an address, and shows nothing of what is none.
func maskOf(to string) string {
	if _, err := connector.ParseAddress(to); err != nil {
		return connector.MaskAddress("")
	}
	return connector.MaskAddress(to)
}

// AddressHash is the hash by which messages to an address are looked for.
func (d *Delivery) AddressHash(address string) Hash {
	return d.keeper.Hash("address", strings.ToLower(address))
}

// sendEntry is the entry of a message that is sent through a connector in force.
func (d *Delivery) sendEntry(ctx context.Context, l *lane, req Request) (*Entry, error) {
	mode := Direct
	if !d.volatile && (req.Queue || l.Composer.Config().Delivery[req.Message.Type] == string(Queued)) {
		mode = Queued
	}
	c := l.Connector
	e := d.entry(c, req, mode)
	e.Takings = l.rates.takings(d.keeper, l.ID, req.Message)
	e.Person = d.person(c, req.Message)
	e.Hold = c.Composer.Config().OnUnknown == "hold"
	if req.IdempotencyKey != "" {
		key := d.keeper.Hash("key", c.ID, req.IdempotencyKey)
		e.Idempotency = &key
	}
	for _, taking := range e.Takings {
		e.Report.Limits = append(e.Report.Limits, LimitCheck{Limit: taking.Name, Rate: taking.rate()})
	}
	if mode == Direct {
		return e, nil
	}
	e.Report.Outcome = StateQueued
	var err error
	e.Payload, err = json.Marshal(payload{req.Message.To, req.Message.Type, req.Message.Payload, req.Message.IP, traceparent(ctx)})
	return e, err
}

// payload is a queued message, in the shape in which it came.
type payload struct {
	To      string         `json:"to"`
	Type    string         `json:"type"`
	Payload map[string]any `json:"payload"`
	IP      string         `json:"ip,omitempty"`

	Traceparent string `json:"traceparent,omitempty"` // of its request, in W3C's form
}

func lifetime(c Connector, m connector.Message) time.Duration {
	if code, _ := m.Payload["code"].(string); code == "" {
		return lifetimeOfOthers
	}
	if d, err := connector.ParseLifetime(c.Composer.Config().CodeLifetime); err == nil {
		return d
	}
	return connector.LogtoCodeLifetime // the config says nothing: anything else was refused with it
}

// joinKey is what equal requests share. One with an Idempotency-Key is told from
// others by that.
func (d *Delivery) joinKey(c Connector, req Request) *Hash {
	if req.IdempotencyKey != "" {
		return nil
	}
	key := d.keeper.Hash("join", c.ID, string(req.BodySum[:]), fmt.Sprint(req.Queue))
	return &key
}

// person names whom a code is for. Without application and client it could be
// anybody's code that would be overtaken.
func (d *Delivery) person(c Connector, m connector.Message) *Hash {
	code, _ := m.Payload["code"].(string)
	application, _ := m.Payload["application"].(map[string]any)
	id, _ := application["id"].(string)
	who := client(m.IP)
	if code == "" || id == "" || who == "" {
		return nil
	}
	person := d.keeper.Hash("person", c.ID, m.To, m.Type, id, who)
	return &person
}

// replay is the answer to a request that is known already.
func replay(known *Record, e *Entry) (Report, *Error) {
	refused := e.Report
	refused.Outcome = StateFailed
	if known.Body != e.Body {
		return refused, &Error{Code: IdempotencyMismatch, Incident: e.ID, Detail: "the Idempotency-Key came with another body before"}
	}
	report := Report{ID: known.ID, Outcome: known.State, Recipient: known.Recipient}
	if known.Report != nil {
		report = *known.Report
		report.Outcome = known.State
	}
	switch {
	case known.State == StateSent:
		return report, nil
	case !known.State.Final() && known.Mode == Queued:
		report.Outcome = StateQueued
		return report, nil
	case !known.State.Final():
		return refused, &Error{Code: InProgress, Incident: e.ID, Detail: "the first request with this Idempotency-Key is on its way", RetryAfter: time.Second}
	}
	code := known.Code
	if code == "" {
		code = Overloaded // it expired before it was tried
	}
	return report, &Error{Code: code, Incident: known.ID, Detail: report.Detail}
}
