package httpapi_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

func TestProviderFailuresBecomeCodes(t *testing.T) {
	tests := map[string]struct {
		fault      sandbox.Fault
		status     int
		code       string
		retryAfter bool
	}{
		"throttled":        {sandbox.Fault{Kind: "error", Code: "Throttling.User"}, 503, "provider_busy", true},
		"quota":            {sandbox.Fault{Kind: "error", Code: "InvalidQuota"}, 503, "quota_exhausted", true},
		"sender unknown":   {sandbox.Fault{Kind: "error", Code: "InvalidMailAddress.NotFound"}, 502, "provider_rejected", false},
		"key refused":      {sandbox.Fault{Kind: "error", Code: "InvalidAccessKeyId.NotFound"}, 502, "provider_rejected", false},
		"spam":             {sandbox.Fault{Kind: "error", Code: "InvalidSendMail.Spam"}, 422, "content_rejected", false},
		"bad recipient":    {sandbox.Fault{Kind: "error", Code: "InvalidToAddress.Spam"}, 422, "recipient_rejected", false},
		"reset":            {sandbox.Fault{Kind: "reset"}, 504, "outcome_unknown", false},
		"500 with a code":  {sandbox.Fault{Kind: "error", Code: "InternalError"}, 504, "outcome_unknown", false},
		"an HTML page":     {sandbox.Fault{Kind: "html", Status: 502}, 504, "outcome_unknown", false},
		"broken JSON":      {sandbox.Fault{Kind: "broken-json"}, 504, "outcome_unknown", false},
		"an empty success": {sandbox.Fault{Kind: "empty"}, 504, "outcome_unknown", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t, "default")
			if err := s.sandbox.SetFaults(tt.fault); err != nil {
				t.Fatal(err)
			}
			got := s.send()
			problem := got.problem(t)
			if got.status != tt.status || problem["code"] != tt.code || problem["status"] != float64(tt.status) || (got.header.Get("Retry-After") != "") != tt.retryAfter {
				t.Errorf("%d %v, Retry-After %q", got.status, problem, got.header.Get("Retry-After"))
			}
			checkPublic(t, got)
			// Under the incident the log tells what really happened.
			if log := s.log.String(); !strings.Contains(log, problem["incident"].(string)) || !strings.Contains(log, tt.code) {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// An account that is refused is spared for a while, which callers are told.
func TestSparedAccountSaysWhenToComeBack(t *testing.T) {
	s := newService(t, "default")
	if err := s.sandbox.SetFaults(sandbox.Fault{Kind: "error", Code: "InvalidMailAddress.NotFound"}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 6; n++ {
		got := s.send()
		if after := got.header.Get("Retry-After"); got.status != http.StatusBadGateway || (after != "") != (n == 6) {
			t.Errorf("answer %d: %d, Retry-After %q", n, got.status, after)
		}
	}
}

// checkPublic checks an error that a browser will see.
func checkPublic(t *testing.T, got answer) {
	t.Helper()
	if len(got.body) > 300 {
		t.Errorf("%d bytes", len(got.body))
	}
	problem := got.problem(t)
	for key := range problem {
		if !strings.Contains(" type title status code incident ", " "+key+" ") {
			t.Errorf("the problem has %q: %v", key, problem[key])
		}
	}
	if problem["type"] != "urn:dmconnector:problem:"+problem["code"].(string) || problem["title"] == "" || problem["incident"] == "" {
		t.Errorf("problem %v", problem)
	}
}

func TestLogNeverHasCodesOrAddresses(t *testing.T) {
	s := newService(t, "default")
	s.send()
	if err := s.sandbox.SetFaults(sandbox.Fault{Kind: "error", Code: "SignatureDoesNotMatch"}); err != nil {
		t.Fatal(err)
	}
	s.send()
	log := s.log.String()
	for _, secret := range []string{"424242", "user@example.com", "user%40", recordedToken, "sandbox-secret"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "u***@example.com") || !strings.Contains(log, `"mail sent"`) || !strings.Contains(log, `"mail not sent"`) {
		t.Errorf("log:\n%s", log)
	}
}

func TestOtherMethodsAndHealth(t *testing.T) {
	s := newService(t, "default")
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD", "OPTIONS"} {
		if got := s.do(method, "/api/send", recordedToken, ""); got.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, got.status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := s.do("GET", path, "", ""); got.status != http.StatusOK {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

func TestDrainingServerAnswersAndSaysGoodbye(t *testing.T) {
	s := newService(t, "default")
	s.api.Drain()
	if got := s.do("GET", "/readyz", "", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", got.status)
	}
	if got := s.do("GET", "/healthz", "", ""); got.status != http.StatusOK {
		t.Errorf("healthz: %d", got.status)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/send", strings.NewReader(`{"to":"user@example.com","type":"SignIn"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", recordedToken)
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("status %d, connection closes: %v", resp.StatusCode, resp.Close)
	}
}

// panicking is a sender with a defect.
type panicking struct{ delivery.Sender }

func TestPanicIsAnswered(t *testing.T) {
	var log logBuffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	target := delivery.Connector{ID: "default", Composer: connector.New(parse(t, connectorJSON(t))), Sender: panicking{}}
	api := httpapi.New(httpapi.Options{
		Delivery: newDelivery(logger, target), Log: logger, SendTokens: []string{recordedToken},
	})
	got := ask(t, api, "POST /api/send", `{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`, "Authorization: "+recordedToken)
	if got.status != http.StatusInternalServerError || got.code(t) != "internal" {
		t.Errorf("%d %s", got.status, got.body)
	}
	checkPublic(t, got)
	if !strings.Contains(log.String(), "panic") || strings.Contains(log.String(), "424242") {
		t.Errorf("log: %s", log.String())
	}
}

// A body that stays away does not keep the caller from an answer.
func TestBodyThatNeverEndsIsAnswered(t *testing.T) {
	s := newService(t, "default")
	body, never := io.Pipe()
	defer never.CloseWithError(errors.New("the test has ended"))
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/send", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", recordedToken)
	if got := s.exchange(req); got.status != http.StatusRequestTimeout || got.code(t) != "invalid_request" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
