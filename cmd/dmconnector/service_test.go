package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// What serve runs has the console, its sessions, and with a sandbox its inbox.
func TestServiceHasTheConsole(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := writeCertificate(certFile, keyFile, "localhost"); err != nil {
		t.Fatal(err)
	}
	const token = "admin-token-5d0c9e27b1"
	tests := map[string]struct {
		opts    serveOptions
		secure  bool
		session string
		inbox   int
	}{
		"alone":          {serveOptions{}, false, `"sandbox":false,"version":"` + version() + `","state":"memory"}`, 404},
		"with a sandbox": {serveOptions{sandbox: true}, false, `"sandbox":true,"version":"` + version() + `","state":"memory"}`, 200},
		"with TLS":       {serveOptions{tlsCert: certFile, tlsKey: keyFile}, true, `"sandbox":false,`, 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			opts := tt.opts
			opts.listen, opts.sandboxListen, opts.state, opts.adminTokens = "127.0.0.1:0", "127.0.0.1:0", "memory", token
			s := &service{opts: opts, log: slog.New(slog.DiscardHandler)}
			defer s.close()
			if err := s.open(t.Context()); err != nil {
				t.Fatal(err)
			}
			call := func(method, path, authorization, body string) *httptest.ResponseRecorder {
				r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				w := httptest.NewRecorder()
				s.api.ServeHTTP(w, r)
				return w
			}
			if page := call("GET", "/", "", ""); page.Code != http.StatusOK || !strings.HasPrefix(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("the page: %d %v", page.Code, page.Header())
			}
			session := call("POST", "/api/session", "", `{"token":"`+token+`"}`)
			if session.Code != http.StatusOK || !strings.Contains(session.Body.String(), tt.session) {
				t.Errorf("the session: %d %s", session.Code, session.Body)
			}
			if cookie := session.Header().Get("Set-Cookie"); strings.Contains(cookie, "; Secure") != tt.secure {
				t.Errorf("the cookie: %s", cookie)
			}
			if inbox := call("GET", "/api/inbox", token, ""); inbox.Code != tt.inbox {
				t.Errorf("the inbox: %d %s", inbox.Code, inbox.Body)
			}
		})
	}
}

// What serve runs tells Prometheus of itself, without a token.
func TestServiceHasMetrics(t *testing.T) {
	opts := serveOptions{listen: "127.0.0.1:0", sandbox: true, sandboxListen: "127.0.0.1:0", state: "memory"}
	opts.sendTokens, opts.adminTokens = "send-token-5d0c9e27b1", "admin-token-5d0c9e27b1"
	s := &service{opts: opts, log: slog.New(slog.DiscardHandler)}
	defer s.close()
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	send := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/send", strings.NewReader(`{"to":"user@example.com","type":"SignIn","payload":{"code":"123456"}}`))
	send.Header.Set("Authorization", "send-token-5d0c9e27b1")
	s.api.ServeHTTP(httptest.NewRecorder(), send)
	s.api.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/send", nil))
	scrape := httptest.NewRecorder()
	s.api.ServeHTTP(scrape, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`dmconnector_messages_total{code="",connector="default",mode="direct",state="sent",type="SignIn"} 1`,
		`dmconnector_aliyun_requests_total{class="accepted",connector="default"} 1`,
		`dmconnector_state_operation_duration_seconds_count{operation="accept"} 1`,
		`dmconnector_requests_rejected_total{code="unauthorized"} 1`,
		`dmconnector_circuit_breaker_open{connector="default"} 0`,
		`dmconnector_state_up 1`,
		`state="memory",version="` + version() + `"} 1`,
	} {
		if !strings.Contains(scrape.Body.String(), line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
}
