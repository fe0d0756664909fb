package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm/sandbox"
)

func TestMailIsAccepted(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 60_700_000, time.UTC)
	s := newSandbox(sandbox.Options{Now: func() time.Time { return now }})
	p := with(mailTo("user@example.com"), map[string]string{
		"FromAlias": "小红", "TagName": "codes", "ReplyAddress": "help@example.com", "TextBody": "你好 & <b>",
		"Timestamp": "2026-01-02T03:04:05Z",
	})
	a := do(t, s, rpcPOST(p))
	wantAccepted(t, a)
	want := []sandbox.Mail{{
		ID: "1767323045061", ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.UTC), To: "user@example.com",
		From: sender, FromAlias: "小红", ReplyAddress: "help@example.com", TagName: "codes", Subject: "Your code is 123456",
		HTML: "<p>Code: 123456</p>", Text: "你好 & <b>", Code: "123456", EnvID: a.EnvID, RequestID: a.RequestID, AccessKeyID: keyID,
	}}
	if d := cmp.Diff(want, s.Mails()); d != "" {
		t.Errorf("inbox (-want +got)\n%s", d)
	}
}

func TestAnswerShapes(t *testing.T) {
	const uuid = `[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}`
	s := newSandbox(sandbox.Options{})
	good := mailTo("user@example.com")
	tests := map[string]struct {
		request           *http.Request
		contentType, body string
	}{
		"JSON receipt": {rpcPOST(good), "application/json;charset=utf-8", `^{"EnvId":"600000\d{13}","RequestId":"` + uuid + `"}$`},
		"lower-case format": {
			rpcPOST(with(good, map[string]string{"Format": "json"})),
			"application/json;charset=utf-8", `^{"EnvId":"600000\d{13}","RequestId":"` + uuid + `"}$`,
		},
		"XML receipt by default": {
			rpcPOST(with(good, map[string]string{"Format": ""})), "text/xml;charset=utf-8",
			`^<\?xml version="1.0" encoding="UTF-8"\?><SingleSendMailResponse><EnvId>600000\d{13}</EnvId><RequestId>` + uuid + `</RequestId></SingleSendMailResponse>$`,
		},
		"JSON error": {
			rpcPOST(with(good, map[string]string{"Subject": ""})), "application/json;charset=utf-8",
			`^{"RequestId":"` + uuid + `","Message":"Subject is mandatory for this action.","Recommend":"https://api.aliyun.com/troubleshoot\?q=MissingSubject\\u0026product=Dm\\u0026requestId=` +
				uuid + `","HostId":"example.com","Code":"MissingSubject"}$`,
		},
		"XML error": {
			rpcPOST(with(good, map[string]string{"Subject": "", "Format": "XML"})), "text/xml;charset=utf-8",
			`^<\?xml version="1.0" encoding="UTF-8"\?><Error><RequestId>` + uuid + `</RequestId><Message>Subject is mandatory for this action.</Message><Recommend>.*</Recommend><HostId>example.com</HostId><Code>MissingSubject</Code></Error>$`,
		},
		"ACS3 answers JSON": {acs3("POST", good, nil), "application/json;charset=utf-8", `^{"EnvId":"600000\d{13}","RequestId":"` + uuid + `"}$`},
		"XML before the format is known": {
			httptest.NewRequest("PUT", "/", nil), "text/xml;charset=utf-8", `<Code>UnsupportedHTTPMethod</Code>`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, s, tt.request)
			if got := a.Header.Get("Content-Type"); got != tt.contentType {
				t.Errorf("Content-Type %q, want %q", got, tt.contentType)
			}
			if !regexp.MustCompile(tt.body).MatchString(a.Body) {
				t.Errorf("body\n%s\ndoes not match\n%s", a.Body, tt.body)
			}
			if a.Header.Get("X-Acs-Request-Id") != a.RequestID {
				t.Errorf("x-acs-request-id %q, want %q", a.Header.Get("X-Acs-Request-Id"), a.RequestID)
			}
			if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(a.Header.Get("X-Acs-Trace-Id")) {
				t.Errorf("x-acs-trace-id %q", a.Header.Get("X-Acs-Trace-Id"))
			}
		})
	}
}

func TestParametersMayBeAnywhere(t *testing.T) {
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	good := mailTo("user@example.com")
	split := func(v url.Values) (query, body url.Values) {
		query, body = url.Values{}, url.Values{}
		for name := range v {
			if strings.HasPrefix(name, "S") {
				query.Set(name, v.Get(name))
			} else {
				body.Set(name, v.Get(name))
			}
		}
		return query, body
	}
	query, body := split(signRPC("POST", good, secret))
	tests := map[string]struct{ method, query, body, contentType string }{
		"GET":           {"GET", signRPC("GET", good, secret).Encode(), "", ""},
		"POST, URL":     {"POST", signRPC("POST", good, secret).Encode(), "", ""},
		"POST, body":    {"POST", "", signRPC("POST", good, secret).Encode(), form},
		"POST, mixed":   {"POST", query.Encode(), body.Encode(), form},
		"POST, repeats": {"POST", query.Encode() + "&Signature=other", body.Encode() + "&AccountName=other&Subject=other", form},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{})
			r := httptest.NewRequest(tt.method, "/?"+tt.query, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			wantAccepted(t, do(t, s, r))
			if m := s.Mails()[0]; m.Subject != good["Subject"] || m.From != sender {
				t.Errorf("subject %q from %q", m.Subject, m.From)
			}
		})
	}
}

func TestACS3(t *testing.T) {
	good := mailTo("user@example.com")
	sts := testAccount
	sts.SecurityToken = "sts+/=token"
	tests := map[string]struct {
		account sandbox.Account
		request *http.Request
	}{
		"POST": {testAccount, acs3("POST", good, nil)},
		"GET":  {testAccount, acs3("GET", good, nil)},
		"STS":  {sts, acs3("POST", good, map[string]string{"x-acs-security-token": sts.SecurityToken, "x-acs-accesskey-id": keyID})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{tt.account}})
			wantAccepted(t, do(t, s, tt.request))
			if s.Mails()[0].HTML != good["HtmlBody"] {
				t.Errorf("mail %+v", s.Mails()[0])
			}
		})
	}
}

func TestOneMailForEachRecipient(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	a := do(t, s, rpcPOST(mailTo("a@example.com,b+c@example.com,A@Example.com")))
	wantAccepted(t, a)
	var to []string
	for _, m := range s.Mails() {
		to = append(to, m.To)
		if m.EnvID != a.EnvID {
			t.Errorf("EnvId %s, want %s", m.EnvID, a.EnvID)
		}
	}
	if d := cmp.Diff([]string{"A@Example.com", "b+c@example.com", "a@example.com"}, to); d != "" {
		t.Errorf("recipients, newest first (-want +got)\n%s", d)
	}
}

func TestAccountsCanBeReplaced(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	call := func(from string) string {
		return do(t, s, rpcPOST(with(mailTo("user@example.com"), map[string]string{"AccountName": from}))).Code
	}
	second := sandbox.Account{AccessKeyID: keyID, AccessKeySecret: "another", Senders: []string{"Second@example.com"}}
	steps := []struct {
		accounts []sandbox.Account
		from     string
		want     string
	}{
		{[]sandbox.Account{testAccount}, "second@example.com", "InvalidMailAddress.NotFound"},
		{[]sandbox.Account{testAccount}, strings.ToUpper(sender), ""},
		{[]sandbox.Account{testAccount, second}, "second@example.com", ""}, // the first's secret counts
		{[]sandbox.Account{testAccount, second}, sender, ""},
		{[]sandbox.Account{testAccount, {AccessKeyID: keyID, AccessKeySecret: "another"}}, "any@example.com", ""},
		{[]sandbox.Account{testAccount, {AccessKeyID: keyID, AccessKeySecret: "another"}}, "none", "InvalidMailAddress.NotFound"},
		{[]sandbox.Account{{AccessKeyID: keyID}}, sender, "InvalidAccessKeyId.NotFound"},
		{nil, sender, "InvalidAccessKeyId.NotFound"},
	}
	for i, step := range steps {
		s.SetAccounts(step.accounts)
		if got := call(step.from); got != step.want {
			t.Errorf("step %d: code %q, want %q", i, got, step.want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	const hidden = "hidden-value"
	a := sandbox.Account{AccessKeyID: keyID, AccessKeySecret: hidden, SecurityToken: hidden}
	o := sandbox.Options{Accounts: []sandbox.Account{a}, Token: hidden}
	s := sandbox.New(o)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, a, &a, o, s)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "account", a, "options", o, "sandbox", s)
	}
	if err := json.NewEncoder(&out).Encode(a); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), hidden) || strings.Contains(out.String(), fmt.Sprintf("%x", hidden)) {
		t.Errorf("a secret was printed:\n%s", out.String())
	}
	if !strings.Contains(out.String(), keyID) {
		t.Error("nothing was printed")
	}
}

func TestLogHasNoAddressBodyOrCode(t *testing.T) {
	var out bytes.Buffer
	s := newSandbox(sandbox.Options{Log: slog.New(slog.NewJSONHandler(&out, nil))})
	good := mailTo("person.name@example.com")
	do(t, s, rpcPOST(good))
	r := rpcPOST(good)
	r.URL.RawQuery = "Subject=other" // a signature that does not match echoes the whole mail
	if a := do(t, s, r); a.Code != "SignatureDoesNotMatch" || !strings.Contains(a.Message, "123456") {
		t.Fatalf("answer %+v", a)
	}
	if err := s.SetFaults(sandbox.Fault{Kind: "error", Code: "InternalError"}); err != nil {
		t.Fatal(err)
	}
	do(t, s, rpcPOST(good))
	for _, part := range []string{"person.name", "123456", "Code:", secret, keyID} {
		if strings.Contains(out.String(), part) {
			t.Errorf("the log has %q:\n%s", part, out.String())
		}
	}
	for _, part := range []string{`"to":"p***@example.com"`, `"code":"SignatureDoesNotMatch"`, `"fault":"error"`} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the log lacks %q:\n%s", part, out.String())
		}
	}
}
