package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
	"dmconnector/internal/registry"
	"dmconnector/internal/store"
)

// A provider answers when it is told to, with what it is told.
type provider struct{ answers chan error }

func (p provider) SingleSendMail(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
	select {
	case err := <-p.answers:
		if err != nil {
			return nil, err
		}
		return &aliyundm.Receipt{EnvID: "600", RequestID: "R-1"}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveTests starts a service that sends to the provider, and returns its address.
func serveTests(t *testing.T, p provider) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	state, err := store.Open(t.Context(), store.Options{State: "memory", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	newSender := func(*connector.Config) (delivery.Sender, error) { return p, nil }
	messages := delivery.New(delivery.Options{Store: state, Log: log})
	connectors := registry.New(registry.Options{ReservedIDs: []string{httpapi.FactoryID}, Store: state, NewSender: newSender, Apply: messages.Use, Log: log})
	if err := connectors.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(httpapi.New(httpapi.Options{
		Delivery: messages, Log: log, NewSender: newSender, Registry: connectors, AdminTokens: []string{adminToken},
	}))
	t.Cleanup(func() {
		server.Close()
		if err := state.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// follow asks for a test through the connector called mine, step by step.
func (s *service) follow(body string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/api/connectors/mine/test", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", adminToken)
	r.Header.Set("Accept", "text/event-stream")
	return s.exchange(r)
}

// A testStory is what a test's answer and its events have of interest.
type testStory struct {
	State    string
	Template *struct{ UsageType string }
	Attempts []struct {
		Pending bool
		Error   string
	}
	Receipt *struct{ EnvID string }
	Error   *struct{ Code string }
}

func (s testStory) String() string {
	words := []string{s.State}
	for _, a := range s.Attempts {
		switch {
		case a.Pending:
			words = append(words, "pending")
		case a.Error != "":
			words = append(words, "failed")
		default:
			words = append(words, "accepted")
		}
	}
	if s.Receipt != nil {
		words = append(words, "receipt "+s.Receipt.EnvID)
	}
	if s.Error != nil {
		words = append(words, s.Error.Code)
	}
	return strings.Join(words, ", ")
}

// nextEvent reads one event of a test, in short; at the end it is "".
func nextEvent(t *testing.T, events *bufio.Reader) string {
	t.Helper()
	name, err := events.ReadString('\n')
	if err == io.EOF {
		return name
	}
	data, _ := events.ReadString('\n')
	blank, err := events.ReadString('\n')
	text, isData := strings.CutPrefix(data, "data: ")
	var story testStory
	if err != nil || blank != "\n" || !isData || json.Unmarshal([]byte(text), &story) != nil || story.Template == nil {
		t.Fatalf("%v, no event: %q %q", err, name, data)
	}
	return strings.TrimSpace(strings.TrimPrefix(name, "event: ")) + ": " + story.String()
}

// The provider answers only when what goes before has come.
func TestFollowedTestTellsEachStepAsItHappens(t *testing.T) {
	tests := map[string]struct {
		answer error
		want   []string
	}{
		"accepted": {nil, []string{"report: sending, accepted, receipt 600", "done: sent, accepted, receipt 600", ""}},
		"refused": {
			&aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidAccessKeyId.NotFound"},
			[]string{"report: sending, failed", "done: failed, failed, provider_rejected", ""},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := provider{make(chan error, 1)}
			body := `{"email":"user@example.com","config":` + string(connectorJSON(t)) + `}`
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, serveTests(t, p)+testRoute, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", adminToken)
			r.Header.Set("Accept", "application/json;q=0.5, text/event-stream")
			client := &http.Client{Transport: checked{t, &http.Transport{}}}
			defer client.CloseIdleConnections()
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("%s %v", answer.Status, answer.Header)
			}
			events := bufio.NewReader(answer.Body)
			got := []string{nextEvent(t, events), nextEvent(t, events)}
			p.answers <- tt.answer
			for range tt.want {
				got = append(got, nextEvent(t, events))
			}
			want := append([]string{"report: sending", "report: sending, pending"}, tt.want...)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The last event is what ?trace=true answers.
func TestFollowedTestEndsWithTheWholeStory(t *testing.T) {
	s := newService(t, "mine")
	body := `{"email":"user@example.com"}`
	followed := s.follow(body).body
	_, data, _ := strings.Cut(followed, "event: done\ndata: ")
	traced := s.do("POST", "/api/connectors/mine/test?trace=true", adminToken, body)
	var got, want map[string]any
	if json.Unmarshal([]byte(data), &got) != nil || json.Unmarshal([]byte(traced.body), &want) != nil {
		t.Fatalf("%q\n%q", followed, traced.body)
	}
	for _, own := range []string{"id", "attempts", "receipt"} {
		if got[own] == nil || want[own] == nil {
			t.Errorf("there is no %s", own)
		}
		delete(got, own)
		delete(want, own)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-trace +done)\n%s", diff)
	}
	if strings.Contains(followed, "000000") || strings.Contains(followed, "user@example.com") {
		t.Error("an event has the code or the address")
	}
}

// What fails before the first step is answered as ever.
func TestFollowedTestThatIsRefused(t *testing.T) {
	s := newService(t, "mine")
	for body, want := range map[string]string{
		`{`:                    "invalid_request",
		`{"email":"nonsense"}`: "invalid_recipient",
		`{"email":"user@example.com","config":{"accessKeyId":"x"}}`: "invalid_config",
	} {
		got := s.follow(body)
		if got.code(t) != want || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	for range 21 {
		s.do("POST", "/api/connectors/mine/test", adminToken, `{"email":"user@example.com"}`)
	}
	got := s.follow(`{"email":"user@example.com"}`)
	if got.status != http.StatusTooManyRequests || got.code(t) != "rate_limited" {
		t.Errorf("too many: %d %s", got.status, got.body)
	}
}
