// Package tracing sends traces to an OpenTelemetry collector, if there is one.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names the spans' maker.
const scope = "dmconnector"

// Tracing makes spans, and sends them. A nil one does neither.
type Tracing struct {
	provider *sdktrace.TracerProvider
}

// An Environment returns the value of a variable, like [os.Getenv].
type Environment func(name string) string

// Open follows OpenTelemetry's own variables. It returns nil if they name no
// collector, or switch traces off. Invalid settings also switch them off, which is
// logged: mail matters more. Later failures are logged, once for each outage, and
// delay nothing.
func Open(ctx context.Context, env Environment, version string, log *slog.Logger) *Tracing {
	off := strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || env("OTEL_TRACES_EXPORTER") == "none"
	if _, endpoint := env.setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"); off || endpoint == "" {
		return nil
	}
	provider, err := open(ctx, env, version, log)
	if err != nil {
		log.ErrorContext(ctx, "traces are off: invalid settings", "error", err.Error())
		return nil
	}
	log.InfoContext(ctx, "traces are sent to the collector that the environment names")
	return &Tracing{provider}
}

// setting returns the exporter's setting for traces if there is one, else the general
// one, and the name of its variable.
func (env Environment) setting(forTraces, general string) (variable, value string) {
	if value := env(forTraces); value != "" {
		return forTraces, value
	}
	return general, env(general)
}

func open(ctx context.Context, env Environment, version string, log *slog.Logger) (*sdktrace.TracerProvider, error) {
	// The SDK would write settings that it does not understand to standard error, with
	// the keys that they may hold.
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { log.Warn("OpenTelemetry reports a problem") }))
	if err := env.check(); err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, errors.New("the exporter cannot be made")
	}
	// Nothing is asked of the machine: the arguments of a process may hold tokens.
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", scope), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES must be name=value, separated by commas")
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&loggedExporter{SpanExporter: exporter, log: log}), sdktrace.WithResource(about)), nil
}

// check finds what the exporter would pass over in silence. Values may hold
// keys, so that errors name variables only.
func (env Environment) check() error {
	if name, protocol := env.setting("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return fmt.Errorf("%s must be http/protobuf, which collectors take at port 4318", name)
	}
	name, endpoint := env.setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s must be an http or https URL", name)
	}
	name, headers := env.setting("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
	for header := range strings.SplitSeq(headers, ",") {
		key, value, found := strings.Cut(header, "=")
		_, err := url.PathUnescape(value)
		if strings.TrimSpace(header) != "" && (!found || strings.TrimSpace(key) == "" || err != nil) {
			return fmt.Errorf("%s must be name=value, separated by commas, with %% escapes", name)
		}
	}
	return nil
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
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
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
		e.log.WarnContext(ctx, "traces cannot be sent", "error", reason(err))
	}
	return nil
}

var answered = regexp.MustCompile(`: ([1-5]\d\d) `)

// reason says why spans were not taken, without what may hold a key: the collector's
// address, and its answer, which may repeat the request.
func reason(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err.Error()
	}
	if status := answered.FindStringSubmatch(err.Error()); status != nil {
		return "the collector answered " + status[1]
	}
	return "the collector did not take them"
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
