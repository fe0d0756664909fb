package httpapi_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

// at once is a provider that accepts everything.
type atOnce struct{}

func (atOnce) SingleSendMail(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
	return &aliyundm.Receipt{EnvID: "600000000000000642", RequestID: "2D086F6D-0000-0000-0000-006DED011A85"}, nil
}

// BenchmarkSend is a send without the connections on both sides.
func BenchmarkSend(b *testing.B) {
	data, err := os.ReadFile("../../testdata/connectors/good/logto-recorded.json")
	if err != nil {
		b.Fatal(err)
	}
	cfg, report := connector.Check(data, connector.ParseOptions{})
	if err := report.Err(); err != nil {
		b.Fatal(err)
	}
	cfg.Limits = &connector.Limits{Recipient: "off", Connector: "off"}
	logFile, err := os.Create(b.TempDir() + "/log")
	if err != nil {
		b.Fatal(err)
	}
	defer logFile.Close()
	log := slog.New(slog.NewJSONHandler(logFile, nil))
	target := delivery.Connector{ID: "default", Composer: connector.New(cfg), Sender: atOnce{}}
	api := httpapi.New(httpapi.Options{
		Delivery: newDelivery(log, target), Log: log, SendTokens: []string{recordedToken},
	})
	const body = `{"to":"bob-ea72d@example.com","type":"SignIn","payload":{"code":"954455","locale":"en","application":{"id":"u7s9rg093bdktvkskbkba","name":"Recorded SPA"}},"ip":"::ffff:127.0.0.1"}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), "POST", "/api/send", strings.NewReader(body))
		r.Header.Set("Authorization", recordedToken)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body.String())
		}
	}
}
