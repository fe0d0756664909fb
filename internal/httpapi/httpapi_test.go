package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Tokens as callers have them; recordedToken is in the recordings.
const (
	recordedToken = "recorded-token-0123456789"
	newerToken    = "newer-send-token-0123456789"
	adminToken    = "admin-token-0123456789abcdef"
)

// A service under test: the real handler and client, and a sandbox as Aliyun.
type service struct {
	t       *testing.T
	url     string
	api     *httpapi.Server
	sandbox *sandbox.Sandbox
	log     *logBuffer
	client  *http.Client
}

// logBuffer is a log that tests read while the service writes it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newService starts a service with connectors of the given ids, all alike.
func newService(t *testing.T, ids ...string) *service {
	t.Helper()
	s := &service{t: t, log: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}}}
	s.sandbox = sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: "sandbox-key", AccessKeySecret: "sandbox-secret"}}})
	aliyun := httptest.NewServer(s.sandbox)
	transport := aliyundm.NewHTTPClient()
	newSender := func(cfg *connector.Config) (delivery.Sender, error) {
		return aliyundm.NewClient(aliyundm.Options{
			Endpoint:    aliyun.URL,
			Credentials: aliyundm.Credentials{AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret)},
			HTTP:        transport,
		})
	}
	cfg := parse(t, connectorJSON(t))
	sender, err := newSender(cfg)
	if err != nil {
		t.Fatal(err)
	}
	connectors := make(map[string]delivery.Connector)
	for _, id := range ids {
		connectors[id] = delivery.Connector{ID: id, Composer: connector.New(cfg), Sender: sender}
	}
	log := slog.New(slog.NewJSONHandler(s.log, nil))
	s.api = httpapi.New(httpapi.Options{
		Delivery: delivery.New(connectors, log), Log: log, NewSender: newSender,
		SendTokens: []string{recordedToken, newerToken}, AdminTokens: []string{adminToken},
	})
	server := httptest.NewServer(s.api)
	s.url = server.URL
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.sandbox.Close()
		server.Close()
		transport.CloseIdleConnections()
		aliyun.Close()
	})
	return s
}

// connectorJSON has templates of different subjects for each required type.
func connectorJSON(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/connectors/good/logto-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("LTAI5tRecorded000000001"), []byte("sandbox-key"))
	return bytes.ReplaceAll(data, []byte("recorded-secret-0123456789"), []byte("sandbox-secret"))
}

func parse(t *testing.T, data []byte) *connector.Config {
	t.Helper()
	cfg, report := connector.ParseConfig(data, connector.ParseOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// An answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// problem is an answer's problem details, with all the members that exist.
func (a answer) problem(t *testing.T) map[string]any {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d, %s is no problem: %q", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

// code is a problem's code, or "" for a success.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if a.status < 300 {
		return ""
	}
	code, _ := a.problem(t)["code"].(string)
	return code
}

func (s *service) do(method, path, authorization, body string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return s.exchange(req)
}

func (s *service) exchange(req *http.Request) answer {
	s.t.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// send posts a good request of the usual kind.
func (s *service) send() answer {
	s.t.Helper()
	return s.do("POST", "/api/send", recordedToken, `{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`)
}

// A recording is a file of testdata/logto.
type recording struct {
	Flow     string
	Requests []struct {
		Method  string
		Headers [][2]string
		Body    string
	}
}

func recordings(t *testing.T) []recording {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/logto/*.json")
	if err != nil || len(paths) != 22 {
		t.Fatalf("%d recordings, %v", len(paths), err)
	}
	list := make([]recording, len(paths))
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &list[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// What a real Logto sent goes in, header by header, and the mail it must become
// comes out. The two flows that were recorded without a token are refused.
func TestRecordedRequestsBecomeMails(t *testing.T) {
	withoutToken := map[string]bool{"mgmt-connector-test-no-authorization": true, "mgmt-connector-test-empty-authorization": true}
	s := newService(t, "default")
	for _, recording := range recordings(t) {
		t.Run(recording.Flow, func(t *testing.T) {
			for _, recorded := range recording.Requests {
				s.sandbox.Clear()
				req, err := http.NewRequestWithContext(t.Context(), recorded.Method, s.url+"/api/send", strings.NewReader(recorded.Body))
				if err != nil {
					t.Fatal(err)
				}
				for _, header := range recorded.Headers {
					if !strings.EqualFold(header[0], "Host") && !strings.EqualFold(header[0], "Connection") {
						req.Header[http.CanonicalHeaderKey(header[0])] = []string{header[1]}
					}
				}
				got := s.exchange(req)
				mails := s.sandbox.Mails()
				if withoutToken[recording.Flow] {
					if got.status != http.StatusUnauthorized || len(mails) != 0 {
						t.Errorf("status %d, %d mails", got.status, len(mails))
					}
					continue
				}
				checkSent(t, got, mails, recorded.Body)
			}
		})
	}
}

func checkSent(t *testing.T, got answer, mails []sandbox.Mail, request string) {
	t.Helper()
	var sent struct{ ID, State string }
	if err := json.Unmarshal([]byte(got.body), &sent); err != nil || got.status != http.StatusOK || sent.ID == "" || sent.State != "sent" {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	var want struct {
		To      string
		Payload struct{ Code string }
	}
	if err := json.Unmarshal([]byte(request), &want); err != nil {
		t.Fatal(err)
	}
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	mail := mails[0]
	if mail.To != want.To || mail.From != "noreply@mail.example.com" || mail.FromAlias != "Example" {
		t.Errorf("mail %+v", mail)
	}
	if want.Payload.Code != "" && mail.HTML != "<p>"+want.Payload.Code+"</p>" {
		t.Errorf("%s instead of the code %s", mail.HTML, want.Payload.Code)
	}
}

func TestConnectorsAreFoundByID(t *testing.T) {
	const body = `{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`
	tests := map[string]struct {
		ids  []string
		path string
		want string // code; "" = sent
	}{
		"the default one":       {[]string{"default", "other"}, "/api/send", ""},
		"the only one":          {[]string{"other"}, "/api/send", ""},
		"none of several":       {[]string{"one", "other"}, "/api/send", "connector_not_found"},
		"none at all":           {nil, "/api/send", "connector_not_found"},
		"by its id":             {[]string{"one", "other"}, "/api/connectors/other/send", ""},
		"an unknown id":         {[]string{"default"}, "/api/connectors/other/send", "connector_not_found"},
		"the factory's id":      {[]string{"default"}, "/api/connectors/aliyun-direct-mail/send", "connector_not_found"},
		"a route with a slash":  {[]string{"default"}, "/api/send/", "not_found"},
		"a route in capitals":   {[]string{"default"}, "/API/send", "not_found"},
		"a route that is none":  {[]string{"default"}, "/api", "not_found"},
		"two slashes in a row":  {[]string{"default"}, "//api/send", "not_found"},
		"dots that climb paths": {[]string{"default"}, "/api/x/../send", "not_found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t, tt.ids...)
			got := s.do("POST", tt.path, recordedToken, body)
			if got.code(t) != tt.want {
				t.Errorf("status %d, code %q, want %q", got.status, got.code(t), tt.want)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	const body = `{"to":"user@example.com","type":"SignIn","payload":{}}`
	test := `{"email":"user@example.com","config":` + string(connectorJSON(t)) + `}`
	tests := map[string]struct {
		authorization string
		send, test    int
	}{
		"the send token":           {recordedToken, 200, 403},
		"with Bearer":              {"Bearer " + recordedToken, 200, 403},
		"with bearer":              {"bearer  " + recordedToken + " ", 200, 403},
		"the newer one":            {"Bearer " + newerToken, 200, 403},
		"the admin token":          {"Bearer " + adminToken, 403, 204},
		"none":                     {"", 401, 401},
		"Bearer alone":             {"Bearer ", 401, 401},
		"Basic":                    {"Basic dXNlcjpwYXNz", 401, 401},
		"a part of it":             {recordedToken[:10], 401, 401},
		"more than it":             {recordedToken + "x", 401, 401},
		"another letter case":      {strings.ToUpper(recordedToken), 401, 401},
		"both, comma-separated":    {recordedToken + "," + adminToken, 401, 401},
		"with another scheme word": {"Token " + recordedToken, 401, 401},
	}
	s := newService(t, "default")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := s.do("POST", "/api/send", tt.authorization, body); got.status != tt.send {
				t.Errorf("send: %d, want %d", got.status, tt.send)
			}
			if got := s.do("POST", "/api/connectors/aliyun-direct-mail/test", tt.authorization, test); got.status != tt.test {
				t.Errorf("test: %d, want %d", got.status, tt.test)
			}
		})
	}
}

// A service that was given no tokens lets nobody in, not even with an empty one.
func TestWithoutTokensNobodyMaySend(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	api := httpapi.New(httpapi.Options{Delivery: delivery.New(nil, log), Log: log})
	for _, authorization := range []string{"", "Bearer ", "x"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/send", strings.NewReader("{}"))
		r.Header["Authorization"] = []string{authorization}
		api.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", authorization, w.Code)
		}
	}
}

func TestBadRequestsGetAProblemThatRepeatsNothing(t *testing.T) {
	deep := strings.Repeat(`{"marked":`, 10_000)
	tests := map[string]struct {
		body   string
		status int
		code   string
	}{
		"no JSON":             {"to=marked", 400, "invalid_request"},
		"nothing":             {"", 400, "invalid_request"},
		"a list":              {`["marked"]`, 400, "invalid_request"},
		"wrong types":         {`{"to":["marked"],"type":{"marked":1},"payload":"marked"}`, 400, "invalid_request"},
		"no recipient":        {`{"type":"marked"}`, 400, "invalid_request"},
		"recipient twice":     {`{"to":"marked@a.example","to":"marked@b.example","type":"SignIn"}`, 400, "invalid_request"},
		"letter case":         {`{"To":"marked@a.example","type":"SignIn"}`, 400, "invalid_request"},
		"two recipients":      {`{"to":"marked@a.example,marked@b.example","type":"SignIn"}`, 422, "invalid_recipient"},
		"a display name":      {`{"to":"\"marked\"<marked@a.example>","type":"SignIn"}`, 422, "invalid_recipient"},
		"no address":          {`{"to":"marked","type":"SignIn"}`, 422, "invalid_recipient"},
		"2 MB":                {`{"to":"` + strings.Repeat("marked", 350_000) + `"}`, 413, "invalid_request"},
		"nested 10,000 deep":  {`{"to":"marked@a.example","type":"SignIn","payload":` + deep, 400, "invalid_request"},
		"broken UTF-8":        {"{\"to\":\"marked\xff@a.example\",\"type\":\"SignIn\"}", 400, "invalid_request"},
		"something behind it": {`{"to":"marked@a.example","type":"SignIn"} marked`, 400, "invalid_request"},
	}
	s := newService(t, "default")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.do("POST", "/api/send", recordedToken, tt.body)
			if got.status != tt.status || got.code(t) != tt.code {
				t.Errorf("%d %s, want %d %s", got.status, got.code(t), tt.status, tt.code)
			}
			if strings.Contains(got.body, "marked") {
				t.Errorf("the answer repeats the request: %s", got.body)
			}
		})
	}
	if log := s.log.String(); strings.Contains(log, "marked@") || strings.Contains(log, `"marked`) {
		t.Errorf("the log repeats a request")
	}
	if len(s.sandbox.Mails()) != 0 {
		t.Error("something was sent")
	}
}

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
		Delivery: delivery.New(map[string]delivery.Connector{"default": target}, logger), Log: logger, SendTokens: []string{recordedToken},
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/send", strings.NewReader(`{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`))
	r.Header.Set("Authorization", recordedToken)
	api.ServeHTTP(w, r)
	got := answer{w.Code, w.Header(), w.Body.String()}
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
