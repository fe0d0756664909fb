package aliyundm_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/propagation"

	"dmconnector/aliyundm"
)

func TestCallCarriesItsTrace(t *testing.T) {
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traced := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": theirs, "tracestate": "vendor=secret"})
	for want, ctx := range map[string]context.Context{theirs: traced, "": context.Background()} {
		var got http.Header
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
		client, err := aliyundm.NewClient(aliyundm.Options{Endpoint: server.URL, Credentials: aliyundm.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}})
		if err != nil {
			t.Fatal(err)
		}
		// The answer is empty: what matters is the call.
		_, _ = client.SingleSendMail(ctx, &aliyundm.Mail{AccountName: "noreply@mail.example.com", To: "user@example.com", Subject: "s", TextBody: "t"})
		server.Close()
		if got.Get("Traceparent") != want || got.Get("Tracestate") != "" {
			t.Errorf("the call carries %q, %q", got.Get("Traceparent"), got.Get("Tracestate"))
		}
	}
}
