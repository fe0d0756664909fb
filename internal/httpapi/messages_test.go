package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

// remembered is a log of messages whose answers are given; it notes what it was
// asked.
type remembered struct {
	list    []delivery.Record
	err     error
	filter  delivery.Filter
	counted delivery.StatisticsQuery
	hashed  []string
	by, id  string
}

func (m *remembered) Messages(_ context.Context, f delivery.Filter) ([]delivery.Record, error) {
	m.filter = f
	return append([]delivery.Record{}, m.list[:min(f.Limit, len(m.list))]...), m.err
}

func (m *remembered) Statistics(_ context.Context, q delivery.StatisticsQuery) (delivery.Statistics, error) {
	m.counted = q
	return delivery.Statistics{Series: []delivery.Series{{Connector: "mine", Type: "SignIn", State: "sent", Counts: []int{0, 2}}}, Latency: []*delivery.Latency{nil, {P50: 1, P95: 2, Max: 3}}}, m.err
}

func (m *remembered) Message(_ context.Context, id string) (delivery.Record, bool, error) {
	if len(id) != len(messageID(0)) {
		return delivery.Record{}, false, errors.New("that is no UUID") // as PostgreSQL has it
	}
	for _, r := range m.list {
		if r.ID == id {
			return r, true, m.err
		}
	}
	return delivery.Record{}, false, m.err
}

func (m *remembered) Retry(_ context.Context, by, id string) error {
	m.by, m.id = by, id
	return m.err
}

func (m *remembered) Hash(parts ...string) delivery.Hash {
	m.hashed = parts
	return delivery.Hash{7}
}

// messageID returns the id of the nth message.
func messageID(n int) string { return fmt.Sprintf("01930000-0000-7000-8000-%012d", n) }

// sentMessage is the nth message, which was sent.
func sentMessage(n int) delivery.Record {
	return delivery.Record{ID: messageID(n), Connector: "mine", Type: "SignIn", Mode: delivery.Direct, State: delivery.StateSent, Recipient: "u***@example.com"}
}

// ask asks a service that has nothing but the messages.
func (m *remembered) ask(t *testing.T, route, body string) answer {
	t.Helper()
	api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard), Log: discard, Messages: m, AdminTokens: []string{adminToken}})
	method, path, _ := strings.Cut(route, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", adminToken)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	checkConversation(t, conversation{r, []byte(body), w.Code, w.Header(), w.Body.Bytes()})
	return answer{w.Code, w.Header(), w.Body.String()}
}

func TestMessagesAreFiltered(t *testing.T) {
	since := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		query, body string
		want        delivery.Filter
	}{
		"nothing":        {"", `{}`, delivery.Filter{Limit: 51}},
		"a state":        {"?state=dead", `{"state":"dead"}`, delivery.Filter{States: []delivery.State{"dead"}, Limit: 51}},
		"a state twice":  {"?state=sent,sent", `{"state":["sent","sent"]}`, delivery.Filter{States: []delivery.State{"sent"}, Limit: 51}},
		"every state":    {"?state=queued,sending,sent,failed,dead,expired,unknown", `{"state":["queued","sending","sent","failed","dead","expired","unknown"]}`, delivery.Filter{States: []delivery.State{"queued", "sending", "sent", "failed", "dead", "expired", "unknown"}, Limit: 51}},
		"an incident":    {"?incident=" + messageID(1), `{"incident":"` + messageID(1) + `"}`, delivery.Filter{Incident: messageID(1), Limit: 51}},
		"its end":        {"?incident=e3715593", `{"incident":"e3715593"}`, delivery.Filter{Incident: "e3715593", Limit: 51}},
		"several states": {"?state=dead,unknown&state=queued", `{"state":["dead","unknown","queued"]}`, delivery.Filter{States: []delivery.State{"dead", "unknown", "queued"}, Limit: 51}},
		"a type":         {"?type=SignIn", `{"type":"SignIn"}`, delivery.Filter{Type: "SignIn", Limit: 51}},
		"another type":   {"?type=other", `{"type":"other"}`, delivery.Filter{Type: "other", Limit: 51}},
		"a connector":    {"?connector=mine", `{"connector":"mine"}`, delivery.Filter{Connector: "mine", Limit: 51}},
		"since":          {"?since=2026-01-31T08:00:00Z", `{"since":"2026-01-31T08:00:00Z"}`, delivery.Filter{Since: since, Limit: 51}},
		"until":          {"?until=2026-01-31T08:00:00Z", `{"until":"2026-01-31T08:00:00Z"}`, delivery.Filter{Until: since, Limit: 51}},
		"before":         {"?before=" + messageID(1), `{"before":"` + messageID(1) + `"}`, delivery.Filter{Before: messageID(1), Limit: 51}},
		"a limit":        {"?limit=200", `{"limit":200}`, delivery.Filter{Limit: 201}},
		"all of them": {
			"?state=sent&type=SignIn&connector=mine&since=2026-01-31T08:00:00Z&until=2026-01-31T08:00:00Z&before=" + messageID(1) + "&limit=1",
			`{"state":"sent","type":"SignIn","connector":"mine","since":"2026-01-31T08:00:00Z","until":"2026-01-31T08:00:00Z","before":"` + messageID(1) + `","limit":1}`,
			delivery.Filter{States: []delivery.State{"sent"}, Type: "SignIn", Connector: "mine", Since: since, Until: since, Before: messageID(1), Limit: 2},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, request := range [][2]string{{"GET /api/messages" + tt.query, ""}, {"POST /api/messages/search", tt.body}} {
				m := &remembered{}
				if got := m.ask(t, request[0], request[1]); got.status != 200 || got.body != `{"messages":[]}`+"\n" {
					t.Errorf("%s: %d %s", request[0], got.status, got.body)
				}
				if diff := cmp.Diff(tt.want, m.filter); diff != "" {
					t.Errorf("%s (-want +got):\n%s", request[0], diff)
				}
			}
		})
	}
}

// An address is looked for as it would have been sent to, and never in a URL.
func TestMessagesAreFoundByAddress(t *testing.T) {
	m := &remembered{}
	if got := m.ask(t, "POST /api/messages/search", `{"address":"User@EXAMPLE.com"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if diff := cmp.Diff([]string{"address", "user@example.com"}, m.hashed); diff != "" || *m.filter.Address != (delivery.Hash{7}) {
		t.Errorf("hash of (-want +got):\n%s", diff)
	}
	for _, key := range []string{"address", "email", "to", "recipient"} {
		got := m.ask(t, "GET /api/messages?"+key+"=user@example.com", "")
		if got.status != 400 || !strings.Contains(got.body, "POST it to /api/messages/search") || strings.Contains(got.body, "user@") {
			t.Errorf("%s: %d %s", key, got.status, got.body)
		}
	}
}

func TestMessageRequestsThatAreRefused(t *testing.T) {
	tests := map[string]struct{ route, body, pointers string }{
		"unknown key":       {"GET /api/messages?user@example.com=1", "", ""},
		"unknown state":     {"GET /api/messages?state=user@example.com", "", "/state"},
		"one unknown state": {"GET /api/messages?state=sent,sold", "", "/state"},
		"eight states":      {"GET /api/messages?state=" + strings.Repeat("sent,", 7) + "sent", "", "/state"},
		"20,000 states":     {"POST /api/messages/search", `{"state":["sent"` + strings.Repeat(`,"sent"`, 20_000) + `]}`, "/state"},
		"no incident":       {"GET /api/messages?incident=user@example.com", "", "/incident"},
		"half an incident":  {"GET /api/messages?incident=" + messageID(1)[:13], "", "/incident"},
		"a NUL":             {"POST /api/messages/search", `{"connector":"mi\u0000ne"}`, "/connector"},
		"a line break":      {"POST /api/messages/search", `{"connector":"mi\nne"}`, "/connector"},
		"a long connector":  {"POST /api/messages/search", `{"connector":"` + strings.Repeat("x", 129) + `"}`, "/connector"},
		"broken UTF-8":      {"POST /api/messages/search", "{\"connector\":\"\xff\"}", ""},
		"a NUL in a query":  {"GET /api/messages?connector=mi%00ne", "", ""},
		"a tab in a query":  {"GET /api/messages?connector=mi%09ne", "", ""},
		"a NUL in a path":   {"GET /api/messages/%00", "", ""},
		"0xff in a path":    {"POST /api/messages/%ff/retry", "", ""},
		"an empty state":    {"GET /api/messages?state=", "", "/state"},
		"unknown type":      {"GET /api/messages?type=user@example.com", "", "/type"},
		"empty connector":   {"GET /api/messages?connector=", "", "/connector"},
		"a date":            {"GET /api/messages?since=2026-01-31", "", "/since"},
		"no time":           {"GET /api/messages?until=user@example.com", "", "/until"},
		"no cursor":         {"GET /api/messages?before=user@example.com", "", "/before"},
		"twice":             {"GET /api/messages?type=SignIn&type=Register", "", "/type"},
		"no number":         {"GET /api/messages?limit=user@example.com", "", "/limit"},
		"too small":         {"GET /api/messages?limit=0", "", "/limit"},
		"too big":           {"GET /api/messages?limit=201", "", "/limit"},
		"no JSON":           {"POST /api/messages/search", "user@example.com", ""},
		"a misspelt key":    {"POST /api/messages/search", `{"addr":"user@example.com"}`, "/addr"},
		"no address":        {"POST /api/messages/search", `{"address":"user@example.com,other@example.com"}`, "/address"},
		"wrong types":       {"POST /api/messages/search", `{"state":[1],"type":3,"connector":4,"address":5,"incident":6,"since":6,"until":7,"before":8,"limit":"9"}`, "/state /type /connector /address /incident /since /until /before /limit"},
		"a half":            {"POST /api/messages/search", `{"limit":0.5}`, "/limit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := (&remembered{}).ask(t, tt.route, tt.body)
			if got.status != 400 || got.code(t) != "invalid_request" || got.pointers(t) != tt.pointers {
				t.Errorf("%d %s", got.status, got.body)
			}
			if strings.Contains(got.body, "user@") {
				t.Errorf("the answer repeats the request: %s", got.body)
			}
		})
	}
}

func TestMessagesComeInPages(t *testing.T) {
	m := &remembered{}
	for n := 3; n > 0; n-- {
		m.list = append(m.list, sentMessage(n))
	}
	for limit, next := range map[int]string{2: messageID(2), 3: "", 4: ""} {
		got := m.ask(t, fmt.Sprintf("GET /api/messages?limit=%d", limit), "")
		var page struct {
			Messages []struct{ ID string }
			Next     *string
		}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Messages) != min(limit, 3) || (page.Next == nil) != (next == "") || page.Next != nil && *page.Next != next {
			t.Errorf("limit %d: %s", limit, got.body)
		}
	}
}

func TestMessageTellsEachStep(t *testing.T) {
	m := &remembered{list: []delivery.Record{{
		ID: messageID(1), Connector: "mine", Type: "SignIn", Mode: delivery.Direct, State: delivery.StateSent, Recipient: "u***@example.com", Body: delivery.Hash{9},
		Steps: &delivery.Steps{Attempts: []delivery.Attempt{{Milliseconds: 5}}},
	}}}
	got := m.ask(t, "GET /api/messages/"+messageID(1), "")
	var message map[string]any
	if err := json.Unmarshal([]byte(got.body), &message); err != nil || got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	report, _ := message["steps"].(map[string]any)
	if message["id"] != messageID(1) || message["state"] != "sent" || message["recipient"] != "u***@example.com" || report["attempts"] == nil || message["Body"] != nil {
		t.Errorf("%s", got.body)
	}
	for _, id := range []string{messageID(2), "nonsense", "x%2Fy"} {
		if got := m.ask(t, "GET /api/messages/"+id, ""); got.status != 404 || got.code(t) != "message_not_found" {
			t.Errorf("%s: %d %s", id, got.status, got.body)
		}
	}
}

func TestRetry(t *testing.T) {
	tests := map[string]struct {
		id     string
		err    error
		status int
		code   string
	}{
		"again":         {messageID(1), nil, 202, ""},
		"no message":    {messageID(1), &delivery.Error{Code: "message_not_found"}, 404, "message_not_found"},
		"no id":         {"nonsense", nil, 404, "message_not_found"},
		"erased":        {messageID(1), &delivery.Error{Code: "payload_gone", Detail: "erased"}, 409, "payload_gone"},
		"not retryable": {messageID(1), &delivery.Error{Code: "not_retryable", Detail: "was sent"}, 409, "not_retryable"},
		"no state":      {messageID(1), errors.New("disk full"), 503, "unavailable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &remembered{err: tt.err}
			got := m.ask(t, "POST /api/messages/"+tt.id+"/retry", "")
			if got.status != tt.status || got.code(t) != tt.code {
				t.Errorf("%d %s", got.status, got.body)
			}
			if tt.status == http.StatusAccepted && (got.body != `{"id":"`+tt.id+`","state":"queued"}`+"\n" || m.by != "admin-token" || m.id != tt.id) {
				t.Errorf("%s by %s: %s", m.id, m.by, got.body)
			}
		})
	}
}

func TestMessagesWithoutState(t *testing.T) {
	for _, route := range []string{"GET /api/messages", "GET /api/messages/" + messageID(1)} {
		got := (&remembered{err: errors.New("disk full")}).ask(t, route, "")
		if got.status != 503 || got.code(t) != "unavailable" || strings.Contains(got.body, "disk") {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
	}
}

func TestFiltersSayWhatWasMeant(t *testing.T) {
	for route, hint := range map[string]string{
		"GET /api/messages?state=snet":            `did you mean \"sent\"?`,
		"GET /api/messages?type=Sigin":            `did you mean \"SignIn\"?`,
		"GET /api/messages?state=sent,delievered": `must be one or more of `,
	} {
		if got := (&remembered{}).ask(t, route, ""); got.status != 400 || !strings.Contains(got.body, hint) {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
	}
}
