package delivery

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
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

// An Error says why a message was not sent, or not certainly. Code and Incident may
// be shown to anyone; Detail and the cause are for the operator.
type Error struct {
	Code       errcode.Code
	Incident   string        // the message's id
	Detail     string        // with the cure where there is one
	RetryAfter time.Duration // when to try again; 0 if it would not help
	Limit      string        // the limit that is used up, if one is
	Err        error         // the cause, or nil

	untried bool // the breaker was open
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
	return failure
}

func invalidRecipient(incident string, err error) *Error {
	return &Error{Code: errcode.InvalidRecipient, Incident: incident, Detail: "the recipient is not one email address: " + err.Error()}
}

// ComposeError says why a connector could not compose a message's mail. The incident
// is the message's id, or empty if it has none.
func ComposeError(incident string, err error) *Error {
	failure := &Error{Code: errcode.TemplateNotFound, Incident: incident, Detail: err.Error(), Err: err}
	if _, ok := errors.AsType[*connector.MissingVariablesError](err); ok {
		failure.Code = errcode.VariableMissing
	} else if _, ok := errors.AsType[*connector.TooLargeError](err); ok {
		failure.Code = errcode.ContentRejected
	}
	return failure
}

// isOurs reports whether the failure came before a call of the provider: its mail was
// too large to be composed.
func (e *Error) isOurs() bool {
	_, ok := errors.AsType[*connector.TooLargeError](e.Err)
	return ok
}

func unavailable(incident, detail string, cause error) *Error {
	return &Error{Code: errcode.Unavailable, Incident: incident, RetryAfter: time.Second, Err: cause, Detail: detail}
}

func superseded(incident string) *Error {
	return &Error{Code: errcode.Superseded, Incident: incident, Detail: "a newer code was requested for the same recipient and client"}
}

func overloaded(incident string, wait time.Duration) *Error {
	return &Error{Code: errcode.Overloaded, Incident: incident, Detail: "it could not have been sent in time", RetryAfter: wait}
}

// fullRetryAfter is when a full queue is counted again, and may have room.
const fullRetryAfter = 5 * time.Second

func queueFull(incident string) *Error {
	return &Error{Code: errcode.Overloaded, Incident: incident, Detail: "the connector's queue is full", RetryAfter: fullRetryAfter}
}

// internalError is for a panic: its value may hold a part of the message.
func internalError(incident string, cause any) *Error {
	detail := fmt.Sprintf("panic of type %T", cause)
	if err, ok := cause.(runtime.Error); ok {
		detail = "panic: " + err.Error()
	}
	return &Error{Code: errcode.Internal, Incident: incident, Detail: detail + "\n" + string(debug.Stack())}
}
