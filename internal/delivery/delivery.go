// Package delivery leads one message through its life: it finds the connector,
// checks that there is exactly one recipient, has the mail composed and sent
// before the deadline, and says in the product's own words what became of it.
package delivery

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
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

// A Request is one message and the time at which its request arrived.
type Request struct {
	Message connector.Message
	Arrived time.Time
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
	connectors map[string]Connector
	log        *slog.Logger
}

// New returns a Delivery for the given connectors, by their id.
func New(connectors map[string]Connector, log *slog.Logger) *Delivery {
	return &Delivery{connectors: connectors, log: log}
}

// Connector returns the connector of that id. The empty id means the one called
// "default", or else the only one.
func (d *Delivery) Connector(id string) (Connector, bool) {
	if id == "" && len(d.connectors) == 1 {
		for only := range maps.Values(d.connectors) {
			return only, true
		}
	}
	c, ok := d.connectors[cmp.Or(id, "default")]
	return c, ok
}

// IDs lists the connectors' ids in alphabetical order.
func (d *Delivery) IDs() []string { return slices.Sorted(maps.Keys(d.connectors)) }

// Send leads the message through c and logs what became of it, in one line. It
// returns nil if and only if the provider accepted the mail; every other error
// is an [*Error].
func (d *Delivery) Send(ctx context.Context, c Connector, req Request) (Report, error) {
	report, err := deliver(ctx, c, req)
	d.record(ctx, c, req, report, err)
	if err != nil {
		return report, err
	}
	return report, nil
}

func deliver(ctx context.Context, c Connector, req Request) (Report, *Error) {
	report := Report{ID: NewID(), Outcome: Failed, Recipient: connector.MaskAddress("")}
	recipient, err := connector.ParseAddress(req.Message.To)
	if err != nil {
		return report, &Error{Code: InvalidRecipient, Incident: report.ID, Detail: "the recipient is not one mail address: " + err.Error()}
	}
	report.Recipient = connector.MaskAddress(recipient)
	req.Message.To = recipient

	mail, trace, err := c.Composer.Compose(req.Message)
	report.Trace = &trace
	if err != nil {
		return report, composeError(report.ID, err)
	}
	// The provider may have the mail although the caller has gone: a send that
	// has begun is brought to its end, to know its outcome.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), req.Arrived.Add(sendBy))
	defer cancel()
	begun := time.Now()
	receipt, err := c.Sender.SingleSendMail(ctx, mail)
	attempt := Attempt{Milliseconds: time.Since(begun).Milliseconds()}
	if err != nil {
		attempt.Error = err.Error()
		report.Attempts = []Attempt{attempt}
		failure := providerError(report.ID, err)
		if failure.Code == OutcomeUnknown {
			report.Outcome = Unknown
		}
		return report, failure
	}
	report.Attempts = []Attempt{attempt}
	report.Outcome, report.Receipt = Sent, receipt
	return report, nil
}

// record writes the one log line of a message.
func (d *Delivery) record(ctx context.Context, c Connector, req Request, report Report, failure *Error) {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("incident", report.ID), slog.String("outcome", string(report.Outcome)),
		slog.String("connector", c.ID), slog.String("type", typeLabel(req.Message.Type)),
		slog.String("to", report.Recipient), slog.Int64("ms", time.Since(req.Arrived).Milliseconds()))
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

func composeError(incident string, err error) *Error {
	if missing, ok := errors.AsType[*connector.MissingVariablesError](err); ok {
		return &Error{Code: VariableMissing, Incident: incident, Detail: missing.Error(), Err: err}
	}
	return &Error{Code: TemplateNotFound, Incident: incident, Detail: err.Error(), Err: err}
}
