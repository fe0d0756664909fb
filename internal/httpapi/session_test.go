package httpapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/httpapi"
)

// ask asks a server without a network. Headers are "Name: value".
func ask(t *testing.T, api http.Handler, route, body string, headers ...string) answer {
	t.Helper()
	w := httptest.NewRecorder()
	r := request(t, route, body, headers...)
	api.ServeHTTP(w, r)
	checkConversation(t, conversation{r, []byte(body), w.Code, w.Header(), w.Body.Bytes()})
	return answer{w.Code, w.Header(), w.Body.String()}
}

func request(t *testing.T, route, body string, headers ...string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// signIn opens a session, and returns its cookie as a header.
func signIn(t *testing.T, api http.Handler, token string) string {
	t.Helper()
	got := ask(t, api, "POST /api/session", `{"token":"`+token+`"}`)
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	return "Cookie: " + cookie
}

// replica is another server on the state of a service.
func (s *service) replica() *httpapi.Server {
	return httpapi.New(httpapi.Options{
		Delivery: newDelivery(discard), Log: discard, Registry: s.registry, Messages: s.state, Sessions: s.state, AdminTokens: []string{adminToken},
	})
}

func TestSession(t *testing.T) {
	s := newService(t, "default")
	opened := ask(t, s.api, "POST /api/session", `{"token":" `+newerAdminToken+`\n"}`)
	var session struct {
		Actor, Version, State string
		ExpiresAt             time.Time
		Sandbox               bool
	}
	if err := json.Unmarshal([]byte(opened.body), &session); err != nil || opened.status != 200 {
		t.Fatalf("%d %s", opened.status, opened.body)
	}
	if session.Actor != "admin-token 2" || session.Version != "1.2.3" || session.State != "memory" || !session.Sandbox {
		t.Errorf("%+v", session)
	}
	if left := time.Until(session.ExpiresAt); left > 2*time.Hour || left < 2*time.Hour-time.Minute {
		t.Errorf("it ends in %v", left)
	}
	cookie, attributes, _ := strings.Cut(opened.header.Get("Set-Cookie"), "; ")
	if attributes != "Path=/; HttpOnly; SameSite=Strict" || !strings.HasPrefix(cookie, "dmconnector_session=") || len(cookie) < 40 {
		t.Errorf("%s; %s", cookie, attributes)
	}
	if got := ask(t, s.api, "GET /api/session", "", "Cookie: "+cookie); got.status != 200 || got.body != opened.body {
		t.Errorf("%d %s", got.status, got.body)
	}
	if strings.Contains(s.log.String(), newerAdminToken) || strings.Contains(s.log.String(), cookie[len("dmconnector_session="):]) {
		t.Errorf("the log has a secret: %s", s.log.String())
	}
	body := `{"connectorId":"aliyun-direct-mail","id":"first","config":` + string(connectorJSON(t)) + `}`
	if got := ask(t, s.api, "POST /api/connectors", body, "Cookie: "+cookie); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if trail := ask(t, s.api, "GET /api/audit", "", "Cookie: "+cookie).body; !strings.Contains(trail, `"actor":"admin-token 2","action":"connector.create"`) {
		t.Errorf("the change is not by the token's owner: %s", trail)
	}
}

// Who signs out is signed out everywhere, and for good.
func TestSignOut(t *testing.T) {
	s := newService(t)
	other := s.replica()
	cookie, second := signIn(t, s.api, adminToken), signIn(t, s.api, adminToken)
	if got := ask(t, other, "GET /api/connectors", "", cookie); got.status != 200 {
		t.Fatalf("on another replica: %d %s", got.status, got.body)
	}
	got := ask(t, other, "DELETE /api/session", "", cookie)
	if want := "dmconnector_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"; got.status != 204 || got.header.Get("Set-Cookie") != want {
		t.Errorf("%d %s", got.status, got.header)
	}
	for name, api := range map[string]http.Handler{"this": s.api, "another": other} {
		for _, route := range []string{"GET /api/session", "GET /api/connectors"} {
			if got := ask(t, api, route, "", cookie); got.status != 401 || got.code(t) != "unauthorized" {
				t.Errorf("%s on %s replica: %d %s", route, name, got.status, got.body)
			}
		}
	}
	if got := ask(t, s.api, "DELETE /api/session", "", cookie); got.status != 204 {
		t.Errorf("again: %d %s", got.status, got.body)
	}
	if got := ask(t, s.api, "GET /api/session", "", second); got.status != 200 {
		t.Errorf("another session: %d %s", got.status, got.body)
	}
}

func TestSessionCookieIsSecureUnderTLS(t *testing.T) {
	tests := map[string]struct {
		tls     bool
		headers []string
		secure  bool
	}{
		"plain":                     {false, nil, false},
		"the service's own TLS":     {true, nil, true},
		"a proxy's TLS":             {false, []string{"X-Forwarded-Proto: https"}, true},
		"the first of two proxies'": {false, []string{"X-Forwarded-Proto: HTTPS, http"}, true},
		"a proxy without":           {false, []string{"X-Forwarded-Proto: http"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			api := httpapi.New(httpapi.Options{Log: discard, Sessions: newSessions(), AdminTokens: []string{adminToken}, TLS: tt.tls})
			got := ask(t, api, "POST /api/session", `{"token":"`+adminToken+`"}`, tt.headers...)
			if secure := strings.Contains(got.header.Get("Set-Cookie"), "; Secure"); got.status != 200 || secure != tt.secure {
				t.Errorf("%d %s", got.status, got.header)
			}
		})
	}
}

func TestSignInIsRefused(t *testing.T) {
	good := `{"token":"` + adminToken + `"}`
	tests := map[string]struct {
		body, header string
		status       int
		code         string
		pointers     string
	}{
		"unknown token":       {`{"token":"unknown-token-0123456789"}`, "", 401, "unauthorized", ""},
		"a send token":        {`{"token":"` + recordedToken + `"}`, "", 403, "forbidden", "/token"},
		"no token":            {`{}`, "", 400, "invalid_request", "/token"},
		"an empty token":      {`{"token":""}`, "", 400, "invalid_request", "/token"},
		"a blank token":       {`{"token":" "}`, "", 401, "unauthorized", ""},
		"no string":           {`{"token":1}`, "", 400, "invalid_request", "/token"},
		"a member too many":   {`{"token":"` + adminToken + `","life":"1y"}`, "", 400, "invalid_request", "/life"},
		"no JSON":             {`token=` + adminToken, "", 400, "invalid_request", ""},
		"another site's page": {good, "Sec-Fetch-Site: cross-site", 403, "forbidden", ""},
		"a sibling's page":    {good, "Sec-Fetch-Site: same-site", 403, "forbidden", ""},
		"another origin":      {good, "Origin: https://evil.example", 403, "forbidden", ""},
	}
	s := newService(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, s.api, "POST /api/session", tt.body, tt.header)
			if got.status != tt.status || got.code(t) != tt.code || got.pointers(t) != tt.pointers || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	if strings.Contains(s.log.String(), "token-0123456789") {
		t.Errorf("the log has a token: %s", s.log.String())
	}
}

// The admin learns which setting of the proxy is wrong.
func TestSignInThroughProxyThatChangesHost(t *testing.T) {
	s := newService(t)
	tests := map[string]struct {
		headers      []string
		detail, none string
	}{
		"another host": {
			[]string{"Origin: https://mail.example.org"},
			`the page's origin is "https://mail.example.org", but the request's Host header is "example.com": if a proxy is in between, it must pass the Host header unchanged`, "",
		},
		"the port is lost": {[]string{"Origin: http://example.com:8080"}, `"http://example.com:8080", but the request's Host header is "example.com"`, ""},
		"hostile":          {[]string{"Origin: " + strings.Repeat("x", 9000) + "secret"}, `xxx", but the request's Host`, "secret"},
		"another site":     {[]string{"Origin: https://mail.example.org", "Sec-Fetch-Site: cross-site"}, "requests from another site's page are rejected", "mail.example.org"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, s.api, "POST /api/session", `{"token":"`+adminToken+`"}`, tt.headers...)
			message, _ := got.problem(t)["message"].(string)
			if got.status != 403 || !strings.Contains(message, tt.detail) || tt.none != "" && strings.Contains(got.body, tt.none) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// A page of another site cannot use the cookie. Who brings a token is no browser
// that was tricked.
func TestCrossOriginRequestsAreRefused(t *testing.T) {
	s := newService(t)
	cookie, token := signIn(t, s.api, adminToken), "Authorization: "+adminToken
	const put = `{"templates":[]}`
	tests := map[string]struct {
		route, caller, header string
		status                int
	}{
		"the page itself":         {"PUT /api/email-templates", cookie, "Sec-Fetch-Site: same-origin", 400},
		"an old browser's":        {"PUT /api/email-templates", cookie, "Origin: http://example.com", 400},
		"no browser":              {"PUT /api/email-templates", cookie, "", 400},
		"another site":            {"PUT /api/email-templates", cookie, "Sec-Fetch-Site: cross-site", 403},
		"another origin":          {"PUT /api/email-templates", cookie, "Origin: https://evil.example", 403},
		"a sandboxed page":        {"PUT /api/email-templates", cookie, "Origin: null", 403},
		"another site, a test":    {"POST /api/connectors/aliyun-direct-mail/test", cookie, "Sec-Fetch-Site: cross-site", 403},
		"another site, sign-out":  {"DELETE /api/session", cookie, "Sec-Fetch-Site: cross-site", 403},
		"another site, the inbox": {"DELETE /api/inbox", cookie, "Sec-Fetch-Site: cross-site", 403},
		"another site reads":      {"GET /api/connectors", cookie, "Sec-Fetch-Site: cross-site", 200},
		"another site's token":    {"PUT /api/email-templates", token, "Sec-Fetch-Site: cross-site", 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, s.api, tt.route, put, tt.caller, tt.header)
			if got.status != tt.status || tt.status == 403 && got.code(t) != "forbidden" {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	if got := ask(t, s.api, "GET /api/session", "", cookie); got.status != 200 {
		t.Errorf("the session has ended: %d", got.status)
	}
}

func TestSessionIsForAdminsAlone(t *testing.T) {
	s := newService(t, "default")
	cookie, second := signIn(t, s.api, adminToken), signIn(t, s.api, adminToken)
	tests := map[string]struct {
		route   string
		headers []string
		status  int
	}{
		"a list":               {"GET /api/connectors", []string{cookie}, 200},
		"a send":               {"POST /api/send", []string{cookie}, 401},
		"beside a good token":  {"GET /api/connectors", []string{cookie, "Authorization: " + adminToken}, 200},
		"beside a wrong token": {"GET /api/connectors", []string{cookie, "Authorization: wrong"}, 401},
		"beside a send token":  {"GET /api/connectors", []string{cookie, "Authorization: " + recordedToken}, 403},
		"beside no token":      {"GET /api/connectors", []string{cookie, "Authorization: "}, 401},
		"two at once":          {"GET /api/connectors", []string{cookie, second}, 401},
		"an empty one":         {"GET /api/connectors", []string{"Cookie: dmconnector_session="}, 401},
		"a made-up one":        {"GET /api/connectors", []string{"Cookie: dmconnector_session=AAAAAAAAAAAAAAAAAAAAAAAAAA"}, 401},
		"none":                 {"GET /api/session", nil, 401},
		"a token for none":     {"GET /api/session", []string{"Authorization: " + adminToken}, 401},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, s.api, tt.route, `{"to":"user@example.com","type":"SignIn"}`, tt.headers...); got.status != tt.status {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// Readiness tells its details to who is signed in, too.
func TestSessionSeesDetailsOfReadiness(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, folder+"/default.json", connectorJSON(t))
	s := startService(t, folder)
	writeFile(t, folder+"/broken.json", []byte("{"))
	s.registry.Reload(t.Context())
	got := ask(t, s.api, "GET /readyz", "", signIn(t, s.api, adminToken))
	if got.status != 200 || !strings.Contains(got.body, `"details"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestSessionEndsWithItsToken(t *testing.T) {
	const secret = "stored-admin-0123456789"
	stored := func(expires time.Time) []httpapi.Token {
		return []httpapi.Token{{ID: "1", Hash: hashOf(secret), Scope: httpapi.ScopeAdmin, Expires: expires}}
	}
	tests := map[string][]httpapi.Token{
		"revoked": nil,
		"expired": stored(time.Now().Add(-time.Second)),
		"demoted": {{ID: "1", Hash: hashOf(secret), Scope: httpapi.ScopeSend}},
	}
	for name, after := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.api.SetTokens(stored(time.Time{}))
			cookie, other := signIn(t, s.api, secret), signIn(t, s.api, adminToken)
			if got := ask(t, s.api, "GET /api/session", "", cookie); !strings.Contains(got.body, `"actor":"token 1"`) {
				t.Fatalf("%d %s", got.status, got.body)
			}
			s.api.SetTokens(after)
			for _, route := range []string{"GET /api/session", "GET /api/connectors"} {
				if got := ask(t, s.api, route, "", cookie); got.status != 401 || got.code(t) != "unauthorized" {
					t.Errorf("%s: %d %s", route, got.status, got.body)
				}
			}
			if got := ask(t, s.api, "GET /api/session", "", other); got.status != 200 {
				t.Errorf("another token's session: %d %s", got.status, got.body)
			}
		})
	}
}

// sessions are a state of sessions alone, which can be made to fail.
type sessions struct {
	mu    sync.Mutex
	open  map[[sha256.Size]byte]openSession
	fault error
}

type openSession struct {
	token            [sha256.Size]byte
	created, expires time.Time
}

func newSessions() *sessions { return &sessions{open: make(map[[sha256.Size]byte]openSession)} }

func (s *sessions) OpenSession(_ context.Context, session, token [sha256.Size]byte, idle time.Duration) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.open[session] = openSession{token, now, now.Add(idle)}
	return now.Add(idle), s.fault
}

func (s *sessions) Session(_ context.Context, session [sha256.Size]byte, idle, life time.Duration) (token [sha256.Size]byte, expires time.Time, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	found, ok := s.open[session]
	if !ok || !now.Before(found.expires) {
		return token, expires, false, s.fault
	}
	if idle > 0 {
		found.expires = now.Add(idle)
		if last := found.created.Add(life); found.expires.After(last) {
			found.expires = last
		}
		s.open[session] = found
	}
	return found.token, found.expires, true, s.fault
}

func (s *sessions) EndSession(_ context.Context, session [sha256.Size]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, session)
	return s.fault
}

func (s *sessions) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

// newFollowed has messages and sessions, and nothing else.
func newFollowed(m httpapi.Messages, list *sessions) *httpapi.Server {
	return httpapi.New(httpapi.Options{Delivery: newDelivery(discard), Log: discard, Messages: m, Sessions: list, AdminTokens: []string{adminToken}})
}

func TestSessionLastsTwelveHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFollowed(&remembered{}, newSessions())
		cookie := signIn(t, api, adminToken)
		for range 11 {
			<-time.After(time.Hour)
			if got := ask(t, api, "GET /api/messages", "", cookie); got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
		var got []int
		for _, wait := range []time.Duration{time.Hour - time.Second, time.Second} {
			<-time.After(wait)
			got = append(got, ask(t, api, "GET /api/messages", "", cookie).status)
		}
		if diff := cmp.Diff([]int{200, 401}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Neither a page's requests in the background nor its streams are a use of the session.
func TestSessionEndsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newFollowed(&remembered{}, newSessions())
		used, left := signIn(t, api, adminToken), signIn(t, api, adminToken)
		var followed *httptest.ResponseRecorder
		streamed := make(chan struct{})
		go func() {
			defer close(streamed)
			followed = httptest.NewRecorder()
			api.ServeHTTP(followed, request(t, "GET /api/messages/events", "", left))
		}()
		for range 4 {
			<-time.After(30*time.Minute - time.Second)
			if got := ask(t, api, "GET /api/session", "", used); got.status != 200 {
				t.Errorf("a session in use: %d %s", got.status, got.body)
			}
			if got := ask(t, api, "GET /api/session", "", left, "Dmconnector-Background: 1"); got.status != 200 {
				t.Errorf("before its end: %d %s", got.status, got.body)
			}
		}
		<-time.After(10 * time.Second)
		for route, want := range map[string]int{used: 200, left: 401} {
			if got := ask(t, api, "GET /api/session", "", route); got.status != want {
				t.Errorf("after two hours: %d %s, want %d", got.status, got.body, want)
			}
		}
		<-streamed
		if followed.Code != 200 {
			t.Errorf("the stream: %d", followed.Code)
		}
	})
}

func TestSignInEndsThePreviousSession(t *testing.T) {
	s := newService(t)
	first, other := signIn(t, s.api, adminToken), signIn(t, s.api, adminToken)
	if got := ask(t, s.api, "POST /api/session", `{"token":"wrong"}`, first); got.status != 401 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := ask(t, s.api, "GET /api/session", "", first); got.status != 200 {
		t.Errorf("after a failed sign-in: %d %s", got.status, got.body)
	}
	// Authorization changes nothing about whose browser it is.
	again := ask(t, s.api, "POST /api/session", `{"token":"`+newerAdminToken+`"}`, first, "Authorization: "+adminToken)
	if again.status != 200 || again.header.Get("Set-Cookie") == "" {
		t.Fatalf("%d %s", again.status, again.body)
	}
	for cookie, want := range map[string]int{first: 401, other: 200} {
		if got := ask(t, s.api, "GET /api/session", "", cookie); got.status != want {
			t.Errorf("%d %s, want %d", got.status, got.body, want)
		}
	}
}

// Without its state nobody can be told from anybody; a token is known anyway.
func TestSessionWithoutState(t *testing.T) {
	list := newSessions()
	api := newFollowed(&remembered{}, list)
	cookie := signIn(t, api, adminToken)
	list.fail(errors.New("disk full"))
	for _, route := range []string{"GET /api/session", "GET /api/messages", "POST /api/session", "DELETE /api/session"} {
		got := ask(t, api, route, `{"token":"`+adminToken+`"}`, cookie)
		if got.status != 503 || got.code(t) != "unavailable" || strings.Contains(got.body, "disk") || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
	}
	if got := ask(t, api, "GET /api/messages", "", "Authorization: "+adminToken); got.status != 200 {
		t.Errorf("with a token: %d %s", got.status, got.body)
	}
}

func hashOf(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }
