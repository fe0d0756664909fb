package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// An exchange is what the access log and the trace tell of a request. It has no URL: a query or
// a path may hold what is no business of a log.
type exchange struct {
	route    string
	incident string // empty if none was told to the caller
}

type exchangeKey struct{}

// observe begins the span and the access log's line of a request. tell ends them.
func (s *Server) observe(w http.ResponseWriter, r *http.Request) (watched http.ResponseWriter, within *http.Request, tell func()) {
	r = withCallersTrace(r)
	if !s.observes() {
		return w, r, func() {}
	}
	arrived := arrival(r)
	e, answer := &exchange{route: "unknown"}, &watchedAnswer{ResponseWriter: w}
	ctx, span := s.requestSpan(r)
	r = r.WithContext(context.WithValue(ctx, exchangeKey{}, e))
	return answer, r, func() {
		defer endRequest(span, r, e, answer.status)
		if !s.opts.AccessLog {
			return
		}
		attrs := []slog.Attr{
			slog.String("method", methodLabel(r.Method)), slog.String("route", e.route), slog.Int("status", answer.status),
			slog.Int64("ms", time.Since(arrived).Milliseconds()), slog.Int64("bytes", answer.bytes),
		}
		if e.incident != "" {
			attrs = append(attrs, slog.String("incident", e.incident))
		}
		s.opts.Log.LogAttrs(r.Context(), accessLevel(e.route, answer.status), "request", attrs...)
	}
}

func (s *Server) observes() bool { return s.opts.AccessLog || s.opts.Tracer != nil }

// accessLevel keeps load balancers' questions out of the log as long as all is well.
func accessLevel(route string, status int) slog.Level {
	if status < http.StatusBadRequest && (route == "/healthz" || route == "/readyz" || route == "/metrics") {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// noteRoute notes which route a request took: the router alone knows.
func noteRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
			defer func() { e.route = routeOf(r) }()
		}
		next.ServeHTTP(w, r)
	})
}

// noteIncident notes the message's id, or the incident of an error.
func noteIncident(r *http.Request, id string) {
	if e, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		e.incident = id
	}
}

// A watchedAnswer knows an answer's status and the size of its body.
type watchedAnswer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (a *watchedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *watchedAnswer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *watchedAnswer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}
