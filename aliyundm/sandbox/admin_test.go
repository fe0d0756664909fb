package sandbox_test

import (
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"dmconnector/aliyundm/sandbox"
)

func TestWhoMayReadTheInbox(t *testing.T) {
	const token = "sandbox-token"
	lan := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 8025}
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8025}
	tests := map[string]struct {
		token  string
		host   string
		local  net.Addr
		header http.Header
		want   int
	}{
		"localhost":               {"", "localhost:8025", nil, nil, 200},
		"below localhost":         {"", "mail.LOCALHOST.", nil, nil, 200},
		"IPv4":                    {"", "127.0.0.1", loopback, nil, 200},
		"another IPv4":            {"", "127.1.2.3:80", nil, nil, 200},
		"IPv6":                    {"", "[::1]:8025", nil, nil, 200},
		"IPv6 without port":       {"", "[::1]", nil, nil, 200},
		"name rebound":            {"", "attacker.example:8025", loopback, nil, 403},
		"name alike":              {"", "notlocalhost", nil, nil, 403},
		"address alike":           {"", "127.0.0.1.attacker.example", nil, nil, 403},
		"another address":         {"", "192.0.2.7:8025", nil, nil, 403},
		"no host":                 {"", "", nil, nil, 403},
		"host forged off network": {"", "localhost:8025", lan, nil, 403},
		"token":                   {token, "mail.example.com", lan, http.Header{"Authorization": {"Bearer " + token}}, 200},
		"token, lower case":       {token, "mail.example.com", lan, http.Header{"Authorization": {"bearer " + token}}, 200},
		"no token":                {token, "localhost", loopback, nil, 401},
		"another token":           {token, "localhost", loopback, http.Header{"Authorization": {"Bearer " + token + "x"}}, 401},
		"another scheme":          {token, "localhost", loopback, http.Header{"Authorization": {"Basic " + token}}, 401},
		"empty token":             {token, "localhost", loopback, http.Header{"Authorization": {"Bearer "}}, 401},
		"own page":                {"", "localhost", nil, http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		"typed in":                {"", "localhost", nil, http.Header{"Sec-Fetch-Site": {"none"}}, 200},
		"other site":              {"", "localhost", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"other port":              {"", "localhost", nil, http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		"other origin":            {"", "localhost", nil, http.Header{"Origin": {"https://attacker.example"}}, 403},
		"other site with token":   {token, "localhost", nil, http.Header{"Authorization": {"Bearer " + token}, "Sec-Fetch-Site": {"cross-site"}}, 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{Token: tt.token})
			for _, route := range []struct{ method, target string }{
				{"GET", "/inbox"}, {"DELETE", "/inbox"}, {"GET", "/faults"}, {"DELETE", "/faults"}, {"GET", "/inbox/a@example.com"},
			} {
				r := httptest.NewRequest(route.method, route.target, nil)
				r.Host = tt.host
				maps.Copy(r.Header, tt.header)
				if tt.local != nil {
					r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tt.local))
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				got := w.Code
				if got == http.StatusNoContent {
					got = http.StatusOK
				}
				if got != tt.want {
					t.Errorf("%s %s: %d %s, want %d", route.method, route.target, got, w.Body, tt.want)
				}
				if w.Code == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
					t.Error("401 without WWW-Authenticate")
				}
			}
		})
	}
}

// SDKs name whatever host their endpoint has, and have no token.
func TestDirectMailAPIWantsOnlyTheSignature(t *testing.T) {
	s := newSandbox(sandbox.Options{Token: "sandbox-token"})
	r := rpcPOST(mailTo("user@example.com"))
	r.Host = "dm.aliyuncs.com"
	wantAccepted(t, do(t, s, r))
}

func TestSecurityHeaders(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	for _, target := range []string{"/", "/inbox", "/faults", "/inbox/x/y/z"} {
		h := get(s, target).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", target, h)
		}
		if _, cors := h["Access-Control-Allow-Origin"]; cors {
			t.Errorf("%s has a CORS header", target)
		}
	}
}
