package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

const (
	roleAdmin = "admin-token-5d0c9e27b1"
	roleSend  = "send-token-5d0c9e27b1"
)

// A roleService is a service whose one connector, "role", sends as a role.
type roleService struct {
	*service
	log bytes.Buffer
}

func newRoleService(t *testing.T, local bool, config string, prepare ...func(*service)) *roleService {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "role.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &roleService{}
	s.service = &service{
		opts: serveOptions{
			sandbox: local, listen: "127.0.0.1:0", sandboxListen: "127.0.0.1:0", state: "memory",
			connectors: folder, adminTokens: roleAdmin, sendTokens: roleSend,
		},
	}
	for _, p := range prepare {
		p(s.service)
	}
	level := s.level
	if level == nil {
		level = new(slog.LevelVar)
	}
	s.service.log = newLeveledLog(&s.log, "json", level)
	t.Cleanup(s.close)
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *roleService) call(t *testing.T, method, path, token, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

const roleMail = `{"to":"user@example.com","type":"SignIn","payload":{"code":"135790"}}`

// sts gives the key that the sandbox knows to whoever has the token.
func sts(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("OIDCToken") != "right-token" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"Code":"AuthenticationFail.OIDCToken.Invalid","Message":"This JWT Token `+r.PostFormValue("OIDCToken")+` is invalid"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Credentials": map[string]string{
			"AccessKeyId": "STS.key", "AccessKeySecret": "sts-secret", "SecurityToken": "sts-token",
			"Expiration": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		}})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func oidcConfig(t *testing.T, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	upstream := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: "STS.key", AccessKeySecret: "sts-secret", SecurityToken: "sts-token"}}})
	t.Cleanup(upstream.Close)
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	t.Setenv("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/mail")
	t.Setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "acs:ram::1:oidc-provider/ack")
	t.Setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", file)
	return fmt.Sprintf(`{"credentials":{"type":"oidc_role_arn","stsEndpoint":%q,"accessKeySecret":"misplaced-secret"},
		"endpoint":%q,"accountName":"no-reply@example.com","templates":"builtin"}`, sts(t), server.URL)
}

func TestConnectorSendsAsARole(t *testing.T) {
	s := newRoleService(t, false, oidcConfig(t, "right-token"))
	if status, body := s.call(t, "POST", "/api/send", roleSend, roleMail); status != http.StatusOK {
		t.Fatalf("%d %s\n%s", status, body, s.log.String())
	}
	status, body := s.call(t, "GET", "/api/connectors/role", roleAdmin, "")
	if status != http.StatusOK || !strings.Contains(body, `"type":"oidc_role_arn"`) {
		t.Errorf("%d %s", status, body)
	}
	if strings.Contains(body, "misplaced-secret") || !strings.Contains(body, `"accessKeySecret":"***"`) {
		t.Errorf("a misplaced secret is shown: %s", body)
	}
}

func TestRefusedRoleIsARejectedProvider(t *testing.T) {
	s := newRoleService(t, false, oidcConfig(t, "eyJ0eXAiOiJK"))
	status, body := s.call(t, "POST", "/api/send", roleSend, roleMail)
	if status != http.StatusBadGateway || !strings.Contains(body, `"code":"provider_rejected"`) {
		t.Errorf("%d %s", status, body)
	}
	status, body = s.call(t, "POST", "/api/connectors/role/test", roleAdmin, `{"email":"admin@example.com"}`)
	for _, want := range []string{`"code":"provider_rejected"`, "AuthenticationFail.OIDCToken.Invalid", "no key for the role: STS refuses it", "Check roleArn and oidcProviderArn"} {
		if !strings.Contains(body, want) {
			t.Errorf("%d, without %s: %s", status, want, body)
		}
	}
	s.close()
	if !strings.Contains(s.log.String(), `"msg":"cannot fetch key of RAM role"`) {
		t.Error("the log does not tell")
	}
	for _, secret := range []string{"eyJ0eXAiOiJK", "sts-secret", "sts-token", "135790"} {
		if strings.Contains(s.log.String()+body, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

// With a sandbox no role is asked for, and what would be sent as one arrives there.
func TestSandboxStandsInForRoles(t *testing.T) {
	for _, config := range []string{
		`{"credentials":{"type":"ecs_ram_role"},"accountName":"no-reply@example.com","templates":"builtin"}`,
		`{"credentials":{"type":"oidc_role_arn","roleArn":"acs:ram::1:role/mail","oidcProviderArn":"acs:ram::1:oidc-provider/ack","oidcTokenFile":"/gone"},
			"accountName":"no-reply@example.com","templates":"builtin"}`,
	} {
		s := newRoleService(t, true, config)
		if status, body := s.call(t, "POST", "/api/send", roleSend, roleMail); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
		if mails := s.sandbox.sandbox.Mails(); len(mails) != 1 {
			t.Errorf("%d mails", len(mails))
		}
	}
}

// Who may change connectors must not come to the rights of the machine.
func TestRolesAreForOperatorsFilesOnly(t *testing.T) {
	s := newRoleService(t, true, `{"credentials":{"type":"ecs_ram_role"},"accountName":"no-reply@example.com","templates":"builtin"}`)
	const config = `"config":{"credentials":{"type":"ecs_ram_role"},"accountName":"a@b.example","templates":"builtin"}`
	for _, call := range []struct{ method, path, body string }{
		{"POST", "/api/connectors", `{"connectorId":"aliyun-direct-mail",` + config + `}`},
		{"POST", "/api/connectors/aliyun-direct-mail/test", `{"email":"admin@example.com",` + config + `}`},
		{"POST", "/api/connectors/role/test", `{"email":"admin@example.com",` + config + `}`},
	} {
		status, body := s.call(t, call.method, call.path, roleAdmin, call.body)
		if status != http.StatusBadRequest || !strings.Contains(body, `"pointer":"/config/credentials"`) || !strings.Contains(body, "only be used in connector files") {
			t.Errorf("%s: %d %s", call.path, status, body)
		}
	}
	status, body := s.call(t, "POST", "/api/connector-factories/aliyun-direct-mail/validate", roleAdmin, "{"+config+"}")
	if status != http.StatusOK || !strings.Contains(body, `credentials"`) || !strings.Contains(body, `"valid":false`) {
		t.Errorf("%d %s", status, body)
	}
}
