package httpapi_test

import "testing"

func TestLogLevelIsReadAndChanged(t *testing.T) {
	s := newService(t)
	for _, step := range []struct {
		method, token, body string
		status              int
		want                string
	}{
		{"GET", adminToken, "", 200, `{"level":"info"}`},
		{"PUT", adminToken, `{"level":"debug"}`, 200, `{"level":"debug"}`},
		{"PUT", recordedToken, `{"level":"error"}`, 403, ""},
		{"PUT", adminToken, `{"level":"loud"}`, 400, ""},
		{"GET", adminToken, "", 200, `{"level":"debug"}`},
	} {
		got := s.do(step.method, "/api/log-level", step.token, step.body)
		if got.status != step.status || step.want != "" && got.body != step.want+"\n" {
			t.Errorf("%s %s: %d %s", step.method, step.body, got.status, got.body)
		}
	}
}
