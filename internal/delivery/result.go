package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

// A Report tells what became of a message. It holds no code and no full address.
type Report struct {
	ID        string `json:"id"` // the incident, in errors
	State     State  `json:"state"`
	Recipient string `json:"recipient"` // masked
	Steps
}

// Steps are what happened to a message on its way.
type Steps struct {
	Detail   string            `json:"detail,omitempty"` // why it was not sent, for the operator
	Limits   []LimitCheck      `json:"limits,omitempty"`
	Template *connector.Trace  `json:"template,omitempty"`
	Attempts []Attempt         `json:"attempts,omitempty"`
	Receipt  *aliyundm.Receipt `json:"receipt,omitempty"`
}

// A LimitCheck is one limit that applied to a message.
type LimitCheck struct {
	Limit  string `json:"limit"` // such as "recipient"
	Rate   string `json:"rate"`  // such as "10 in 10m0s"
	UsedUp bool   `json:"usedUp,omitempty"`
}

// An Attempt is one call of the provider.
type Attempt struct {
	At           time.Time `json:"at"`
	Milliseconds int64     `json:"milliseconds"`
	Error        string    `json:"error,omitempty"`
	Pending      bool      `json:"pending,omitempty"` // it has not ended yet; only in the progress of a test
}

// maxAttemptsKept bounds the steps of a message that is tried for a day.
const maxAttemptsKept = 50

func (s *Steps) add(a Attempt) {
	if len(s.Attempts) >= maxAttemptsKept {
		s.Attempts = slices.Delete(s.Attempts, 1, 2) // the first says most
	}
	s.Attempts = append(s.Attempts, a)
}

// progress returns a copy of the report of a message that is being sent, with an
// attempt that has just begun.
func (r *Report) progress(begun ...Attempt) Report {
	step := *r
	step.State = StateSending
	step.Attempts = slices.Concat(r.Attempts, begun)
	return step
}

// An Error says why a message was not sent, or not certainly. Code and Incident may
// be shown to anyone; Detail and the cause are for the operator.
type Error struct {
	Code       errcode.Code
	Incident   string        // the message's id
	Detail     string        // with the cure where there is one
	RetryAfter time.Duration // when to try again; 0 if it would not help
	Limit      string        // the limit that is used up, if one is
	Err        error         // the cause, or nil

	retryNow bool // the next attempt may follow at once
	untried  bool // the breaker was open
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Detail
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// orNil is e as an error, which is nil if e is.
func (e *Error) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// Aliyun gives no time to wait: its rate is by the second, its quota by the day.
const (
	busyRetryAfter  = time.Second
	quotaRetryAfter = time.Hour
)

// classCodes translates the provider's classes of errors.
var classCodes = map[aliyundm.Class]errcode.Code{
	aliyundm.Retry:     errcode.ProviderUnavailable,
	aliyundm.Operator:  errcode.ProviderRejected,
	aliyundm.Content:   errcode.ContentRejected,
	aliyundm.Recipient: errcode.RecipientRejected,
	aliyundm.Quota:     errcode.QuotaExhausted,
	aliyundm.Unknown:   errcode.OutcomeUnknown,
}

// providerError translates an error of the provider. One that it could not classify
// may hide an accepted mail.
func providerError(incident string, err error) *Error {
	answer, ok := errors.AsType[*aliyundm.Error](err)
	if !ok {
		return &Error{Code: errcode.OutcomeUnknown, Incident: incident, Detail: "the provider's answer could not be understood", Err: err}
	}
	failure := &Error{Code: classCodes[answer.Class], Incident: incident, Detail: answer.Error(), Err: err}
	if advice := aliyundm.Advice(answer.Code); advice != "" {
		failure.Detail = strings.TrimSuffix(failure.Detail, ".") + ". " + advice
	}
	switch {
	case answer.Throttled():
		failure.Code, failure.RetryAfter = errcode.ProviderBusy, busyRetryAfter
	case answer.Class == aliyundm.Quota:
		failure.RetryAfter = quotaRetryAfter
	}
	failure.retryNow = failure.Code == errcode.ProviderBusy || failure.Code == errcode.ProviderUnavailable
	return failure
}

func invalidRecipient(incident string, err error) *Error {
	return &Error{Code: errcode.InvalidRecipient, Incident: incident, Detail: "the recipient is not one email address: " + err.Error()}
}

func composeError(incident string, err error) *Error {
	if missing, ok := errors.AsType[*connector.MissingVariablesError](err); ok {
		return &Error{Code: errcode.VariableMissing, Incident: incident, Detail: missing.Error(), Err: err}
	}
	return &Error{Code: errcode.TemplateNotFound, Incident: incident, Detail: err.Error(), Err: err}
}

func limited(incident string, exceeded *Charge, wait time.Duration) *Error {
	detail := fmt.Sprintf("the limit per %s is used up: %s", exceeded.Limit, exceeded.rate())
	return &Error{Code: errcode.RateLimited, Incident: incident, RetryAfter: wait, Detail: detail, Limit: exceeded.Limit}
}

func unavailable(incident, detail string, cause error) *Error {
	return &Error{Code: errcode.Unavailable, Incident: incident, RetryAfter: time.Second, Err: cause, Detail: detail}
}

func superseded(incident string) *Error {
	return &Error{Code: errcode.Superseded, Incident: incident, Detail: "a newer code for the same person was requested"}
}

func overloaded(incident string, wait time.Duration) *Error {
	return &Error{Code: errcode.Overloaded, Incident: incident, Detail: "it could not have been sent in time", RetryAfter: wait}
}

// internalError is for a panic: its value may hold a part of the message.
func internalError(incident string, cause any) *Error {
	detail := fmt.Sprintf("panic of type %T", cause)
	if err, ok := cause.(runtime.Error); ok {
		detail = "panic: " + err.Error()
	}
	return &Error{Code: errcode.Internal, Incident: incident, Detail: detail + "\n" + string(debug.Stack())}
}

// An Observation tells metrics how a message ended, or how one attempt of a queued
// message did.
type Observation struct {
	Connector string // may be of no active connector
	Type      string // one of [TypeLabels]
	Mode      Mode
	State     State        // StateQueued with a Code: it will be tried again
	Code      errcode.Code // empty if nothing failed
	Limit     string       // the limit that was used up, if one was

	FromQueue bool          // its caller has had an answer before
	Took      time.Duration // since the request arrived, or the attempt began
	Template  *connector.Trace
}

// observe counts a message, or one attempt of it, and writes its line in the log.
func (d *Delivery) observe(ctx context.Context, c Connector, req Request, mode Mode, report Report, failure *Error) {
	if d.observer != nil {
		o := Observation{
			Connector: c.ID, Type: typeLabel(req.Message.Type), Mode: mode, State: report.State,
			FromQueue: req.fromQueue, Took: time.Since(req.Arrived), Template: report.Template,
		}
		if failure != nil {
			o.Code, o.Limit = failure.Code, failure.Limit
		}
		d.observer(o)
	}
	if d.log.Enabled(ctx, slog.LevelDebug) {
		for i, a := range report.Attempts {
			d.log.LogAttrs(ctx, slog.LevelDebug, "attempt", slog.String("incident", report.ID), slog.Int("attempt", i+1),
				slog.Time("at", a.At), slog.Int64("ms", a.Milliseconds), slog.String("error", a.Error))
		}
	}
	attrs := make([]slog.Attr, 0, 15)
	attrs = append(attrs,
		slog.String("incident", report.ID), slog.String("outcome", string(report.State)),
		slog.String("connector", c.ID), slog.String("type", typeLabel(req.Message.Type)), slog.String("mode", string(mode)),
		slog.String("to", report.Recipient), slog.Int64("ms", time.Since(req.Arrived).Milliseconds()),
		slog.Int("attempts", len(report.Attempts)))
	if t := report.Template; t != nil {
		attrs = append(attrs, slog.Int("template", t.Template), slog.String("language", t.LanguageTag))
		if t.EmailTemplate != "" {
			attrs = append(attrs, slog.String("email_template", t.EmailTemplate))
		}
		if len(t.Missing) > 0 {
			attrs = append(attrs, slog.Any("missing", t.Missing))
		}
		if len(t.Notes) > 0 {
			attrs = append(attrs, slog.Any("notes", t.Notes))
		}
	}
	switch {
	case failure != nil:
		attrs = append(attrs, slog.String("code", string(failure.Code)), slog.String("error", failure.Error()))
		d.log.LogAttrs(ctx, errcode.Of(failure.Code).Level, "mail not sent", attrs...)
	case report.Receipt == nil:
		d.log.LogAttrs(ctx, slog.LevelInfo, "mail queued", attrs...)
	default:
		attrs = append(attrs, slog.String("env_id", report.Receipt.EnvID), slog.String("request_id", report.Receipt.RequestID))
		d.log.LogAttrs(ctx, slog.LevelInfo, "mail sent", attrs...)
	}
}
