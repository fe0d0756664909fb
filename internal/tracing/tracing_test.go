package tracing_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"dmconnector/internal/tracing"
)

// forget keeps the machine's own settings out of a test.
func forget(t *testing.T) {
	t.Helper()
	for _, setting := range os.Environ() {
		if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // which brings it back at the end
			os.Unsetenv(name)
		}
	}
}

func TestTracesAreOffUnlessACollectorIsNamed(t *testing.T) {
	const somewhere = "http://127.0.0.1:9"
	tests := map[string]struct {
		settings map[string]string
		on       bool
		told     string // that the settings are no good
	}{
		"nothing is set":     {nil, false, ""},
		"a collector":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere}, true, ""},
		"one for traces":     {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": somewhere + "/v1/traces"}, true, ""},
		"its language":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, true, ""},
		"its token":          {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secretplace, x=y,"}, true, ""},
		"switched off":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_SDK_DISABLED": "true"}, false, ""},
		"no traces":          {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"another language":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf"},
		"another for traces": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, false, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"},
		"broken attributes":  {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_RESOURCE_ATTRIBUTES": "key:secretplace"}, false, "OTEL_RESOURCE_ATTRIBUTES must be"},
		"a broken address":   {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:secret%place@127.0.0.1"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT must be"},
		"no address":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "secretplace:4318"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT must be"},
		"a broken token":     {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_EXPORTER_OTLP_HEADERS": "Authorization: secretplace"}, false, "OTEL_EXPORTER_OTLP_HEADERS must be"},
		"a broken escape":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": somewhere, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=secretplace%ZZ"}, false, "OTEL_EXPORTER_OTLP_TRACES_HEADERS must be"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			forget(t)
			for name, value := range tt.settings {
				t.Setenv(name, value)
			}
			var log bytes.Buffer
			opened := tracing.Open(t.Context(), os.Getenv, "v1.2.3", slog.New(slog.NewTextHandler(&log, nil)))
			if told := log.String(); (opened.Tracer() != nil) != tt.on || strings.Contains(told, "level=ERROR") != (tt.told != "") ||
				!strings.Contains(told, tt.told) || strings.Contains(told, "secret") {
				t.Errorf("tracer %v, log: %s", opened.Tracer(), told)
			}
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A receiver is a collector that answers with its status.
type receiver struct {
	*httptest.Server
	status int
	got    []*collector.ExportTraceServiceRequest
	header http.Header
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.header = r.Header
		request, err := read(r)
		if err != nil || r.URL.Path != "/secretplace/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.got = append(c.got, request)
		w.WriteHeader(c.status)
		if c.status != http.StatusOK {
			_ = r.Header.Write(w) // as some do who are asked to help
		}
	}))
	t.Cleanup(c.Close)
	forget(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL+"/secretplace")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secretplace")
	return c
}

func read(r *http.Request) (*collector.ExportTraceServiceRequest, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	request := new(collector.ExportTraceServiceRequest)
	return request, proto.Unmarshal(data, request)
}

func TestSpansReachTheCollector(t *testing.T) {
	c := newReceiver(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	opened := tracing.Open(t.Context(), os.Getenv, "v1.2.3", slog.New(slog.DiscardHandler))
	_, span := opened.Tracer().Start(t.Context(), "request")
	span.End()
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}
	if len(c.got) != 1 || c.header.Get("Authorization") != "secretplace" {
		t.Fatalf("%d requests, header %v", len(c.got), c.header)
	}
	sent := c.got[0].ResourceSpans[0]
	if name := sent.ScopeSpans[0].Spans[0].Name; name != "request" {
		t.Errorf("the span is %s", name)
	}
	about := map[string]string{}
	for _, attribute := range sent.Resource.Attributes {
		about[attribute.Key] = attribute.Value.GetStringValue()
	}
	if about["service.name"] != "dmconnector" || about["service.version"] != "v1.2.3" || about["deployment.environment"] != "test" {
		t.Errorf("it comes from %v", about)
	}
	// What the machine and the process are called is nobody's business.
	for name := range about {
		if strings.HasPrefix(name, "process.") || strings.HasPrefix(name, "host.") {
			t.Errorf("it tells %s", name)
		}
	}
}

// An outage of the collector is told once, and its end.
func TestOutageIsLoggedOnce(t *testing.T) {
	c := newReceiver(t)
	c.status = http.StatusBadRequest // nothing that the exporter would try again
	var log bytes.Buffer
	opened := tracing.Open(t.Context(), os.Getenv, "v1.2.3", slog.New(slog.NewTextHandler(&log, nil)))
	send := func() {
		_, span := opened.Tracer().Start(context.Background(), "request")
		span.End()
		if err := opened.Flush(context.Background()); err != nil {
			t.Error(err)
		}
	}
	send()
	send()
	if told := strings.Count(log.String(), `"traces cannot be sent" error="the collector answered 400"`); told != 1 || len(c.got) != 2 {
		t.Errorf("told %d times, %d requests: %s", told, len(c.got), log.String())
	}
	c.status = http.StatusOK
	send()
	send()
	if told := strings.Count(log.String(), "traces are sent again"); told != 1 || strings.Count(log.String(), "\n") != 3 {
		t.Errorf("log: %s", log.String())
	}
	c.Close()
	send()
	if strings.Count(log.String(), "traces cannot be sent") != 2 || strings.Contains(log.String(), "secretplace") {
		t.Errorf("log: %s", log.String())
	}
	if err := opened.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinesTellTheirTrace(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(tracing.Logged(slog.NewJSONHandler(&log, nil))).With("a", 1).WithGroup("g")
	traced := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
	logger.InfoContext(traced, "within")
	logger.InfoContext(t.Context(), "without")
	within, without, _ := strings.Cut(log.String(), "\n")
	if !strings.Contains(within, `"trace_id":"0af7651916cd43dd8448eb211c80319c"`) || strings.Contains(without, "trace_id") {
		t.Error(log.String())
	}
}
