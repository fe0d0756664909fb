package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

func TestRequestsAreTraced(t *testing.T) {
	const (
		theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		unseen = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	)
	tests := map[string]struct {
		method, path, traceparent string
		status                    int
		span                      string // empty: there is none
		parent                    string
	}{
		"no caller's trace":     {"POST", "/api/connectors/secretplace/send?secret=1", "", 401, "POST /api/connectors/{id}/send", "0000000000000000"},
		"a caller's trace":      {"POST", "/api/send", theirs, 401, "POST /api/send", "b7ad6b7169203331"},
		"one that is not kept":  {"POST", "/api/send", unseen, 401, "", ""},
		"a malformed trace":     {"POST", "/api/send", "00-secretplace", 401, "POST /api/send", "0000000000000000"},
		"nowhere":               {"GET", "/api/secretplace", "", 404, "GET unknown", "0000000000000000"},
		"a verb of their own":   {"SECRETPLACE", "/api/send", "", 405, "other /api/send", "0000000000000000"},
		"a load balancer":       {"GET", "/healthz", theirs, 200, "", ""},
		"a page of the console": {"GET", "/", "", 404, "", ""},
		"a stream":              {"GET", "/api/messages/events", "", 404, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			recorder := tracetest.NewSpanRecorder()
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
			api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard), Log: discard, SendTokens: []string{recordedToken}, Tracer: tracer})
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader("{}"))
			if tt.traceparent != "" {
				r.Header.Set("Traceparent", tt.traceparent)
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d", w.Code)
			}
			spans := recorder.Ended()
			if tt.span == "" {
				if len(spans) > 0 {
					t.Errorf("there is a span %s", spans[0].Name())
				}
				return
			}
			if len(spans) != 1 {
				t.Fatalf("%d spans", len(spans))
			}
			span := spans[0]
			told := fmt.Sprint(span.Attributes(), span.Events(), span.Name(), span.Status())
			if span.Name() != tt.span || span.Parent().SpanID().String() != tt.parent || span.SpanKind().String() != "server" {
				t.Errorf("%s of %s", told, span.Parent().SpanID())
			}
			if !strings.Contains(told, fmt.Sprint(tt.status)) || !strings.Contains(told, "dmconnector.incident") {
				t.Errorf("it tells %s", told)
			}
			for _, secret := range []string{"secretplace", "SECRETPLACE", "secret=1"} {
				if strings.Contains(told, secret) {
					t.Errorf("%s is in the span: %s", secret, told)
				}
			}
		})
	}
}

// What goes wrong on our side of the contract is an error of the span; what the
// caller does wrong is not.
func TestOurFailuresAreErrorsInTraces(t *testing.T) {
	answers := make(chan error, 1)
	answers <- &aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidAccessKeyId.NotFound", Status: 404}
	broken := delivery.Connector{
		ID: "broken", Composer: connector.New(parse(t, connectorJSON(t))),
		Sender: provider{answers},
	}
	for body, want := range map[string]codes.Code{
		`{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`: codes.Error,
		`{"to":"nobody","type":"SignIn","payload":{"code":"424242"}}`:           codes.Unset,
	} {
		recorder := tracetest.NewSpanRecorder()
		api := httpapi.New(httpapi.Options{
			Delivery: newDelivery(discard, broken), Log: discard, SendTokens: []string{recordedToken},
			Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test"),
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/send", strings.NewReader(body))
		r.Header.Set("Authorization", recordedToken)
		api.ServeHTTP(httptest.NewRecorder(), r)
		spans := recorder.Ended()
		if request := spans[len(spans)-1]; request.Name() != "POST /api/send" || request.Status().Code != want {
			t.Errorf("%s: %s %v", body, request.Name(), request.Status())
		}
	}
}
