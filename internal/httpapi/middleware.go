package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// A request is an HTTP request with what the middleware knows of it.
type request struct {
	*http.Request
	arrived  time.Time // its first byte
	by       caller    // of an authenticated route
	body     []byte    // whole, if the route takes one
	unread   bool      // the body, or its rest, is still to come
	version  int64     // the only one to change or delete; 0 means any
	incident string    // the id of its message or error; empty if it has none
	route    string    // of a method that the route does not have; chi knows the others
}

type requestKey struct{}

// handle adapts a handler that returns its error instead of writing it.
func (s *Server) handle(h func(http.ResponseWriter, *request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		known := r.Context().Value(requestKey{}).(*request) //nolint:forcetypeassert // observe comes first
		known.Request = r
		if err := h(w, known); err != nil {
			s.fail(w, known, err)
		}
	}
}

// answer adapts a handler that returns what to answer as JSON. Nil is 204, a queued
// message 202, and an object with a version has it as its ETag, for If-Match.
func (s *Server) answer(h func(*request) (any, error)) http.HandlerFunc {
	return s.handle(func(w http.ResponseWriter, r *request) error {
		answer, err := h(r)
		if err != nil {
			return err
		}
		status := http.StatusOK
		switch known := answer.(type) {
		case nil:
			w.WriteHeader(http.StatusNoContent)
			return nil
		case sent:
			if known.State == delivery.StateQueued {
				status = http.StatusAccepted
			}
		case versioned:
			if version := known.version(); version > 0 {
				w.Header().Set("ETag", fmt.Sprintf(`"%d"`, version))
			}
		}
		writeJSON(w, status, "application/json", answer)
		return nil
	})
}

// decoding adapts a handler of requests whose body is a T.
func decoding[T any](unknown strictness, h func(*request, T) (any, error)) func(*request) (any, error) {
	return func(r *request) (any, error) {
		var given T
		if err := r.decode(&given, unknown); err != nil {
			return nil, err
		}
		return h(r, given)
	}
}

// A versioned object is stored with a version. 0 means that it is not stored.
type versioned interface{ version() int64 }

// id is the id in the request's path.
func (r *request) id() string { return chi.URLParam(r.Request, "id") }

// before makes middleware of steps that come before a handler. The first error ends
// the request.
func (s *Server) before(steps ...func(http.ResponseWriter, *request) error) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return s.handle(func(w http.ResponseWriter, r *request) error {
			for _, step := range steps {
				if err := step(w, r); err != nil {
					return err
				}
			}
			next.ServeHTTP(w, r.Request)
			return nil
		})
	}
}

// observe writes the access log and the request's span. Neither has the URL: path and
// query may hold secrets and addresses.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, httpRequest *http.Request) {
		r := &request{arrived: beginHandling(httpRequest), unread: httpRequest.Body != http.NoBody}
		ctx, span := s.startSpan(httpRequest)
		r.Request = httpRequest.WithContext(context.WithValue(ctx, requestKey{}, r))
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			endSpan(span, r, answer.Status())
			if s.opts.AccessLog {
				s.logRequest(r, answer)
			}
		}()
		next.ServeHTTP(answer, r.Request)
		if r.unread {
			// The server must not wait for the rest: its connection receives some of it
			// after the answer.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
		}
	})
}

func (s *Server) logRequest(r *request, answer middleware.WrapResponseWriter) {
	route, status, level := r.routeLabel(), answer.Status(), slog.LevelInfo
	if status < http.StatusBadRequest && (route == "/healthz" || route == "/readyz" || route == "/metrics") {
		level = slog.LevelDebug // load balancers and Prometheus ask often
	}
	attrs := []slog.Attr{
		slog.String("method", r.methodLabel()), slog.String("route", route), slog.Int("status", status),
		slog.Int64("ms", time.Since(r.arrived).Milliseconds()), slog.Int("bytes", answer.BytesWritten()),
	}
	if r.incident != "" {
		attrs = append(attrs, slog.String("incident", r.incident))
	}
	s.opts.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// startSpan starts the span of a request to the API, in its caller's trace (W3C Trace
// Context). Streams, health checks and the console's files have none.
func (s *Server) startSpan(r *http.Request) (context.Context, trace.Span) {
	ctx, path := r.Context(), r.URL.Path
	if r.Header.Get("Traceparent") != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if s.opts.Tracer == nil || !strings.HasPrefix(path, "/api/") || path == eventsPath {
		return ctx, noop.Span{}
	}
	return s.opts.Tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
}

func endSpan(span trace.Span, r *request, status int) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	method, route := r.methodLabel(), r.routeLabel()
	span.SetName(method + " " + route)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route),
		attribute.Int("http.response.status_code", status))
	if r.incident != "" {
		span.SetAttributes(attribute.String("dmconnector.incident", r.incident))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// methodLabel bounds what callers can write into the log.
func (r *request) methodLabel() string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	default:
		return "other"
	}
}

// routeLabel is the pattern of the request's route, without what the caller wrote.
func (r *request) routeLabel() string {
	if r.route != "" {
		return r.route
	}
	if pattern := chi.RouteContext(r.Context()).RoutePattern(); pattern != "" {
		return pattern
	}
	return "unknown"
}

// recoverPanic answers a request whose handler panicked. Of the panic's value only the
// runtime's own text is logged: another may hold a part of a message.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *request) (err error) {
		defer func() {
			if cause := recover(); cause != nil {
				text := fmt.Sprintf("%T", cause)
				if failure, ok := cause.(runtime.Error); ok {
					text = failure.Error()
				}
				err = &problem{Code: errcode.Internal, err: fmt.Errorf("panic: %s\n%s", text, debug.Stack())}
			}
		}()
		next.ServeHTTP(w, r.Request)
		return nil
	})
}

// prepare sets the headers of every answer, and rejects paths and queries that are not
// plain text: PostgreSQL stores no NUL, and nobody needs control characters.
func (s *Server) prepare(w http.ResponseWriter, r *request) error {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if s.opts.TLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	// With an unread body the server would otherwise wait for it before it answers.
	if r.unread || s.closes(r.Request) {
		h.Set("Connection", "close")
	}
	ok := plain(r.URL.Path)
	for key, values := range r.URL.Query() {
		ok = ok && plain(key) && !slices.ContainsFunc(values, func(value string) bool { return !plain(value) })
	}
	if !ok {
		return &problem{Code: errcode.InvalidRequest, Detail: "path and query must be UTF-8 without control characters"}
	}
	return nil
}

func plain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func notFound(http.ResponseWriter, *request) error { return &problem{Code: errcode.NotFound} }

// methodNotAllowed finds the route and its methods, which chi does not tell.
func methodNotAllowed(routes chi.Routes) func(http.ResponseWriter, *request) error {
	return func(w http.ResponseWriter, r *request) error {
		path := r.URL.EscapedPath()
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if route := routes.Find(chi.NewRouteContext(), method, path); route != "" {
				r.route = route
				w.Header().Add("Allow", method)
				if method == http.MethodGet {
					w.Header().Add("Allow", http.MethodHead)
				}
			}
		}
		if r.route == "" {
			return &problem{Code: errcode.NotFound}
		}
		return &problem{Code: errcode.MethodNotAllowed}
	}
}

// lateAfter is when a server that stops begins no more sends: they could outlast it.
const lateAfter = 4 * time.Second

// acceptsSends rejects a send that comes too late for a server that stops.
func (s *Server) acceptsSends(http.ResponseWriter, *request) error {
	if since := s.draining.Load(); since != nil && time.Since(*since) > lateAfter {
		return &problem{Code: errcode.Unavailable, Detail: "the service is shutting down"}
	}
	return nil
}

// authenticate finds out who calls, and rejects callers without the scope.
func (s *Server) authenticate(want Scope) func(http.ResponseWriter, *request) error {
	return func(_ http.ResponseWriter, r *request) (err error) {
		r.by, err = s.authorize(r.Context(), r, want)
		return err
	}
}

// A bodyLimit is what a request's body may take.
type bodyLimit struct {
	bytes int
	time  time.Duration // from the request's arrival until the body is whole
}

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
)

// Logto's requests have well under 10 kB. A connector's JSON includes its templates.
var (
	sendBody    = bodyLimit{64 * kibibyte, 2 * time.Second}
	testBody    = bodyLimit{8 * mebibyte, 2 * time.Second} // the mail must still be sent in time
	adminBody   = bodyLimit{8 * mebibyte, 10 * time.Second}
	sessionBody = bodyLimit{4 * kibibyte, 2 * time.Second}
)

func (l bodyLimit) size() string {
	if l.bytes%mebibyte == 0 {
		return fmt.Sprintf("%d MiB", l.bytes/mebibyte)
	}
	return fmt.Sprintf("%d KiB", l.bytes/kibibyte)
}

// readBody reads the whole body within its limit.
func (s *Server) readBody(limit bodyLimit) func(http.ResponseWriter, *request) error {
	return func(w http.ResponseWriter, r *request) (err error) {
		if !r.unread {
			return nil
		}
		// Recorders in tests have no deadlines; a real connection always does.
		_ = http.NewResponseController(w).SetReadDeadline(r.arrived.Add(limit.time))
		var body bytes.Buffer
		if r.ContentLength > smallBody { // its memory is bounded by limitLarge
			body.Grow(int(min(r.ContentLength, int64(limit.bytes))) + bytes.MinRead)
		}
		_, err = body.ReadFrom(io.LimitReader(r.Body, int64(limit.bytes)+1))
		r.body = body.Bytes()
		if err == nil && len(r.body) <= limit.bytes {
			s.bodyIsRead(w, r)
			return nil
		}
		r.body = nil
		if err == nil {
			return &problem{Code: errcode.InvalidRequest, Status: http.StatusRequestEntityTooLarge, Detail: "the body is larger than " + limit.size()}
		}
		return &problem{
			Code: errcode.InvalidRequest, Status: http.StatusRequestTimeout, err: err,
			Detail: fmt.Sprintf("the body did not arrive within %v", limit.time),
		}
	}
}

// bodyIsRead lets the connection take further requests. The server itself ends the
// deadline of a body that is read.
func (s *Server) bodyIsRead(w http.ResponseWriter, r *request) {
	r.unread = false
	if !s.closes(r.Request) {
		w.Header().Del("Connection")
	}
}

const (
	// discardTime is how long a rejected request waits for the body that was sent with
	// it, so that a rejection does not cost the connection.
	discardTime = 20 * time.Millisecond
	maxDiscard  = 64 * kibibyte
)

// discardBody reads a body that has arrived, or is about to.
func (s *Server) discardBody(w http.ResponseWriter, r *request) {
	if r.Header.Get("Expect") != "" || r.ContentLength > maxDiscard {
		return // its caller has not sent it, or not all of it
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTime))
	if _, err := io.CopyN(io.Discard, r.Body, maxDiscard+1); errors.Is(err, io.EOF) {
		s.bodyIsRead(w, r)
	}
}
