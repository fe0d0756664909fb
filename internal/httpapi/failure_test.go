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
	"dmconnector/internal/errcode"
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

// Anybody can have any number of errors, but not of log lines.
func TestLogOfRejectedRequestsIsBounded(t *testing.T) {
	s := newService(t, "default")
	fault := errors.New("the disk is full")
	s.fault.Store(&fault)
	for range 50 {
		s.do("POST", "/api/send", "a-wrong-token", "{}")
		s.do("POST", "/api/send", recordedToken, "{")
		s.do("GET", "/api/"+delivery.NewID(), "", "")
		s.do("GET", "/readyz", "", "")
	}
	for text, want := range map[string]int{
		`"code":"unauthorized"`: 10, `"code":"invalid_request"`: 10, `"code":"not_found"`: 10, `"not ready"`: 10,
	} {
		if got := strings.Count(s.log.String(), text); got != want {
			t.Errorf("%d lines with %s, want %d", got, text, want)
		}
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

// checkText checks an error that the person at the sign-in page will see.
func checkText(t *testing.T, got answer, status int, code errcode.Code) {
	t.Helper()
	incident := got.header.Get("Dmconnector-Incident")
	if got.status != status || got.header.Get("Content-Type") != "text/plain; charset=utf-8" || got.header.Get("Dmconnector-Code") != string(code) || len(incident) != 36 {
		t.Errorf("%d %v", got.status, got.header)
	}
	if want := errcode.Of(code).Person + " [" + incident[28:] + "]"; got.body != want || len(got.body) > 300 {
		t.Errorf("%q, want %q", got.body, want)
	}
}

// Logto puts the whole answer before the person's eyes. Its requests are known by what
// they were recorded with.
func TestLogtoGetsASentenceForThePerson(t *testing.T) {
	s := newService(t, "default")
	if err := s.sandbox.SetFaults(sandbox.Fault{Kind: "error", Code: "InvalidToAddress.Spam"}); err != nil {
		t.Fatal(err)
	}
	for _, recording := range recordings(t) {
		for _, recorded := range recording.Requests {
			code, status := errcode.RecipientRejected, http.StatusUnprocessableEntity
			if strings.HasSuffix(recording.Flow, "-authorization") {
				code, status = errcode.Unauthorized, http.StatusUnauthorized
			}
			checkText(t, s.exchange(recorded.to(t, s.url+"/api/send")), status, code)
			asked := s.exchange(recorded.to(t, s.url+"/api/connectors/default/send?errors=json"))
			if checkPublic(t, asked); asked.header.Get("Dmconnector-Code") != string(code) {
				t.Errorf("%s: %v", recording.Flow, asked.header)
			}
		}
	}
	if log := s.log.String(); !strings.Contains(log, "recipient_rejected") {
		t.Errorf("log: %s", log)
	}
}

func TestFormOfAnError(t *testing.T) {
	const logto = "User-Agent: got (https://github.com/sindresorhus/got)"
	tests := map[string]struct {
		query   string
		headers []string
		text    bool
	}{
		"Logto":                    {"", []string{logto}, true},
		"another client":           {"", []string{"User-Agent: curl/8"}, false},
		"no client's name":         {"", nil, false},
		"got with Accept":          {"", []string{logto, "Accept: application/json"}, false},
		"got with any Accept":      {"", []string{logto, "Accept: */*"}, false},
		"a name that begins alike": {"", []string{"User-Agent: gotham/1"}, false},
		"text is asked for":        {"?errors=text", []string{"User-Agent: curl/8", "Accept: */*"}, true},
		"JSON is asked for":        {"?errors=json", []string{logto}, false},
		"both are asked for":       {"?errors=text&errors=json", []string{logto}, false},
		"something else":           {"?errors=html", []string{logto}, true},
	}
	s := newService(t, "default")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, s.api, "POST /api/send"+tt.query, `{}`, tt.headers...)
			if tt.text {
				checkText(t, got, 401, errcode.Unauthorized)
			} else {
				checkPublic(t, got)
			}
		})
	}
	if got := ask(t, s.api, "GET /api/connectors?errors=text", "", logto); got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("Dmconnector-Code") != "unauthorized" {
		t.Errorf("not a send: %v", got.header)
	}
}

// Whatever goes wrong on a send route, the person gets a sentence.
func TestEveryFailureOfASendIsText(t *testing.T) {
	const good = `{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`
	tests := map[string]struct {
		route, token, body string
		status             int
		code               errcode.Code
	}{
		"no token":          {"POST /api/send", "", good, 401, errcode.Unauthorized},
		"an admin token":    {"POST /api/send", adminToken, good, 403, errcode.Forbidden},
		"no connector":      {"POST /api/connectors/none/send", recordedToken, good, 404, errcode.ConnectorNotFound},
		"a NUL in the path": {"POST /api/connectors/%00/send", recordedToken, good, 400, errcode.InvalidRequest},
		"another method":    {"PUT /api/connectors/default/send", recordedToken, good, 405, errcode.MethodNotAllowed},
		"no message":        {"POST /api/send", recordedToken, `{`, 400, errcode.InvalidRequest},
		"too large":         {"POST /api/send", recordedToken, strings.Repeat(" ", 2<<20), 413, errcode.InvalidRequest},
		"no recipient":      {"POST /api/send", recordedToken, `{"to":"nobody","type":"SignIn"}`, 422, errcode.InvalidRecipient},
		"a panic":           {"POST /api/send", recordedToken, good, 500, errcode.Internal},
	}
	logger := slog.New(slog.DiscardHandler)
	target := delivery.Connector{ID: "default", Composer: connector.New(parse(t, connectorJSON(t))), Sender: panicking{}}
	api := httpapi.New(httpapi.Options{
		Delivery: newDelivery(logger, target), Log: logger, SendTokens: []string{recordedToken}, AdminTokens: []string{adminToken},
	})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, api, tt.route+"?errors=text", tt.body, "Authorization: "+tt.token)
			checkText(t, got, tt.status, tt.code)
		})
	}
	// A defect of the handlers themselves, not of the provider.
	broken := httpapi.New(httpapi.Options{Log: logger, SendTokens: []string{recordedToken}})
	checkText(t, ask(t, broken, "POST /api/send?errors=text", good, "Authorization: "+recordedToken), 500, errcode.Internal)
}

// The log knows the route of a request whose method is wrong; its caller gets the
// methods that the route has.
func TestWrongMethodIsLoggedWithItsRoute(t *testing.T) {
	var log logBuffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	api := httpapi.New(httpapi.Options{Log: logger, AccessLog: true, Messages: &remembered{}})
	got := ask(t, api, "PUT /api/messages/secret", "")
	if got.code(t) != "method_not_allowed" || got.header.Get("Allow") != "GET" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if lines := strings.Count(log.String(), `"route":"/api/messages/{id}"`); lines != 2 || strings.Contains(log.String(), "secret") {
		t.Errorf("the route is in %d lines:\n%s", lines, log.String())
	}
	for _, method := range []string{"PUT", "BREW"} {
		if got := ask(t, api, method+" /api/none", ""); got.code(t) != "not_found" {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
}

// What the person reads out finds the message.
func TestEndOfAnIncidentFindsTheMessage(t *testing.T) {
	s := newService(t, "default")
	if err := s.sandbox.SetFaults(sandbox.Fault{Kind: "error", Code: "InvalidToAddress.Spam"}); err != nil {
		t.Fatal(err)
	}
	s.send()
	failed := s.do("POST", "/api/send?errors=text", recordedToken, `{"to":"other@example.com","type":"SignIn"}`)
	_, end, _ := strings.Cut(strings.TrimSuffix(failed.body, "]"), "[")
	incident := failed.header.Get("Dmconnector-Incident")
	for _, given := range []string{end, incident} {
		found := s.do("GET", "/api/messages?incident="+given, adminToken, "")
		if strings.Count(found.body, `"id":`) != 1 || !strings.Contains(found.body, `"id":"`+incident+`"`) {
			t.Errorf("%s: %s", given, found.body)
		}
	}
	if got := s.do("GET", "/api/messages?incident=00000000", adminToken, ""); got.body != `{"messages":[]}`+"\n" {
		t.Errorf("another one: %s", got.body)
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
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/send?errors=text", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", recordedToken)
	checkText(t, s.exchange(req), http.StatusRequestTimeout, errcode.InvalidRequest)
}
