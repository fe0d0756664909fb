package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

// A recording is a file of testdata/logto.
type recording struct {
	Flow     string
	Requests []recordedRequest
}

type recordedRequest struct {
	Method  string
	Headers [][2]string
	Body    string
}

// to is the request with Logto's own headers and no others.
func (recorded recordedRequest) to(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), recorded.Method, url, strings.NewReader(recorded.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range recorded.Headers {
		if !strings.EqualFold(header[0], "Host") && !strings.EqualFold(header[0], "Connection") {
			req.Header[http.CanonicalHeaderKey(header[0])] = []string{header[1]}
		}
	}
	return req
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
				req := recorded.to(t, s.url+"/api/send")
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

// Of a request with two tokens nobody knows which one another reader would see.
func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	s := newService(t, "default")
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/send", strings.NewReader(`{"to":"user@example.com","type":"SignIn"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = []string{recordedToken, recordedToken}
	if got := s.exchange(req); got.status != http.StatusUnauthorized {
		t.Errorf("%d", got.status)
	}
}

func TestIdempotencyKeyOverHTTP(t *testing.T) {
	s := newService(t, "default")
	send := func(key, code string) answer {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/send", strings.NewReader(`{"to":"user@example.com","type":"SignIn","payload":{"code":"`+code+`"}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", recordedToken)
		req.Header.Set("Idempotency-Key", key)
		return s.exchange(req)
	}
	first, again, other := send("k", "1111"), send("k", "1111"), send("k", "2222")
	if first.status != http.StatusOK || first.body != again.body || other.code(t) != "idempotency_mismatch" {
		t.Errorf("%s%s%s", first.body, again.body, other.body)
	}
	if long := send(strings.Repeat("k", 256), "3333"); long.status != http.StatusBadRequest || long.code(t) != "invalid_request" {
		t.Errorf("a long key: %d %s", long.status, long.body)
	}
	if n := len(s.sandbox.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// Which of two keys counts, or what an empty one means, must not be a matter of luck.
func TestUnclearIdempotencyKeysAreRejected(t *testing.T) {
	s := newService(t, "default")
	tests := map[string]struct {
		keys   []string
		detail string
	}{
		"two":          {[]string{"a", "b"}, "give only one Idempotency-Key"},
		"twice":        {[]string{"a", "a"}, "give only one Idempotency-Key"},
		"an empty one": {[]string{""}, "the Idempotency-Key is empty"},
		"a blank one":  {[]string{"  "}, "the Idempotency-Key is empty"},
		"one is empty": {[]string{"", "a"}, "give only one Idempotency-Key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/send", strings.NewReader(`{"to":"user@example.com","type":"SignIn","payload":{"code":"1111"}}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", recordedToken)
			req.Header["Idempotency-Key"] = tt.keys
			got := s.exchange(req)
			if got.status != http.StatusBadRequest || got.code(t) != "invalid_request" || !strings.Contains(s.log.String(), tt.detail) {
				t.Errorf("%d %s\n%s", got.status, got.body, s.log.String())
			}
		})
	}
	if n := len(s.sandbox.Mails()); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestCallersMayPreferNotToWait(t *testing.T) {
	target := delivery.Connector{ID: "default", Composer: connector.New(parse(t, connectorJSON(t))), Sender: atOnce{}}
	api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard, target), Log: discard, SendTokens: []string{recordedToken}})
	tests := map[string]struct {
		prefer []string
		status int
	}{
		"no preference":   {nil, 200},
		"the only one":    {[]string{"respond-async"}, 202},
		"first of two":    {[]string{"respond-async, wait=5"}, 202},
		"last of two":     {[]string{"wait=5 ,\tRespond-Async ;x=1"}, 202},
		"in another line": {[]string{"wait=5", "respond-async"}, 202},
		"a longer word":   {[]string{"respond-asynchronously"}, 200},
		"a part of one":   {[]string{"x-respond-async"}, 200},
		"a parameter":     {[]string{"wait=5;respond-async"}, 200},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Authorization: " + recordedToken}
			for _, line := range tt.prefer {
				headers = append(headers, "Prefer: "+line)
			}
			got := ask(t, api, "POST /api/send", `{"to":"user@example.com","type":"SignIn","payload":{"code":"424242"}}`, headers...)
			if got.status != tt.status || strings.Contains(got.body, `"state":"queued"`) != (tt.status == 202) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

func TestEleventhMailToARecipientIsRefused(t *testing.T) {
	s := newService(t, "default")
	for i := range 11 {
		got := s.do("POST", "/api/send", recordedToken, fmt.Sprintf(`{"to":"user@example.com","type":"SignIn","payload":{"code":"%04d"}}`, i))
		if want := i == 10; (got.status == http.StatusTooManyRequests) != want {
			t.Errorf("mail %d: %d", i+1, got.status)
		}
		if i == 10 {
			checkPublic(t, got)
			if got.code(t) != "rate_limited" || got.header.Get("Retry-After") != "60" || !strings.Contains(s.log.String(), "limit per recipient") {
				t.Errorf("%s, Retry-After %q", got.body, got.header.Get("Retry-After"))
			}
		}
	}
}

// A service that was given no tokens lets nobody in, not even with an empty one.
func TestWithoutTokensNobodyMaySend(t *testing.T) {
	api := httpapi.New(httpapi.Options{Delivery: newDelivery(discard), Log: discard})
	for _, authorization := range []string{"", "Bearer ", "x"} {
		if got := ask(t, api, "POST /api/send", "{}", "Authorization: "+authorization); got.status != http.StatusUnauthorized {
			t.Errorf("%q: %d", authorization, got.status)
		}
	}
}

func TestBadRequestsGetAProblemThatRepeatsNothing(t *testing.T) {
	deep := strings.Repeat(`{"m":`, 10_000)
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
