package metrics_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
	"dmconnector/internal/metrics"
	"dmconnector/internal/store"
)

// A setup is the part of the service that metrics describe, with a provider whose
// answers a test chooses.
type setup struct {
	metrics  *metrics.Metrics
	delivery *delivery.Delivery
	api      *httpapi.Server
	answer   func() error // of the provider
	queueUse map[string]float64
}

const sendToken = "send-token-0123456789"

func open(t *testing.T, where string) *setup {
	t.Helper()
	state, err := store.Open(t.Context(), store.Options{State: where, Ring: ring(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	s := &setup{answer: func() error { return nil }}
	s.metrics = metrics.New(metrics.Options{
		Version: "v1.2.3", State: "sqlite", Loads: func() []delivery.Load { return s.delivery.Loads() },
		PendingOutcomes: func() (int, int64) { return s.delivery.PendingOutcomes() },
		Backlog:         state.Backlog, QueueUse: func() map[string]float64 { return s.queueUse }, Expired: state.Expired,
	})
	log := slog.New(slog.DiscardHandler)
	s.delivery = delivery.New(delivery.Options{Store: s.metrics.Store(state), Log: log, Observe: s.metrics.Observe})
	s.api = httpapi.New(httpapi.Options{
		Delivery: s.delivery, Log: log, SendTokens: []string{sendToken},
		Metrics: s.metrics.Handler(), Rejected: s.metrics.Rejected,
	})
	return s
}

func (s *setup) SingleSendMail(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
	if err := s.answer(); err != nil {
		return nil, err
	}
	return &aliyundm.Receipt{EnvID: "600", RequestID: "R-1"}, nil
}

// use activates connectors with these ids. Their templates are in English, except the
// one for Generic, and have the variables code and link.
func (s *setup) use(limits *connector.Limits, ids ...string) {
	cfg := &connector.Config{AccountName: "noreply@mail.example.com", Limits: limits}
	for _, usageType := range connector.RequiredUsageTypes() {
		template := connector.Template{UsageType: usageType, LanguageTag: "en", Subject: "{{code}}", Content: "{{code}} {{link}}"}
		if usageType == connector.Generic {
			template.LanguageTag = ""
		}
		cfg.Templates = append(cfg.Templates, template)
	}
	connectors := make(map[string]delivery.Connector)
	for _, id := range ids {
		connectors[id] = delivery.Connector{ID: id, Composer: connector.New(cfg), Sender: s}
	}
	s.delivery.Use(s.metrics.Connectors(maps.Clone(connectors)))
}

// off disables every limit.
func off() *connector.Limits { return &connector.Limits{Recipient: "off", Connector: "off"} }

// post makes one send request, and returns the status of its answer.
func (s *setup) post(t *testing.T, id, token, body string, headers ...string) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/connectors/"+id+"/send", strings.NewReader(body))
	r.Header.Set("Authorization", token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	return w.Code
}

// A scrape is an answer of the metrics page, by series.
type scrape struct {
	text   string
	series map[string]string
}

func (s *setup) scrape(t *testing.T) scrape {
	t.Helper()
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return read(t, w.Body)
}

func read(t *testing.T, body io.Reader) scrape {
	t.Helper()
	var text bytes.Buffer
	if _, err := text.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	found := scrape{text.String(), make(map[string]string)}
	for line := range strings.Lines(found.text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if i := strings.LastIndexByte(line, ' '); i >= 0 {
			found.series[line[:i]] = strings.TrimSpace(line[i+1:])
		}
	}
	return found
}

// want compares the values of some series; "" is for a missing one.
func (s scrape) want(t *testing.T, values map[string]string) {
	t.Helper()
	for series, want := range values {
		if got := s.series["dmconnector_"+series]; got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
}

// eventually waits until a scrape has that value.
func (s *setup) eventually(t *testing.T, series, value string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for s.scrape(t).series["dmconnector_"+series] != value {
		if time.Now().After(deadline) {
			t.Fatalf("%s is never %s", series, value)
		}
		<-time.After(10 * time.Millisecond)
	}
}
