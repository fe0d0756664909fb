package main

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// newLoggedService is a service with a sandbox whose log's level can be changed.
func newLoggedService(t *testing.T, accessLog bool) *roleService {
	t.Helper()
	return newRoleService(t, true, `{"accessKeyId":"LTAI5t","accessKeySecret":"secret","accountName":"no-reply@example.com","templates":"builtin"}`, func(s *service) {
		s.opts.accessLog, s.level = accessLog, new(slog.LevelVar)
	})
}

// lines returns the log's lines with that message, and empties the log.
func (s *roleService) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for scanner := bufio.NewScanner(&s.log); scanner.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}

func TestAccessLog(t *testing.T) {
	s := newLoggedService(t, true)
	tests := map[string]struct {
		method, path, token, body string
		route                     string
		status                    int
		incident                  bool
	}{
		"a send":       {"POST", "/api/send", roleSend, roleMail, "/api/send", 200, true},
		"a rejection":  {"POST", "/api/connectors/secretplace/send?secret=1", roleSend, roleMail, "/api/connectors/{id}/send", 404, true},
		"no token":     {"POST", "/api/send", "wrong", roleMail, "/api/send", 401, true},
		"a list":       {"GET", "/api/connectors?secret=1", roleAdmin, "", "/api/connectors", 200, false},
		"a test":       {"POST", "/api/connectors/role/test", roleAdmin, `{"email":"user@example.com"}`, "/api/connectors/{id}/test", 204, true},
		"nowhere":      {"GET", "/secretplace", "", "", "unknown", 404, true},
		"a verb":       {"SECRETPLACE", "/api/send", "", "", "/api/send", 405, true},
		"all is well":  {"GET", "/healthz", "", "", "", 0, false},
		"the console ": {"GET", "/", "", "", "/", 200, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s.log.Reset()
			status, body := s.call(t, tt.method, tt.path, tt.token, tt.body)
			for _, secret := range []string{"user@example.com", "135790", "secretplace", "secret=1", "SECRETPLACE", roleSend, roleAdmin} {
				if strings.Contains(s.log.String(), secret) {
					t.Errorf("%s is in the log: %s", secret, s.log.String())
				}
			}
			told := s.log.String()
			lines := s.lines(t, "request")
			if tt.status == 0 {
				if len(lines) > 0 {
					t.Errorf("a load balancer's question is told: %v", lines)
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("%d lines: %s", len(lines), told)
			}
			line := lines[0]
			if line["route"] != tt.route || line["status"] != float64(tt.status) || status != tt.status || line["bytes"] != float64(len(body)) || line["ms"] == nil || line["method"] == nil {
				t.Errorf("%d %v, %d bytes", status, line, len(body))
			}
			incident, ok := line["incident"].(string)
			if ok != tt.incident || tt.status != 204 && ok && !strings.Contains(body, incident) || strings.Count(told, incident) < 2 && tt.incident {
				t.Errorf("incident %q, answer %s, log %s", incident, body, told)
			}
		})
	}
}

func TestNoAccessLogUnlessItIsWanted(t *testing.T) {
	s := newLoggedService(t, false)
	s.call(t, "POST", "/api/send", roleSend, roleMail)
	if told := s.log.String(); !strings.Contains(told, `"msg":"mail sent"`) || strings.Contains(told, `"msg":"request"`) {
		t.Error(told)
	}
}

func TestLogLevelByAPI(t *testing.T) {
	s := newLoggedService(t, false)
	attempts := func() int {
		s.log.Reset()
		s.call(t, "POST", "/api/send", roleSend, roleMail)
		return len(s.lines(t, "attempt"))
	}
	if n := attempts(); n != 0 {
		t.Errorf("%d lines for those who debug", n)
	}
	for _, tt := range []struct {
		method, token, body string
		status              int
		answer              string
	}{
		{"GET", roleAdmin, "", 200, `"level":"info"`},
		{"PUT", roleSend, `{"level":"debug"}`, 403, "forbidden"},
		{"PUT", roleAdmin, `{"level":"loud"}`, 400, `"pointer":"/level"`},
		{"PUT", roleAdmin, `{}`, 400, `"pointer":"/level"`},
		{"PUT", roleAdmin, `{"level":"debug"}`, 200, `"level":"debug"`},
		{"GET", roleAdmin, "", 200, `"level":"debug"`},
	} {
		if status, body := s.call(t, tt.method, "/api/log-level", tt.token, tt.body); status != tt.status || !strings.Contains(body, tt.answer) {
			t.Errorf("%s %s: %d %s", tt.method, tt.body, status, body)
		}
	}
	if !strings.Contains(s.log.String(), `"msg":"log level changed","level":"debug","actor":"admin-token"`) {
		t.Errorf("who changed the level is not told: %s", s.log.String())
	}
	if n := attempts(); n != 1 {
		t.Errorf("%d lines of attempts", n)
	}
	if status, _ := s.call(t, "PUT", "/api/log-level", roleAdmin, `{"level":"error"}`); status != http.StatusOK {
		t.Error(status)
	}
	if attempts(); s.log.Len() > 0 {
		t.Errorf("logged: %s", s.log.String())
	}
}
