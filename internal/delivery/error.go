package delivery

import (
	"errors"
	"log/slog"
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
)

// An Error says why a message was not sent, or not certainly. Code and Incident
// may be shown to anyone; Detail and the cause are for the operator.
type Error struct {
	Code       Code
	Incident   string        // the message's id
	Detail     string        // in plain words, with the cure where there is one
	RetryAfter time.Duration // when to try again; 0 if it would not help
	Err        error         // the cause, or nil
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
	case ProviderRejected, QuotaExhausted, OutcomeUnknown, TemplateNotFound:
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
	return failure
}
