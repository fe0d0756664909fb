package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"dmconnector/aliyundm"
)

// A Code names a way in which a send can end without a mail. Codes are stable:
// callers decide by them.
type Code string

// The codes of a message that was not sent, or not certainly.
const (
	InvalidRecipient    Code = "invalid_recipient"
	TemplateNotFound    Code = "template_not_found"
	VariableMissing     Code = "variable_missing"
	ProviderBusy        Code = "provider_busy"        // Aliyun throttles
	QuotaExhausted      Code = "quota_exhausted"      // Aliyun's quota is used up
	ProviderRejected    Code = "provider_rejected"    // Aliyun refuses the account, the sender or the key
	RecipientRejected   Code = "recipient_rejected"   // Aliyun refuses the recipient
	ContentRejected     Code = "content_rejected"     // Aliyun refuses the content
	ProviderUnavailable Code = "provider_unavailable" // Aliyun was not reached: certainly nothing was sent
	OutcomeUnknown      Code = "outcome_unknown"      // no clear answer in time: it may have been sent
	RateLimited         Code = "rate_limited"         // a limit of ours is used up
	Overloaded          Code = "overloaded"           // it could not have been sent in time
	Superseded          Code = "superseded"           // a newer code has overtaken it
	InProgress          Code = "in_progress"          // the Idempotency-Key's first message is on its way
	IdempotencyMismatch Code = "idempotency_mismatch" // the Idempotency-Key came with another body
	ConnectorNotFound   Code = "connector_not_found"  // there is no such connector, or not any more
	Unavailable         Code = "unavailable"          // it could not be remembered, so that it was not sent
	Abandoned           Code = "abandoned"            // the caller has gone: nobody reads this
	Internal            Code = "internal"             // a defect of ours
)

// Codes lists the codes of a message that was not sent, or not certainly.
func Codes() []Code {
	return []Code{
		InvalidRecipient, TemplateNotFound, VariableMissing, ProviderBusy, QuotaExhausted, ProviderRejected,
		RecipientRejected, ContentRejected, ProviderUnavailable, OutcomeUnknown, RateLimited, Overloaded, Superseded,
		InProgress, IdempotencyMismatch, ConnectorNotFound, Unavailable, Abandoned, Internal,
	}
}

// The codes of a message that an admin wants sent again.
const (
	MessageNotFound Code = "message_not_found"
	PayloadGone     Code = "payload_gone"  // it is erased: it holds codes only while they are good
	NotRetryable    Code = "not_retryable" // it is neither dead nor unknown
)

// An Error says why a message was not sent, or not certainly. Code and Incident
// may be shown to anyone; Detail and the cause are for the operator.
type Error struct {
	Code       Code
	Incident   string        // the message's id
	Detail     string        // in plain words, with the cure where there is one
	RetryAfter time.Duration // when to try again; 0 if it would not help
	Limit      string        // the limit of ours that is used up, if one is
	Err        error         // the cause, or nil

	again   bool // it may be sent again at once
	untried bool // it was not even tried, as others before were refused
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Detail
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// orNil is e as an error, which is nil if e is.
func (e *Error) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// level is error for what an operator must mend, and warn for what is the
// caller's, the recipient's or the moment's.
func (e *Error) level() slog.Level {
	switch e.Code {
	case ProviderRejected, QuotaExhausted, OutcomeUnknown, TemplateNotFound, ConnectorNotFound, Unavailable, Internal:
		return slog.LevelError
	default:
		return slog.LevelWarn
	}
}

// Aliyun gives no time to wait: its rate is by the second, its quota by the day.
const (
	busyRetryAfter  = time.Second
	quotaRetryAfter = time.Hour
)

// classCodes translates the provider's classes of errors.
var classCodes = map[aliyundm.Class]Code{
	aliyundm.Retry:     ProviderUnavailable,
	aliyundm.Operator:  ProviderRejected,
	aliyundm.Content:   ContentRejected,
	aliyundm.Recipient: RecipientRejected,
	aliyundm.Quota:     QuotaExhausted,
	aliyundm.Unknown:   OutcomeUnknown,
}

// providerError says in our words what the provider answered. An error that it
// could not classify may hide an accepted mail.
func providerError(incident string, err error) *Error {
	answer, ok := errors.AsType[*aliyundm.Error](err)
	if !ok {
		return &Error{Code: OutcomeUnknown, Incident: incident, Detail: "the provider's answer could not be understood", Err: err}
	}
	failure := &Error{Code: classCodes[answer.Class], Incident: incident, Detail: answer.Error(), Err: err}
	if advice := aliyundm.Advice(answer.Code); advice != "" {
		failure.Detail = strings.TrimSuffix(failure.Detail, ".") + ". " + advice
	}
	switch {
	case answer.Throttled():
		failure.Code, failure.RetryAfter = ProviderBusy, busyRetryAfter
	case answer.Class == aliyundm.Quota:
		failure.RetryAfter = quotaRetryAfter
	}
	failure.again = failure.Code == ProviderBusy || failure.Code == ProviderUnavailable
	return failure
}

// releasesKey reports whether the same request may be sent again under the same
// Idempotency-Key: it was certainly not sent, and another time it may be.
func (e *Error) releasesKey() bool {
	switch e.Code {
	case RateLimited, Overloaded, Unavailable, ProviderBusy, QuotaExhausted, ProviderUnavailable, Abandoned:
		return true
	default:
		return false
	}
}

// sparesLimits reports whether a message does not count for its limits: it was
// certainly not sent, and the recipient is not to blame.
func (e *Error) sparesLimits() bool {
	return e.Code != OutcomeUnknown && e.Code != RecipientRejected && e.Code != Internal
}

// triesAgain reports whether a queued message that was not sent is tried again by
// itself.
func (e *Error) triesAgain() bool {
	switch e.Code {
	case ProviderBusy, ProviderUnavailable, QuotaExhausted, Overloaded, Unavailable:
		return true
	default:
		return e.untried
	}
}

// maybeStale reports whether only this process may not know the connector, or its
// template, yet.
func (e *Error) maybeStale() bool { return e.Code == ConnectorNotFound || e.Code == TemplateNotFound }

func limited(incident string, refusing *Taking, wait time.Duration) *Error {
	detail := fmt.Sprintf("the limit of this %s is used up: %s", refusing.Name, refusing.rate())
	return &Error{Code: RateLimited, Incident: incident, RetryAfter: wait, Detail: detail, Limit: refusing.Name}
}

// unavailable is for a state that could not be written.
func unavailable(incident string, cause error) *Error {
	return &Error{
		Code: Unavailable, Incident: incident, RetryAfter: time.Second, Err: cause,
		Detail: "the state could not be written, so that nothing was sent",
	}
}

func superseded(incident string) *Error {
	return &Error{Code: Superseded, Incident: incident, Detail: "a newer code for the same person has overtaken it"}
}

func overloaded(incident string, wait time.Duration) *Error {
	return &Error{Code: Overloaded, Incident: incident, Detail: "it could not have been sent in time", RetryAfter: wait}
}

func abandoned(incident string) *Error {
	return &Error{Code: Abandoned, Incident: incident, Detail: "the caller had gone before it was sent"}
}

// internalError is for a defect: its cause may hold a part of the message.
func internalError(incident string, cause any) *Error {
	detail := fmt.Sprintf("panic of type %T", cause)
	if err, ok := cause.(runtime.Error); ok {
		detail = "panic: " + err.Error()
	}
	return &Error{Code: Internal, Incident: incident, Detail: detail + "\n" + string(debug.Stack())}
}
