package delivery

import (
	"context"
	"encoding/json"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

// messageSpan begins the span of a message as a part of its request's, if that is
// recorded.
func messageSpan(ctx context.Context, e *Entry) (context.Context, trace.Span) {
	ctx, s := partSpan(ctx, "message")
	describe(s, e.ID, e.Connector, e.Type, e.Mode)
	return ctx, s
}

// jobSpan begins the span of one claim of a queued message, in the trace of its
// request.
func (d *Delivery) jobSpan(job Job) (context.Context, trace.Span) {
	var carried payload
	_ = json.Unmarshal(job.Payload, &carried) // who sends it will see that it cannot be read
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": carried.Traceparent})
	if d.tracer == nil {
		return ctx, noop.Span{}
	}
	ctx, s := d.tracer.Start(ctx, "message", trace.WithSpanKind(trace.SpanKindConsumer))
	describe(s, job.ID, job.Connector, job.Type, Queued)
	return ctx, s
}

func describe(s trace.Span, id, connector, usageType string, mode Mode) {
	if s.IsRecording() {
		s.SetAttributes(attribute.String("dmconnector.incident", id), attribute.String("dmconnector.connector", connector),
			attribute.String("dmconnector.type", usageType), attribute.String("dmconnector.mode", string(mode)))
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

// endCompose ends the span of a mail's composing with the template that was chosen.
func endCompose(s trace.Span, choice *connector.Trace, err error) {
	if s.IsRecording() {
		s.SetAttributes(attribute.Int("dmconnector.template", choice.Template), attribute.String("dmconnector.language", choice.LanguageTag))
	}
	if err != nil {
		s.SetStatus(codes.Error, "")
	}
	s.End()
}

// endAttempt ends the span of one call of the provider.
func endAttempt(s trace.Span, receipt *aliyundm.Receipt, err error) {
	defer s.End()
	if !s.IsRecording() {
		return
	}
	if receipt != nil {
		s.SetAttributes(attribute.String("aliyun.request_id", receipt.RequestID), attribute.String("aliyun.env_id", receipt.EnvID))
	}
	if err == nil {
		return
	}
	answer, ok := errors.AsType[*aliyundm.Error](err)
	if !ok {
		s.SetStatus(codes.Error, "")
		return
	}
	s.SetStatus(codes.Error, string(answer.Class))
	if answer.Code != "" {
		s.SetAttributes(attribute.String("aliyun.code", answer.Code), attribute.String("aliyun.request_id", answer.RequestID))
	}
}

// traceparent is the trace of ctx in the form of W3C's Trace Context, to outlast the
// process. It is empty if there is none.
func traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}
