package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// A problem is an error as its caller gets it: problem details of RFC 9457. Detail and
// Errors are for admins; on send routes they only go to the log.
type problem struct {
	Type     string              `json:"type"`
	Title    string              `json:"title"`
	Status   int                 `json:"status"`
	Code     errcode.Code        `json:"code"`
	Incident string              `json:"incident"`
	Detail   string              `json:"message,omitempty"`
	Errors   []connector.Problem `json:"errors,omitempty"`

	retryAfter time.Duration
	logged     bool  // package delivery has logged the incident
	err        error // the cause, for the log
}

func (p *problem) Error() string { return cmp.Or(p.Detail, string(p.Code)) }

// problemOf completes a problem, or makes one of an error of another package. Nil is none.
func problemOf(err error) *problem {
	if err == nil {
		return nil
	}
	p := problem{Code: errcode.Internal, err: err}
	if own, ok := errors.AsType[*problem](err); ok {
		p = *own
	} else if failed, ok := errors.AsType[*delivery.Error](err); ok {
		p = problem{Code: failed.Code, Incident: failed.Incident, Detail: failed.Detail, retryAfter: failed.RetryAfter, logged: failed.Incident != ""}
	} else if rejected, ok := errors.AsType[*registry.Error](err); ok {
		p = problem{Code: rejected.Code, Detail: rejected.Detail, Errors: rejected.Problems}
		if p.Code == errcode.InvalidConfig {
			p.Errors = inConfig(rejected.Problems)
		}
	} else if invalid, ok := errors.AsType[*connector.InvalidError](err); ok {
		p = problem{Code: errcode.InvalidRequest, Detail: invalid.Error()}
	}
	kind := errcode.Of(p.Code)
	p.Type, p.Title, p.Status = "urn:dmconnector:problem:"+string(p.Code), kind.Title, cmp.Or(p.Status, kind.Status)
	p.Incident = cmp.Or(p.Incident, delivery.NewID())
	return &p
}

// stateError is the error of a call that reads or writes the state: the state is not
// available, unless the error says otherwise.
func stateError(err error) error {
	_, rejected := errors.AsType[*registry.Error](err)
	_, failed := errors.AsType[*delivery.Error](err)
	if err == nil || rejected || failed {
		return err
	}
	return &problem{Code: errcode.Unavailable, Detail: "the state is not available", retryAfter: time.Second, err: err}
}

// inConfig moves pointers into a config below the config's own place.
func inConfig(problems []connector.Problem) []connector.Problem {
	moved := make([]connector.Problem, len(problems))
	for i, p := range problems {
		moved[i] = connector.Problem{Pointer: "/config" + p.Pointer, Line: p.Line, Detail: p.Detail}
	}
	return moved
}

// fail is the only place that answers an error, and that logs one which package
// delivery has not logged.
func (s *Server) fail(w http.ResponseWriter, r *request, err error) {
	p := problemOf(err)
	r.incident = p.Incident
	if r.unread && p.Status != http.StatusRequestTimeout && p.Status != http.StatusRequestEntityTooLarge {
		s.discardBody(w, r)
	}
	if !p.logged {
		s.logProblem(r, p)
	}
	h := w.Header()
	h.Set("Dmconnector-Code", string(p.Code))
	h.Set("Dmconnector-Incident", p.Incident)
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if !isSend(r.Request) {
		writeJSON(w, p.Status, "application/problem+json", p)
		return
	}
	if !p.logged && s.opts.Rejected != nil {
		s.opts.Rejected(p.Code)
	}
	if isForPerson(r.Request) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(p.Status)
		_, _ = fmt.Fprintf(w, "%s [%s]", errcode.Of(p.Code).Person, p.Incident[len(p.Incident)-8:])
		return
	}
	p.Detail, p.Errors = "", nil
	writeJSON(w, p.Status, "application/problem+json", p)
}

// isForPerson reports whether the answer to a failed send will be shown to the person
// at the sign-in page: Logto, whose HTTP client is got, puts the whole body there.
func isForPerson(r *http.Request) bool {
	forms := r.URL.Query()["errors"]
	switch _, negotiates := r.Header["Accept"]; {
	case slices.Contains(forms, "json"):
		return false
	case slices.Contains(forms, "text"):
		return true
	default:
		return !negotiates && strings.HasPrefix(r.UserAgent(), "got ")
	}
}

func (s *Server) logProblem(r *request, p *problem) {
	attrs := []slog.Attr{
		slog.String("incident", p.Incident), slog.String("code", string(p.Code)), slog.Int("status", p.Status),
		slog.String("method", r.methodLabel()), slog.String("route", r.routeLabel()),
	}
	if p.Detail != "" {
		attrs = append(attrs, slog.String("detail", p.Detail))
	}
	if p.err != nil {
		attrs = append(attrs, slog.String("error", p.err.Error()))
	}
	s.sampled.LogAttrs(r.Context(), string(p.Code), errcode.Of(p.Code).Level, "request rejected", attrs...)
}
