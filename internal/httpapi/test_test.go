package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"dmconnector/aliyundm/sandbox"
)

const testRoute = "/api/connectors/aliyun-direct-mail/test"

// test posts a test of the given JSON members; CONFIG stands for a good config.
func (s *service) test(path, body string) answer {
	s.t.Helper()
	return s.do("POST", path, adminToken, strings.ReplaceAll(body, "CONFIG", string(connectorJSON(s.t))))
}

func TestTestMailAsLogtoAsksForIt(t *testing.T) {
	s := newService(t)
	got := s.test(testRoute, `{"email":"user@example.com","config":CONFIG,"locale":"fr"}`)
	if got.status != http.StatusNoContent || got.body != "" {
		t.Fatalf("%d %q", got.status, got.body)
	}
	mails := s.sandbox.Mails()
	if len(mails) != 1 || mails[0].To != "user@example.com" || mails[0].Subject != "Generic code 000000" {
		t.Errorf("mails %+v", mails)
	}
}

func TestTestMailOfAnyTypeAndPayload(t *testing.T) {
	s := newService(t, "mine")
	got := s.test("/api/connectors/mine/test", `{"email":"user@example.com","type":"SignIn","payload":{"code":"987654"}}`)
	if mails := s.sandbox.Mails(); got.status != http.StatusNoContent || len(mails) != 1 || mails[0].Subject != "SignIn code 987654" {
		t.Errorf("%d, mails %+v", got.status, mails)
	}
}

func TestTraceTellsEachStep(t *testing.T) {
	s := newService(t, "mine")
	got := s.test("/api/connectors/mine/test?trace=true", `{"email":"user@example.com"}`)
	var trace struct {
		ID, State, Recipient string
		Template             struct{ Choice []string }
		Attempts             []struct{ Milliseconds *int64 }
		Receipt              struct{ EnvID, RequestID string }
		Error                any
	}
	if err := json.Unmarshal([]byte(got.body), &trace); err != nil || got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	mail := s.sandbox.Mails()[0]
	if trace.State != "sent" || trace.Recipient != "u***@example.com" || trace.ID == "" || len(trace.Template.Choice) == 0 ||
		len(trace.Attempts) != 1 || trace.Receipt.EnvID != mail.EnvID || trace.Receipt.RequestID != mail.RequestID || trace.Error != nil {
		t.Errorf("%s", got.body)
	}
}

func TestFailedTestTellsTheAdminWhatToDo(t *testing.T) {
	s := newService(t, "mine")
	if err := s.sandbox.SetFaults(sandbox.Fault{Kind: "error", Code: "InvalidMailAddress.NotFound"}); err != nil {
		t.Fatal(err)
	}
	got := s.test("/api/connectors/mine/test", `{"email":"user@example.com"}`)
	detail, _ := got.problem(t)["message"].(string)
	if got.status != http.StatusBadGateway || got.code(t) != "provider_rejected" ||
		!strings.Contains(detail, "InvalidMailAddress.NotFound") || !strings.Contains(detail, "region") {
		t.Errorf("%d %s", got.status, got.body)
	}
	traced := s.test("/api/connectors/mine/test?trace=true", `{"email":"user@example.com"}`)
	if traced.status != http.StatusOK || !strings.Contains(traced.body, `"state":"failed"`) || !strings.Contains(traced.body, "InvalidMailAddress.NotFound") {
		t.Errorf("%d %s", traced.status, traced.body)
	}
}

func TestTestOfAStoredConnectorTakesItsMask(t *testing.T) {
	s := newService(t)
	s.create("mine")
	masked := strings.ReplaceAll(string(connectorJSON(t)), "sandbox-secret", "***")
	test := `{"email":"user@example.com","config":` + masked + `}`
	if got := s.do("POST", "/api/connectors/mine/test", adminToken, test); got.status != http.StatusNoContent || len(s.sandbox.Mails()) != 1 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.do("POST", testRoute, adminToken, test); got.code(t) != "invalid_config" || got.pointers(t) != "/config/accessKeySecret" {
		t.Errorf("for no stored one: %d %s", got.status, got.body)
	}
	elsewhere := strings.Replace(test, `"accessKeyId"`, `"endpoint":"dm-vpc.cn-hangzhou.aliyuncs.com","accessKeyId"`, 1)
	if got := s.do("POST", "/api/connectors/mine/test", adminToken, elsewhere); got.code(t) != "invalid_config" || got.pointers(t) != "/config/accessKeySecret" {
		t.Errorf("to another endpoint: %d %s", got.status, got.body)
	}
}

func TestTestsAreLimitedByToken(t *testing.T) {
	s := newService(t, "mine")
	for i := range 21 {
		got := s.test("/api/connectors/mine/test", `{"email":"user@example.com"}`)
		if i < 20 && got.status != http.StatusNoContent || i == 20 && got.code(t) != "rate_limited" {
			t.Fatalf("test %d: %d %s", i+1, got.status, got.body)
		}
	}
	if got := s.do("POST", "/api/connectors/mine/test", newerAdminToken, `{"email":"user@example.com"}`); got.status != http.StatusNoContent {
		t.Errorf("another token: %d %s", got.status, got.body)
	}
}

func TestTestsThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		path, body string
		status     int
		code       string
		pointers   string
	}{
		"no recipient":      {testRoute, `{"config":CONFIG}`, 400, "invalid_request", "/email"},
		"a phone":           {testRoute, `{"phone":"123","config":CONFIG}`, 400, "invalid_request", "/email"},
		"bad recipient":     {testRoute, `{"email":"nonsense","config":CONFIG}`, 422, "invalid_recipient", ""},
		"no config":         {testRoute, `{"email":"user@example.com"}`, 400, "invalid_request", "/config"},
		"config is null":    {testRoute, `{"email":"user@example.com","config":null}`, 400, "invalid_request", "/config"},
		"config is a text":  {testRoute, `{"email":"user@example.com","config":"x"}`, 400, "invalid_config", "/config"},
		"bad config":        {testRoute, `{"email":"user@example.com","config":{"accessKeyId":"x","templates":[]}}`, 400, "invalid_config", "/config/accessKeySecret /config/accountName /config/templates"},
		"a reference":       {testRoute, `{"email":"user@example.com","config":{"accessKeyId":"${env:HOME}","accessKeySecret":"${file:/etc/passwd}","accountName":"a@b.example","templates":"builtin"}}`, 400, "invalid_config", "/config/accessKeyId /config/accessKeySecret"},
		"a foreign server":  {testRoute, `{"email":"user@example.com","config":{"accessKeyId":"x","accessKeySecret":"x","endpoint":"https://dm.example.com","accountName":"a@b.example","templates":"builtin"}}`, 400, "invalid_config", "/config/endpoint"},
		"wrong types":       {testRoute, `{"email":1,"type":2,"locale":3,"payload":[],"config":CONFIG}`, 400, "invalid_request", "/email /type /locale /payload"},
		"no JSON":           {testRoute, `{`, 400, "invalid_request", ""},
		"no object":         {testRoute, `[]`, 400, "invalid_request", ""},
		"unknown connector": {"/api/connectors/nope/test", `{"email":"user@example.com","config":CONFIG}`, 404, "connector_not_found", ""},
	}
	s := newService(t, "mine")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.test(tt.path, tt.body)
			if got.status != tt.status || got.code(t) != tt.code || got.pointers(t) != tt.pointers {
				t.Errorf("%d %s", got.status, got.body)
			}
			if strings.Contains(got.body, "sandbox-secret") {
				t.Error("the answer has the secret")
			}
		})
	}
	if len(s.sandbox.Mails()) != 0 {
		t.Error("something was sent")
	}
}

// A misspelt usage type would be sent with Generic's template, as if all were well.
func TestTrialsNeedAKnownUsageType(t *testing.T) {
	s := newService(t, "mine")
	for body, hint := range map[string]string{
		`{"email":"user@example.com","type":"Sigin"}`:    `; did you mean \"SignIn\"?"`,
		`{"email":"user@example.com","type":"signin"}`:   `; did you mean \"SignIn\"?"`,
		`{"email":"user@example.com","type":"Whatever"}`: `a type that the connector has a template for"`,
	} {
		for _, path := range []string{"test", "test?trace=true", "preview"} {
			if path == "preview" {
				body = strings.Replace(body, `"email":"user@example.com",`, "", 1)
			}
			got := s.do("POST", "/api/connectors/mine/"+path, adminToken, body)
			if got.status != 400 || got.code(t) != "invalid_request" || got.pointers(t) != "/type" || !strings.Contains(got.body, hint) {
				t.Errorf("%s %s: %d %s", path, body, got.status, got.body)
			}
		}
	}
	if len(s.sandbox.Mails()) != 0 {
		t.Error("something was sent")
	}
}
