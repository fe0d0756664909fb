package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/doctor"
	"dmconnector/internal/httpapi"
	"dmconnector/internal/registry"
	"dmconnector/internal/store"
)

func TestMain(m *testing.M) {
	_, _ = served() // not in the bubble of a test
	goleak.VerifyTestMain(m)
}

// Tokens as callers have them; recordedToken is in the recordings.
const (
	recordedToken = "recorded-token-0123456789"
	newerToken    = "newer-send-token-0123456789"
	adminToken    = "admin-token-0123456789abcdef"

	newerAdminToken = "newer-admin-token-0123456789"
)

// A service under test: the real handler and client, and a sandbox as Aliyun.
type service struct {
	t       *testing.T
	url     string
	api     *httpapi.Server
	sandbox *sandbox.Sandbox
	log     *logBuffer
	client  *http.Client

	state    *store.Store
	store    *failingStore
	registry *registry.Registry
	fault    atomic.Pointer[error] // of the state, as readiness sees it
}

func (s *service) ready(context.Context) error {
	if fault := s.fault.Load(); fault != nil {
		return *fault
	}
	return nil
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

// newService starts a service with connectors of the given ids, all alike, from
// files.
func newService(t *testing.T, ids ...string) *service {
	t.Helper()
	if len(ids) == 0 {
		return startService(t, "")
	}
	folder := t.TempDir()
	for _, id := range ids {
		writeFile(t, filepath.Join(folder, id+".json"), connectorJSON(t))
	}
	return startService(t, folder)
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// startService starts a service with the connectors of a folder, and a state in
// memory.
func startService(t *testing.T, folder string) *service {
	t.Helper()
	s := &service{t: t, log: &logBuffer{}, client: &http.Client{
		Transport:     checked{t, &http.Transport{}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	var err error
	if s.state, err = store.Open(t.Context(), store.Options{State: "memory", Log: log}); err != nil {
		t.Fatal(err)
	}
	messages := delivery.New(delivery.Options{Store: s.state, Log: log})
	s.store = &failingStore{Store: s.state}
	s.registry = registry.New(registry.Options{
		Path: folder, ReservedIDs: []string{httpapi.FactoryID}, Store: s.store, NewSender: newSender, Apply: messages.Use, Log: log,
	})
	if err := s.registry.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.api = httpapi.New(httpapi.Options{
		Delivery: messages, Log: log, NewSender: newSender,
		Examine: func(ctx context.Context, cfg *connector.Config) (doctor.Report, error) {
			client, err := newSender(cfg)
			if err != nil {
				return doctor.Report{}, err
			}
			return doctor.Examine(ctx, doctor.Patient{Config: cfg, Client: client.(*aliyundm.Client)}), nil
		},
		Registry: s.registry, Messages: s.state, Ready: s.ready,
		SendTokens: []string{recordedToken, newerToken}, AdminTokens: []string{adminToken, newerAdminToken},
		Sessions: s.state, Inbox: s.sandbox.Inbox(), Version: "1.2.3", State: "memory",
		LogLevel: new(slog.LevelVar), Metrics: http.NotFoundHandler(),
	})
	server := httptest.NewServer(s.api)
	s.url = server.URL
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.sandbox.Close()
		server.Close()
		if err := messages.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
		aliyun.Close()
		if err := s.state.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// failingStore is the state's part for the registry, which can be made to fail.
type failingStore struct {
	registry.Store
	fault error
}

func (k *failingStore) InsertConnector(ctx context.Context, c registry.StoredConnector, change registry.Change) error {
	if k.fault != nil {
		return k.fault
	}
	return k.Store.InsertConnector(ctx, c, change)
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
	cfg, report := connector.Check(data, connector.ParseOptions{})
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

// newDelivery has connectors and remembers nothing.
func newDelivery(log *slog.Logger, connectors ...delivery.Connector) *delivery.Delivery {
	byID := make(map[string]delivery.Connector)
	for _, c := range connectors {
		byID[c.ID] = c
	}
	d := delivery.New(delivery.Options{Store: forgetful{}, Log: log})
	d.Use(byID)
	return d
}

// forgetful is a state that takes everything and remembers nothing.
type forgetful struct{ delivery.Store }

func (forgetful) Hash(parts ...string) delivery.Hash {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

func (forgetful) Accept(context.Context, *delivery.Entry) (delivery.Acceptance, error) {
	return delivery.Acceptance{}, nil
}
func (forgetful) RecordRejected(*delivery.Entry, delivery.Outcome)         {}
func (forgetful) Complete(context.Context, delivery.Outcome) (bool, error) { return true, nil }
func (forgetful) Confirm(context.Context, string, int) error               { return nil }
func (forgetful) Replicas() int                                            { return 1 }
