package delivery

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
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
	Abandoned           Code = "abandoned"            // the caller has gone: nobody reads this
	Internal            Code = "internal"             // a defect of ours
)

// An Error says why a message was not sent, or not certainly. Code and Incident
// may be shown to anyone; Detail and the cause are for the operator.
type Error struct {
	Code       Code
	Incident   string        // the message's id
	Detail     string        // in plain words, with the cure where there is one
	RetryAfter time.Duration // when to try again; 0 if it would not help
	Err        error         // the cause, or nil

	again bool // it may be sent again at once
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Detail
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// level is error for what an operator must mend, and warn for what is the
// caller's, the recipient's or the moment's.
func (e *Error) level() slog.Level {
	switch e.Code {
	case ProviderRejected, QuotaExhausted, OutcomeUnknown, TemplateNotFound, Internal:
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
		failure.Detail += ". " + advice
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
	case RateLimited, Overloaded, ProviderBusy, QuotaExhausted, ProviderUnavailable, Abandoned:
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

// retryAfterOf is when to ask again about a message that is on its way.
func retryAfterOf(code Code) time.Duration {
	if code == InProgress {
		return time.Second
	}
	return 0
}

func limited(refusing *limit, wait time.Duration) *Error {
	detail := fmt.Sprintf("the limit of this %s is used up: %d in %v", refusing.name, refusing.rate.Count, refusing.rate.Per)
	return &Error{Code: RateLimited, RetryAfter: wait, Detail: detail}
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
