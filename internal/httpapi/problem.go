package httpapi

import (
	"cmp"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// Codes of requests that never become a message; the others are delivery's.
const (
	codeInvalidRequest   errcode.Code = "invalid_request"
	codeInvalidConfig    errcode.Code = "invalid_config"
	codeUnauthorized     errcode.Code = "unauthorized"
	codeForbidden        errcode.Code = "forbidden"
	codeNotFound         errcode.Code = "not_found"
	codeMethodNotAllowed errcode.Code = "method_not_allowed"

	codeFactoryNotFound       errcode.Code = "factory_not_found"
	codeUnknownFactory        errcode.Code = "unknown_factory"
	codeConnectorExists       errcode.Code = "connector_exists"
	codeConnectorReserved     errcode.Code = "connector_reserved"
	codeConnectorReadOnly     errcode.Code = "connector_read_only"
	codePreconditionFailed    errcode.Code = "precondition_failed"
	codeEmailTemplateNotFound errcode.Code = "email_template_not_found"
	codeFilterRequired        errcode.Code = "filter_required"
)

// answers gives each code its status and its title, the only words about an
// error that an unauthenticated browser may be shown.
var answers = map[errcode.Code]struct {
	status int
	title  string
}{
	codeInvalidRequest:          {http.StatusBadRequest, "The request is malformed"},
	codeInvalidConfig:           {http.StatusBadRequest, "The connector is not valid"},
	codeUnauthorized:            {http.StatusUnauthorized, "A valid token is needed"},
	codeForbidden:               {http.StatusForbidden, "The token is not for this"},
	errcode.ConnectorNotFound:   {http.StatusNotFound, "There is no such connector"},
	codeNotFound:                {http.StatusNotFound, "There is no such route"},
	codeMethodNotAllowed:        {http.StatusMethodNotAllowed, "The route does not know this method"},
	errcode.Internal:            {http.StatusInternalServerError, "Something went wrong here"},
	errcode.Unavailable:         {http.StatusServiceUnavailable, "The service cannot do this now"},
	codeFactoryNotFound:         {http.StatusNotFound, "There is no such factory"},
	codeUnknownFactory:          {http.StatusUnprocessableEntity, "There is no such factory"},
	codeConnectorExists:         {http.StatusUnprocessableEntity, "There is a connector of that id"},
	codeConnectorReserved:       {http.StatusUnprocessableEntity, "No connector can have that id"},
	codeConnectorReadOnly:       {http.StatusConflict, "The connector comes from a file"},
	codePreconditionFailed:      {http.StatusPreconditionFailed, "It has been changed meanwhile"},
	codeEmailTemplateNotFound:   {http.StatusNotFound, "There is no such email template"},
	codeFilterRequired:          {http.StatusUnprocessableEntity, "A filter is needed"},
	errcode.MessageNotFound:     {http.StatusNotFound, "There is no such message"},
	errcode.PayloadGone:         {http.StatusConflict, "The message's content is erased"},
	errcode.NotRetryable:        {http.StatusConflict, "The message cannot be sent again"},
	errcode.InvalidRecipient:    {http.StatusUnprocessableEntity, "The recipient is not one mail address"},
	errcode.TemplateNotFound:    {http.StatusUnprocessableEntity, "There is no template for this mail"},
	errcode.VariableMissing:     {http.StatusUnprocessableEntity, "The request lacks a variable of the template"},
	errcode.ProviderBusy:        {http.StatusServiceUnavailable, "The mail provider is busy"},
	errcode.QuotaExhausted:      {http.StatusServiceUnavailable, "The mail provider's quota is used up"},
	errcode.ProviderRejected:    {http.StatusBadGateway, "The mail provider refused the sender"},
	errcode.RecipientRejected:   {http.StatusUnprocessableEntity, "The mail provider refused the recipient"},
	errcode.ContentRejected:     {http.StatusUnprocessableEntity, "The mail provider refused the content"},
	errcode.ProviderUnavailable: {http.StatusBadGateway, "The mail provider could not be reached"},
	errcode.RateLimited:         {http.StatusTooManyRequests, "Too many mails, try again later"},
	errcode.Overloaded:          {http.StatusServiceUnavailable, "The service is busy, try again"},
	errcode.Superseded:          {http.StatusConflict, "A newer code has been sent"},
	errcode.InProgress:          {http.StatusConflict, "The same request is being answered"},
	errcode.IdempotencyMismatch: {http.StatusUnprocessableEntity, "The Idempotency-Key came with another request"},
	errcode.OutcomeUnknown:      {http.StatusGatewayTimeout, "The mail may have been sent"},
}

// A problem is an error as its reader gets it: problem details of RFC 9457.
// Detail and Errors are for admins; on send routes they go to the log only.
type problem struct {
	Type     string              `json:"type"`
	Title    string              `json:"title"`
	Status   int                 `json:"status"`
	Code     errcode.Code        `json:"code"`
	Incident string              `json:"incident"`
	Detail   string              `json:"message,omitempty"`
	Errors   []connector.Problem `json:"errors,omitempty"`

	retryAfter time.Duration
	public     bool  // Detail and Errors are not for this reader
	logged     bool  // the incident is in the log already
	err        error // the cause, for the log
}

func (p *problem) Error() string { return cmp.Or(p.Detail, string(p.Code)) }

// problemOf returns the problem that a code says all about.
func problemOf(code errcode.Code) *problem { return &problem{Code: code} }

// invalidRequest is for a send's body that is no message.
func invalidRequest(err error) *problem {
	return &problem{Code: codeInvalidRequest, Detail: err.Error(), public: true}
}

// publicFailure is for a message that was not sent, as the caller may see it.
func publicFailure(err error) *problem {
	p := failure(err)
	p.public = true
	return p
}

// failure is for a message that was not sent, as an admin may see it.
func failure(err error) *problem {
	f, ok := errors.AsType[*delivery.Error](err)
	if !ok {
		return &problem{Code: errcode.Internal, err: err}
	}
	return &problem{Code: f.Code, Incident: f.Incident, Detail: f.Detail, retryAfter: f.RetryAfter, logged: true}
}

// fail is the only place that writes an error, and that logs one which delivery
// has not logged.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	found, ok := errors.AsType[*problem](err)
	if !ok {
		found = &problem{Code: errcode.Internal, err: err}
	}
	p := *found
	p.Status = cmp.Or(p.Status, answers[p.Code].status)
	p.Title = answers[p.Code].title
	p.Type = "urn:dmconnector:problem:" + string(p.Code)
	p.Incident = cmp.Or(p.Incident, delivery.NewID())
	noteIncident(r, p.Incident)
	if !p.logged {
		s.logProblem(r, &p)
		s.countRefusal(r, p.Code)
	}
	if p.public {
		p.Detail, p.Errors = "", nil
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	writeJSON(w, p.Status, "application/problem+json", &p)
}

func (s *Server) logProblem(r *http.Request, p *problem) {
	level := slog.LevelWarn
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("incident", p.Incident), slog.String("code", string(p.Code)), slog.Int("status", p.Status),
		slog.String("method", methodLabel(r.Method)), slog.String("route", routeOf(r)),
	}
	if p.Detail != "" {
		attrs = append(attrs, slog.String("detail", p.Detail))
	}
	if p.err != nil {
		attrs = append(attrs, slog.String("error", p.err.Error()))
	}
	s.opts.Log.LogAttrs(r.Context(), level, "request refused", attrs...)
}

// countRefusal counts a send that never became a message.
func (s *Server) countRefusal(r *http.Request, code errcode.Code) {
	if s.opts.Refused != nil && r.Method == http.MethodPost && strings.HasSuffix(routeOf(r), "/send") {
		s.opts.Refused(code)
	}
}

// methodLabel keeps callers from filling the log with words of their own.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// routeOf returns the request's route, without what the caller put into it.
func routeOf(r *http.Request) string {
	if pattern := chi.RouteContext(r.Context()).RoutePattern(); pattern != "" {
		return pattern
	}
	return "unknown"
}
