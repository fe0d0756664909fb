package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A send with all that serve runs: its spans reach the collector in the caller's
// trace, its log lines name that trace, and neither tells a secret.
func TestServiceIsTraced(t *testing.T) {
	var exported bytes.Buffer
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(&exported, r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer receiver.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	s := newLoggedService(t, true)
	for _, body := range []string{roleMail, `{"to":"someone@example.com","type":"Nonsense","payload":{"code":"135790","link":"https://secretplace.example"}}`} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/send?secretplace", strings.NewReader(body))
		r.Header.Set("Authorization", roleSend)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		w := httptest.NewRecorder()
		if s.api.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if err := s.tracing.Close(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"user@", "someone@", "135790", "secretplace", roleSend, "Nonsense"} {
		if strings.Contains(exported.String(), secret) || strings.Contains(s.log.String(), secret) {
			t.Errorf("%s is told", secret)
		}
	}
	if lines, traced := strings.Count(s.log.String(), `"incident"`), strings.Count(s.log.String(), `"trace_id":"0af7651916cd43dd8448eb211c80319c"`); lines != 4 || traced != lines {
		t.Errorf("%d of %d lines name the trace: %s", traced, lines, s.log.String())
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(exported.Bytes(), &request); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, span := range request.ResourceSpans[0].ScopeSpans[0].Spans {
		names = append(names, span.Name)
	}
	one := []string{"accept", "compose", "wait", "SingleSendMail", "complete", "message", "POST /api/send"}
	if want := slices.Concat(one, one); !slices.Equal(names, want) {
		t.Errorf("spans %q", names)
	}
}

// Traces that could not go anywhere are no reason to send no mail.
func TestUnusableTraceSettingsStopNothing(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	s := newLoggedService(t, false)
	if status, body := s.call(t, "POST", "/api/send", roleSend, roleMail); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if told := s.log.String(); !strings.Contains(told, `"level":"ERROR","msg":"traces are off: invalid settings","error":"OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf`) {
		t.Errorf("log: %s", told)
	}
}
