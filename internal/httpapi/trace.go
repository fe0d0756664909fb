package httpapi

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// withCallersTrace returns the request within the trace that its caller names (W3C
// Trace Context), if it names one.
func withCallersTrace(r *http.Request) *http.Request {
	if r.Header.Get("Traceparent") == "" {
		return r
	}
	return r.WithContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
}

// requestSpan begins the span of a request to the API. Streams, which last as long
// as somebody watches, the questions of load balancers and the console's files are
// left out.
func (s *Server) requestSpan(r *http.Request) (context.Context, trace.Span) {
	path := r.URL.Path
	if s.opts.Tracer == nil || !strings.HasPrefix(path, "/api/") || path == eventsPath {
		return r.Context(), noop.Span{}
	}
	return s.opts.Tracer.Start(r.Context(), methodLabel(r.Method), trace.WithSpanKind(trace.SpanKindServer))
}

// endRequest ends the span of a request. Like the access log it has no URL.
func endRequest(s trace.Span, r *http.Request, e *exchange, status int) {
	defer s.End()
	if !s.IsRecording() {
		return
	}
	method := methodLabel(r.Method)
	s.SetName(method + " " + e.route)
	s.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", e.route),
		attribute.Int("http.response.status_code", status))
	if e.incident != "" {
		s.SetAttributes(attribute.String("dmconnector.incident", e.incident))
	}
	if status >= http.StatusInternalServerError {
		s.SetStatus(codes.Error, "")
	}
}
