package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"dmconnector/internal/httpapi"
)

func TestConsoleIsServed(t *testing.T) {
	console := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		w.Write([]byte("console " + r.URL.Path))
	})
	api := httpapi.New(httpapi.Options{Log: discard, Console: console, AdminTokens: []string{adminToken}})
	tests := map[string]struct {
		status int
		body   string
	}{
		"GET /":             {200, "console /"},
		"HEAD /":            {200, "console /"},
		"GET /assets/a.js":  {200, "console /assets/a.js"},
		"HEAD /assets/a.js": {200, "console /assets/a.js"},
		"POST /":            {405, ""},
		"GET /assets":       {404, ""},
		"GET /index.html":   {404, ""},
		"GET /api/none":     {404, ""},
		"GET /api/session":  {404, ""}, // no state of sessions
		"GET /api/inbox":    {404, ""}, // no sandbox
	}
	for route, tt := range tests {
		got := ask(t, api, route, "")
		if got.status != tt.status || tt.status == 200 && (got.body != tt.body || got.header.Get("Cache-Control") != "no-cache") {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
		if tt.status != 200 && got.code(t) == "" {
			t.Errorf("%s: %s", route, got.body)
		}
	}
	if got := ask(t, httpapi.New(httpapi.Options{Log: discard}), "GET /", ""); got.status != 404 {
		t.Errorf("without a console: %d", got.status)
	}
}

func TestSecurityHeaders(t *testing.T) {
	console := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("console")) })
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/plain") })
	for tls, want := range map[bool]string{true: "max-age=31536000", false: ""} {
		api := httpapi.New(httpapi.Options{Log: discard, Console: console, Metrics: metrics, TLS: tls})
		for _, route := range []string{"GET /", "GET /assets/a.js", "GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /none", "PUT /healthz", "POST /api/send"} {
			header := ask(t, api, route, "").header
			if got := header.Values("Strict-Transport-Security"); strings.Join(got, "") != want || len(got) > 1 {
				t.Errorf("%s: Strict-Transport-Security %q", route, got)
			}
			if got := header.Values("Cross-Origin-Resource-Policy"); len(got) != 1 || got[0] != "same-origin" {
				t.Errorf("%s: Cross-Origin-Resource-Policy %q", route, got)
			}
		}
	}
}

func TestInbox(t *testing.T) {
	s := newService(t, "default")
	codes := func() []string {
		t.Helper()
		got := ask(t, s.api, "GET /api/inbox", "", signIn(t, s.api, adminToken))
		var inbox struct {
			Mails []struct{ ID, To, Code, HTML, ReceivedAt string }
		}
		if err := json.Unmarshal([]byte(got.body), &inbox); err != nil || got.status != 200 || inbox.Mails == nil {
			t.Fatalf("%d %s", got.status, got.body)
		}
		list := []string{}
		for _, m := range inbox.Mails {
			if m.ID == "" || m.To != "user@example.com" || m.HTML == "" || m.ReceivedAt == "" {
				t.Errorf("%+v", m)
			}
			list = append(list, m.Code)
		}
		return list
	}
	if got := codes(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	s.send()
	s.do("POST", "/api/send", recordedToken, `{"to":"user@example.com","type":"SignIn","payload":{"code":"535353"}}`)
	if got := codes(); len(got) != 2 || got[0] != "535353" || got[1] != "424242" {
		t.Errorf("%q", got)
	}
	for _, route := range []string{"GET /api/inbox", "DELETE /api/inbox"} {
		for token, status := range map[string]int{"": 401, recordedToken: 403} {
			if got := ask(t, s.api, route, "", "Authorization: "+token); got.status != status {
				t.Errorf("%s: %d %s", route, got.status, got.body)
			}
		}
	}
	if got := ask(t, s.api, "DELETE /api/inbox", "", asAdmin); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := codes(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := ask(t, s.api, "PUT /api/inbox", "", asAdmin); got.status != 405 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
