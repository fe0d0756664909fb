// Package errcode has the one table of the ways in which a request can fail. Codes
// are stable: callers decide by them. The answers over HTTP, the log, the retries of
// the queue, openapi.json, docs/errors.md and the console's types all follow it.
package errcode

import (
	"log/slog"
	"net/http"
	"slices"
)

// A Code names a failure.
type Code string

// The codes of a message that was not sent, or not certainly.
const (
	InvalidRecipient    Code = "invalid_recipient"
	TemplateNotFound    Code = "template_not_found"
	VariableMissing     Code = "variable_missing"
	ProviderBusy        Code = "provider_busy"
	QuotaExhausted      Code = "quota_exhausted"
	ProviderRejected    Code = "provider_rejected"
	RecipientRejected   Code = "recipient_rejected"
	ContentRejected     Code = "content_rejected"
	ProviderUnavailable Code = "provider_unavailable"
	OutcomeUnknown      Code = "outcome_unknown"
	RateLimited         Code = "rate_limited"
	Overloaded          Code = "overloaded"
	Superseded          Code = "superseded"
	InProgress          Code = "in_progress"
	IdempotencyMismatch Code = "idempotency_mismatch"
	ConnectorNotFound   Code = "connector_not_found"
	Unavailable         Code = "unavailable"
	Internal            Code = "internal"
)

// The codes of requests that never become a message.
const (
	InvalidRequest   Code = "invalid_request"
	Unauthorized     Code = "unauthorized"
	Forbidden        Code = "forbidden"
	NotFound         Code = "not_found"
	MethodNotAllowed Code = "method_not_allowed"
	InvalidConfig    Code = "invalid_config"

	FactoryNotFound       Code = "factory_not_found"
	UnknownFactory        Code = "unknown_factory"
	ConnectorExists       Code = "connector_exists"
	ConnectorReserved     Code = "connector_reserved"
	ConnectorReadOnly     Code = "connector_read_only"
	PreconditionFailed    Code = "precondition_failed"
	EmailTemplateNotFound Code = "email_template_not_found"
	FilterRequired        Code = "filter_required"
	MessageNotFound       Code = "message_not_found"
	PayloadGone           Code = "payload_gone"
	NotRetryable          Code = "not_retryable"
)

// A Kind is what the product does about a code.
type Kind struct {
	Code   Code
	Status int    // of the HTTP answer
	Title  string // may be shown to anyone
	Level  slog.Level

	// Message says that a message can end with this code.
	Message bool
	// Retryable says that the same request may succeed later. A queued message with
	// such a code is tried again.
	Retryable bool
	// Refunds says that the message does not count for its limits: it was certainly
	// not sent, and the recipient is not to blame.
	Refunds bool
	// ReleasesKey says that the same Idempotency-Key may be used for another send.
	ReleasesKey bool
	// Person is the sentence for the person at the sign-in page.
	Person string
}

// What a person can do about a failure.
const (
	tryAgain     = "The email could not be sent. Try again in a minute."
	waitLonger   = "Too many emails were requested. Wait a few minutes, then try again."
	lookFirst    = "The email may already be on its way. Check your inbox before you request another code."
	checkAddress = "No email can be sent to this address. Check the address for mistakes."
	useNewest    = "A newer code was requested. Use the code in the newest email."
	askOperator  = "The email could not be sent. Contact the operator of this site."
)

// Columns: code, status, title, level; Message, Retryable, Refunds, ReleasesKey; Person.
var kinds = []Kind{
	{InvalidRecipient, http.StatusUnprocessableEntity, "The recipient is not one email address", slog.LevelWarn, true, false, true, false, checkAddress},
	{TemplateNotFound, http.StatusUnprocessableEntity, "The connector has no template for this email", slog.LevelError, true, false, true, false, askOperator},
	{VariableMissing, http.StatusUnprocessableEntity, "The request lacks a variable of the template", slog.LevelWarn, true, false, true, false, askOperator},
	{ProviderBusy, http.StatusServiceUnavailable, "The mail provider is busy", slog.LevelWarn, true, true, true, true, tryAgain},
	{QuotaExhausted, http.StatusServiceUnavailable, "The mail provider's quota is used up", slog.LevelError, true, true, true, true, askOperator},
	{ProviderRejected, http.StatusBadGateway, "The mail provider rejected the sender", slog.LevelError, true, false, true, false, askOperator},
	{RecipientRejected, http.StatusUnprocessableEntity, "The mail provider rejected the recipient", slog.LevelWarn, true, false, false, false, checkAddress},
	{ContentRejected, http.StatusUnprocessableEntity, "The content was rejected", slog.LevelWarn, true, false, true, false, askOperator},
	{ProviderUnavailable, http.StatusBadGateway, "The mail provider could not be reached", slog.LevelWarn, true, true, true, true, tryAgain},
	{OutcomeUnknown, http.StatusGatewayTimeout, "The email may have been sent", slog.LevelError, true, false, false, false, lookFirst},
	{RateLimited, http.StatusTooManyRequests, "Too many emails, try again later", slog.LevelWarn, true, true, true, true, waitLonger},
	{Overloaded, http.StatusServiceUnavailable, "The service is busy, try again", slog.LevelWarn, true, true, true, true, tryAgain},
	{Superseded, http.StatusConflict, "A newer code was requested", slog.LevelWarn, true, false, true, false, useNewest},
	{InProgress, http.StatusConflict, "The same request is in progress", slog.LevelWarn, true, true, true, false, lookFirst},
	{IdempotencyMismatch, http.StatusUnprocessableEntity, "The Idempotency-Key was used with another request", slog.LevelWarn, true, false, true, false, askOperator},
	{ConnectorNotFound, http.StatusNotFound, "There is no such connector", slog.LevelWarn, true, false, true, false, askOperator},
	{Unavailable, http.StatusServiceUnavailable, "The service is not available now", slog.LevelError, true, true, true, true, tryAgain},
	{Internal, http.StatusInternalServerError, "Something went wrong", slog.LevelError, true, false, false, false, askOperator},

	rejection(InvalidRequest, http.StatusBadRequest, "The request is malformed"),
	rejection(Unauthorized, http.StatusUnauthorized, "A valid token is required"),
	rejection(Forbidden, http.StatusForbidden, "The token does not allow this"),
	rejection(NotFound, http.StatusNotFound, "There is no such route"),
	rejection(MethodNotAllowed, http.StatusMethodNotAllowed, "The route does not support this method"),
	rejection(InvalidConfig, http.StatusBadRequest, "The connector is not valid"),
	rejection(FactoryNotFound, http.StatusNotFound, "There is no such connector factory"),
	rejection(UnknownFactory, http.StatusUnprocessableEntity, "There is no such connector factory"),
	rejection(ConnectorExists, http.StatusUnprocessableEntity, "A connector with this id exists"),
	rejection(ConnectorReserved, http.StatusUnprocessableEntity, "This id is reserved"),
	rejection(ConnectorReadOnly, http.StatusConflict, "The connector comes from a file"),
	rejection(PreconditionFailed, http.StatusPreconditionFailed, "The connector has changed"),
	rejection(EmailTemplateNotFound, http.StatusNotFound, "There is no such email template"),
	rejection(FilterRequired, http.StatusUnprocessableEntity, "A filter is required"),
	rejection(MessageNotFound, http.StatusNotFound, "There is no such message"),
	rejection(PayloadGone, http.StatusConflict, "The message's content has been erased"),
	rejection(NotRetryable, http.StatusConflict, "The message cannot be sent again"),
}

// rejection is the kind of a request that never becomes a message.
func rejection(code Code, status int, title string) Kind {
	return Kind{Code: code, Status: status, Title: title, Level: slog.LevelWarn, Person: askOperator}
}

// Kinds lists all kinds, those of messages first.
func Kinds() []Kind { return slices.Clone(kinds) }

// Of returns what the product does about a code. An unknown code is [Internal].
func Of(code Code) Kind {
	for _, k := range kinds {
		if k.Code == code {
			return k
		}
	}
	return Of(Internal)
}
