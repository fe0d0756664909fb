package httpapi_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"dmconnector/internal/httpapi"
)

func TestStoredTokens(t *testing.T) {
	stored := func(id, secret string, scope httpapi.Scope, connector string, expires time.Time) httpapi.Token {
		return httpapi.Token{ID: id, Hash: sha256.Sum256([]byte(secret)), Scope: scope, Connector: connector, Expires: expires}
	}
	tests := map[string]struct {
		token                                   string
		defaultSend, mineSend, otherSend, admin int
	}{
		"for all connectors":       {"any-connector-0123456789", 200, 200, 200, 403},
		"for the default":          {"default-only-0123456789", 200, 403, 403, 403},
		"for one":                  {"mine-only-0123456789", 403, 200, 403, 403},
		"not expired":              {"not-expired-0123456789", 200, 200, 200, 403},
		"expired":                  {"expired-0123456789", 401, 401, 401, 401},
		"for admins":               {"stored-admin-0123456789", 403, 403, 403, 200},
		"for admins, and expired":  {"expired-admin-0123456789", 401, 401, 401, 401},
		"of a scope that is none":  {"no-scope-0123456789", 403, 403, 403, 403},
		"unknown":                  {"unknown-0123456789", 401, 401, 401, 401},
		"the flags' keep on":       {recordedToken, 200, 200, 200, 403},
		"the flags' for admins do": {adminToken, 403, 403, 403, 200},
	}
	s := newService(t, "default", "mine", "other")
	s.api.SetTokens([]httpapi.Token{
		stored("1", "any-connector-0123456789", httpapi.ScopeSend, "", time.Time{}),
		stored("2", "default-only-0123456789", httpapi.ScopeSend, "default", time.Time{}),
		stored("3", "mine-only-0123456789", httpapi.ScopeSend, "mine", time.Time{}),
		stored("4", "not-expired-0123456789", httpapi.ScopeSend, "", time.Now().Add(time.Hour)),
		stored("5", "expired-0123456789", httpapi.ScopeSend, "", time.Now().Add(-time.Second)),
		stored("6", "stored-admin-0123456789", httpapi.ScopeAdmin, "", time.Time{}),
		stored("7", "expired-admin-0123456789", httpapi.ScopeAdmin, "", time.Now().Add(-time.Second)),
		stored("8", "no-scope-0123456789", "", "", time.Time{}),
	})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			const body = `{"to":"user@example.com","type":"SignIn"}`
			for path, want := range map[string]int{
				"/api/send": tt.defaultSend, "/api/connectors/mine/send": tt.mineSend, "/api/connectors/other/send": tt.otherSend,
			} {
				if got := s.do("POST", path, tt.token, body); got.status != want {
					t.Errorf("%s: %d %s, want %d", path, got.status, got.body, want)
				}
			}
			if got := s.do("GET", "/api/connectors", "Bearer "+tt.token, ""); got.status != tt.admin {
				t.Errorf("admin: %d, want %d", got.status, tt.admin)
			}
		})
	}
	s.api.SetTokens(nil)
	if got := s.do("POST", "/api/send", "any-connector-0123456789", "{}"); got.status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", got.status)
	}
}

// A token for one connector must not tell which others there are.
func TestTokenOfOneConnectorLearnsOfNoOther(t *testing.T) {
	incident := regexp.MustCompile(`[0-9a-f-]{36}`)
	answers := make(map[string]string)
	for _, ids := range [][]string{{"default", "mine", "other"}, {"mine", "other"}, {"default"}, {"other"}, {}} {
		s := newService(t, ids...)
		s.api.SetTokens([]httpapi.Token{{ID: "1", Hash: hashOf("mine-only-0123456789"), Scope: httpapi.ScopeSend, Connector: "mine"}})
		for _, path := range []string{"/api/send", "/api/connectors/other/send", "/api/connectors/default/send", "/api/connectors/missing/send"} {
			for _, body := range []string{`{"to":"user@example.com","type":"SignIn"}`, "{"} {
				got := s.do("POST", path, "mine-only-0123456789", body)
				got.header.Del("Date")
				answers[incident.ReplaceAllString(fmt.Sprint(got.status, got.header, got.body), "")] = fmt.Sprintf("%q: POST %s %s", ids, path, body)
			}
		}
	}
	if len(answers) != 1 {
		t.Errorf("answers differ: %v", answers)
	}
	for text := range answers {
		if !strings.HasPrefix(text, "403 ") {
			t.Error(text)
		}
	}
}

// The audit trail names whose token it was, and nothing of the token.
func TestActorsAreNamed(t *testing.T) {
	s := newService(t)
	s.api.SetTokens([]httpapi.Token{{ID: "0193-stored", Hash: sha256.Sum256([]byte("stored-admin-0123456789")), Scope: httpapi.ScopeAdmin}})
	for id, token := range map[string]string{"first": adminToken, "second": newerAdminToken, "third": "stored-admin-0123456789"} {
		body := strings.ReplaceAll(`{"connectorId":"aliyun-direct-mail","id":"ID","config":CONFIG}`, "CONFIG", string(connectorJSON(t)))
		if got := s.do("POST", "/api/connectors", token, strings.Replace(body, "ID", id, 1)); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	trail := s.do("GET", "/api/audit", adminToken, "").body
	for subject, actor := range map[string]string{"first": "admin-token", "second": "admin-token 2", "third": "token 0193-stored"} {
		if !strings.Contains(trail, `"actor":"`+actor+`","action":"connector.create","subject":"`+subject+`"`) {
			t.Errorf("%s is not by %s: %s", subject, actor, trail)
		}
	}
}
