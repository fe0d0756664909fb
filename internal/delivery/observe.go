package delivery

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

// An Observation tells metrics how a message ended, or how one attempt of a queued
// message did.
type Observation struct {
	Connector string // may be of no active connector
	Type      string // one of [TypeLabels]
	Mode      Mode
	State     State        // StateQueued with a Code: it will be tried again
	Code      errcode.Code // empty if nothing failed
	Limit     string       // the limit that was used up, if one was

	FromQueue bool          // its caller has had an answer before
	Unread    bool          // its client's ip could not be read
	Took      time.Duration // since the request arrived, or the attempt began
	Template  *connector.Trace
}

// observe counts a message, or one claim of it, and writes its line in the log.
func (d *Delivery) observe(ctx context.Context, e *Entry, req Request, report Report, failure *Error) {
	if report.ID != e.ID { // the message that it repeats had its own line
		trace.SpanFromContext(ctx).SetAttributes(attribute.Bool("dmconnector.answered_again", true))
		d.sampled.LogAttrs(ctx, "answered again "+e.Connector, slog.LevelInfo, "answered again",
			slog.String("incident", report.ID), slog.String("outcome", string(report.State)), slog.String("connector", e.Connector))
		return
	}
	unread := !req.fromQueue && client(req.Message.IP) == unreadable
	if unread {
		d.warnings.LogAttrs(ctx, "ip "+e.Connector, slog.LevelWarn, "cannot read the client's ip, all such requests share one limit",
			slog.String("connector", e.Connector), slog.String("incident", report.ID))
	}
	if d.observer != nil {
		o := Observation{
			Connector: e.Connector, Type: e.Type, Mode: e.Mode, State: report.State,
			FromQueue: req.fromQueue, Took: time.Since(req.Arrived), Unread: unread, Template: report.Template,
		}
		if failure != nil {
			o.Code, o.Limit = failure.Code, failure.Limit
		}
		d.observer(o)
	}
	if d.log.Enabled(ctx, slog.LevelDebug) {
		for i, a := range report.Attempts {
			d.log.LogAttrs(ctx, slog.LevelDebug, "attempt", slog.String("incident", report.ID), slog.Int("attempt", i+1),
				slog.Time("at", a.At), slog.Int64("ms", a.Milliseconds), slog.String("error", a.Error))
		}
	}
	attrs := make([]slog.Attr, 0, 15)
	attrs = append(attrs,
		slog.String("incident", report.ID), slog.String("outcome", string(report.State)),
		slog.String("connector", e.Connector), slog.String("type", e.Type), slog.String("mode", string(e.Mode)),
		slog.String("to", report.Recipient), slog.Int64("ms", time.Since(req.Arrived).Milliseconds()),
		slog.Int("attempts", len(report.Attempts)))
	if t := report.Template; t != nil {
		attrs = append(attrs, slog.Int("template", t.Template), slog.String("language", t.LanguageTag))
		if t.EmailTemplate != "" {
			attrs = append(attrs, slog.String("email_template", t.EmailTemplate))
		}
		if len(t.Missing) > 0 {
			attrs = append(attrs, slog.Any("missing", t.Missing))
		}
		if len(t.Notes) > 0 {
			attrs = append(attrs, slog.Any("notes", t.Notes))
		}
	}
	switch {
	case failure != nil:
		attrs = append(attrs, slog.String("code", string(failure.Code)), slog.String("error", failure.Error()))
		level := errcode.Of(failure.Code).Level
		if len(report.Attempts) > 0 || report.State == StateUnknown {
			d.log.LogAttrs(ctx, level, "mail not sent", attrs...)
			return
		}
		// Aliyun was not asked: a caller can have any number of these.
		d.sampled.LogAttrs(ctx, string(failure.Code)+" "+e.Connector, level, "mail not sent", attrs...)
	case report.Receipt == nil:
		d.sampled.LogAttrs(ctx, "queued "+e.Connector, slog.LevelInfo, "mail queued", attrs...)
	default:
		attrs = append(attrs, slog.String("env_id", report.Receipt.EnvID), slog.String("request_id", report.Receipt.RequestID))
		d.log.LogAttrs(ctx, slog.LevelInfo, "mail sent", attrs...)
	}
}

// messageSpan begins the span of a message as a part of its request's, if that is
// recorded.
func messageSpan(ctx context.Context, e *Entry) (context.Context, trace.Span) {
	ctx, s := partSpan(ctx, "message")
	e.describe(s)
	return ctx, s
}

// jobSpan begins the span of one claim of a queued message, in the trace of its
// request.
func (d *Delivery) jobSpan(e *Entry, text []byte) (context.Context, trace.Span) {
	var carried payload
	_ = json.Unmarshal(text, &carried) // the worker will see that it cannot be read
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": carried.Traceparent})
	if d.tracer == nil {
		return ctx, noop.Span{}
	}
	ctx, s := d.tracer.Start(ctx, "message", trace.WithSpanKind(trace.SpanKindConsumer))
	e.describe(s)
	return ctx, s
}

func (e *Entry) describe(s trace.Span) {
	if s.IsRecording() {
		s.SetAttributes(attribute.String("dmconnector.incident", e.ID), attribute.String("dmconnector.connector", e.Connector),
			attribute.String("dmconnector.type", e.Type), attribute.String("dmconnector.mode", string(e.Mode)))
	}
}

// partSpan begins a part of what the span of ctx is about. Where that one is not
// recorded, neither is the part.
func partSpan(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	whole := trace.SpanFromContext(ctx)
	if !whole.IsRecording() {
		return ctx, noop.Span{}
	}
	return whole.TracerProvider().Tracer("dmconnector").Start(ctx, name, options...)
}

// endMessage ends the span of a message with what became of it.
func endMessage(s trace.Span, report *Report, failure *Error) {
	if s.IsRecording() {
		// What is answered again is the message that was sent before.
		s.SetAttributes(attribute.String("dmconnector.incident", report.ID), attribute.String("dmconnector.outcome", string(report.State)))
	}
	endPart(s, failure)
}

// endPart ends a span. Its status is a code of ours: an error's text is for the log.
func endPart(s trace.Span, failure *Error) {
	if failure != nil {
		s.SetStatus(codes.Error, string(failure.Code))
	}
	s.End()
}

// traceparent is the trace of ctx in the form of W3C's Trace Context, to outlast the
// process. It is empty if there is none.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}
