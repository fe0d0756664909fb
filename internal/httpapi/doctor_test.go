package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
	"dmconnector/internal/doctor"
)

const doctorRoute = "/api/connectors/aliyun-direct-mail/doctor"

func (a answer) examination(t *testing.T) doctor.Report {
	t.Helper()
	var report doctor.Report
	if err := json.Unmarshal([]byte(a.body), &report); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return report
}

func TestDoctor(t *testing.T) {
	s := newService(t, "mine")
	stored := s.do("POST", "/api/connectors/mine/doctor", adminToken, `{}`).examination(t)
	if stored.Outcome != doctor.Good || stored.Endpoint == "" || len(stored.Steps) != 10 {
		t.Errorf("%+v", stored)
	}
	unsaved := s.test(doctorRoute, `{"config":CONFIG}`)
	if unsaved.examination(t).Outcome != doctor.Good {
		t.Errorf("%s", unsaved.body)
	}
	wrong := strings.ReplaceAll(string(connectorJSON(t)), "sandbox-secret", "hunter2")
	refused := s.do("POST", doctorRoute, adminToken, `{"config":`+wrong+`}`)
	if refused.examination(t).Outcome != doctor.Problem || !strings.Contains(refused.body, "SignatureDoesNotMatch") || strings.Contains(refused.body, "hunter2") {
		t.Errorf("%s", refused.body)
	}
	if len(s.sandbox.Mails()) > 0 || strings.Contains(s.log.String(), "hunter2") {
		t.Errorf("mails %+v, log %s", s.sandbox.Mails(), s.log)
	}
}

func TestDoctorRefusals(t *testing.T) {
	s := newService(t, "mine")
	tests := map[string]struct {
		path, token, body string
		status            int
		code              string
	}{
		"a token that sends": {"/api/connectors/mine/doctor", recordedToken, `{}`, 403, "forbidden"},
		"nobody's token":     {"/api/connectors/mine/doctor", "", `{}`, 401, "unauthorized"},
		"unknown connector":  {"/api/connectors/nope/doctor", adminToken, `{}`, 404, "connector_not_found"},
		"no config":          {doctorRoute, adminToken, `{}`, 400, "invalid_request"},
		"misspelt config":    {doctorRoute, adminToken, `{"Config":{}}`, 400, "invalid_request"},
		"bad config":         {doctorRoute, adminToken, `{"config":{}}`, 400, "invalid_config"},
		"a foreign server":   {doctorRoute, adminToken, `{"config":{"accessKeyId":"x","accessKeySecret":"x","endpoint":"https://dm.example.com","accountName":"a@b.example","templates":"builtin"}}`, 400, "invalid_config"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := s.do("POST", tt.path, tt.token, tt.body); got.status != tt.status || got.code(t) != tt.code {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// One at a time; and one under way does not hold up a stop.
func TestDoctorIsAloneAndEndsWithTheServer(t *testing.T) {
	s := newService(t, "mine")
	if err := s.sandbox.SetFaults(sandbox.Fault{Kind: "hang", Action: "DescAccountSummary"}); err != nil {
		t.Fatal(err)
	}
	answers := make(chan answer)
	for range 2 {
		go func() { answers <- s.do("POST", "/api/connectors/mine/doctor", adminToken, `{}`) }()
	}
	if got := <-answers; got.code(t) != "overloaded" || got.header.Get("Retry-After") == "" {
		t.Errorf("the second: %d %s", got.status, got.body)
	}
	s.api.Drain()
	select {
	case got := <-answers:
		if got.code(t) != "unavailable" {
			t.Errorf("the first: %d %s", got.status, got.body)
		}
	case <-time.After(5 * time.Second):
		t.Error("the first goes on")
	}
}
