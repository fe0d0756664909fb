// Package tracing sends traces to an OpenTelemetry collector, if there is one.
package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// scope names the spans' maker.
	scope = "dmconnector"
	// lastTime is what the last spans get for their way when the program ends.
	lastTime = time.Second
)

// Tracing makes spans, and sends them. A nil one does neither.
type Tracing struct {
	provider *sdktrace.TracerProvider
}

// An Environment returns the value of a variable, like [os.Getenv].
type Environment func(name string) string

// Open follows OpenTelemetry's own variables. It returns nil if they name no
// collector, or switch traces off. What goes wrong later is logged, once for each
// outage, and holds up nothing.
func Open(ctx context.Context, env Environment, version string, log *slog.Logger) (*Tracing, error) {
	if !env.wantsTraces() {
		return nil, nil
	}
	if protocol := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), env("OTEL_EXPORTER_OTLP_PROTOCOL")); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("traces: OTEL_EXPORTER_OTLP_PROTOCOL is %q; dmconnector speaks http/protobuf, which collectors take at port 4318", protocol)
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	// Nothing is asked of the machine: the arguments of a process may hold tokens.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", scope), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	log.InfoContext(ctx, "traces are sent to the collector that the environment names")
	return &Tracing{sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, log: log}), sdktrace.WithResource(about))}, nil
}

func (env Environment) wantsTraces() bool {
	off := strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || env("OTEL_TRACES_EXPORTER") == "none"
	return !off && cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

// Tracer makes the program's spans. It is nil if nobody would see them.
func (t *Tracing) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer(scope)
}

// Close sends what has not been sent yet, if that takes no longer than a second.
func (t *Tracing) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// A loggedExporter logs the beginning and the end of an outage. The SDK would write
// each failure to standard error, as plain text.
type loggedExporter struct {
	sdktrace.SpanExporter
	log    *slog.Logger
	failed atomic.Bool
}

func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err == nil && e.failed.Swap(false):
		e.log.InfoContext(ctx, "traces are sent again")
	case err != nil && !errors.Is(err, context.Canceled) && !e.failed.Swap(true):
		e.log.WarnContext(ctx, "traces cannot be sent", "error", err.Error())
	}
	return nil
}

// Logged adds the trace of its context to each line.
func Logged(h slog.Handler) slog.Handler { return handler{h} }

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
