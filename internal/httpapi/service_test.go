package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Tokens as callers have them; recordedToken is in the recordings.
const (
	recordedToken = "recorded-token-0123456789"
	newerToken    = "newer-send-token-0123456789"
	adminToken    = "admin-token-0123456789abcdef"
)

// A service under test: the real handler and client, and a sandbox as Aliyun.
type service struct {
	t       *testing.T
	url     string
	api     *httpapi.Server
	sandbox *sandbox.Sandbox
	log     *logBuffer
	client  *http.Client
}

// logBuffer is a log that tests read while the service writes it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newService starts a service with connectors of the given ids, all alike.
func newService(t *testing.T, ids ...string) *service {
	t.Helper()
	s := &service{t: t, log: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}}}
	s.sandbox = sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: "sandbox-key", AccessKeySecret: "sandbox-secret"}}})
	aliyun := httptest.NewServer(s.sandbox)
	transport := aliyundm.NewHTTPClient()
	newSender := func(cfg *connector.Config) (delivery.Sender, error) {
		return aliyundm.NewClient(aliyundm.Options{
			Endpoint:    aliyun.URL,
			Credentials: aliyundm.Credentials{AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret)},
			HTTP:        transport,
		})
	}
	cfg := parse(t, connectorJSON(t))
	sender, err := newSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	connectors := make(map[string]delivery.Connector)
	for _, id := range ids {
		connectors[id] = delivery.Connector{ID: id, Composer: connector.New(cfg), Sender: sender}
	}
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	s.api = httpapi.New(httpapi.Options{
		Delivery: delivery.New(connectors, log), Log: log, NewSender: newSender,
		SendTokens: []string{recordedToken, newerToken}, AdminTokens: []string{adminToken},
	})
	server := httptest.NewServer(s.api)
	s.url = server.URL
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.sandbox.Close()
		server.Close()
		transport.CloseIdleConnections()
		aliyun.Close()
	})
	return s
}

// connectorJSON has templates of different subjects for each required type.
func connectorJSON(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/connectors/good/logto-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("LTAI5tRecorded000000001"), []byte("sandbox-key"))
	return bytes.ReplaceAll(data, []byte("recorded-secret-0123456789"), []byte("sandbox-secret"))
}

func parse(t *testing.T, data []byte) *connector.Config {
	t.Helper()
	cfg, report := connector.ParseConfig(data, connector.ParseOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// An answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem is an answer's problem details, with all the members that exist.
func (a answer) problem(t *testing.T) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d, %s is no problem: %q", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

// code is a problem's code, or "" for a success.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if a.status < 300 {
		return ""
	}
	code, _ := a.problem(t)["code"].(string)
	return code
}

func (s *service) do(method, path, authorization, body string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return s.exchange(req)
}

func (s *service) exchange(req *http.Request) answer {
	s.t.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// send posts a good request of the usual kind.
func (s *service) send() answer {
	s.t.Helper()
	return s.do("POST", "/api/send", recordedToken, `{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`)
}

var discard = slog.New(slog.DiscardHandler)

func newDelivery(connectors map[string]delivery.Connector) *delivery.Delivery {
	return delivery.New(connectors, discard)
}
