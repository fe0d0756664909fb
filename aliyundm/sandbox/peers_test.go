package sandbox_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dm"

	"dmconnector/aliyundm/sandbox"
)

// sdkRequest is a mail as Aliyun's Go SDK has it.
func sdkRequest(html string) *dm.SingleSendMailRequest {
	r := dm.CreateSingleSendMailRequest()
	r.AccountName = sender
	r.AddressType = requests.NewInteger(1)
	r.ReplyToAddress = requests.NewBoolean(false)
	r.ToAddress = "user@example.com"
	r.Subject = "您的验证码是 4321"
	r.HtmlBody = html
	return r
}

// signedBySDK is the HTTP request that Aliyun's Go SDK makes of the mail.
func signedBySDK(t testing.TB, html, token string) *http.Request {
	t.Helper()
	r := sdkRequest(html)
	r.SetDomain("dm.aliyuncs.com")
	r.Scheme = "https"
	if err := requests.InitParams(r); err != nil {
		t.Fatal(err)
	}
	var provider credentials.CredentialsProvider = credentials.NewStaticAKCredentialsProvider(keyID, secret)
	if token != "" {
		provider = credentials.NewStaticSTSCredentialsProvider(keyID, secret, token)
	}
	if err := auth.Sign(r, nil, "cn-hangzhou", provider); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewRequest(r.GetMethod(), r.BuildUrl(), r.GetBodyReader())
	for name, value := range r.GetHeaders() {
		h.Header.Set(name, value)
	}
	return h
}

// The SDK's own client puts everything into the URL.
func TestAliyunGoSDK(t *testing.T) {
	sts := sandbox.Account{AccessKeyID: "STS.testid", AccessKeySecret: secret, SecurityToken: "sts+/=token"}
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{testAccount, sts}})
	server := httptest.NewServer(s)
	defer server.Close()
	tests := map[string]struct {
		credential auth.Credential
		method     string
		format     string
		wantCode   string
	}{
		"POST":         {credentials.NewAccessKeyCredential(keyID, secret), "POST", "JSON", ""},
		"GET":          {credentials.NewAccessKeyCredential(keyID, secret), "GET", "JSON", ""},
		"XML":          {credentials.NewAccessKeyCredential(keyID, secret), "POST", "XML", ""},
		"STS":          {credentials.NewStsTokenCredential("STS.testid", secret, "sts+/=token"), "POST", "JSON", ""},
		"STS, no more": {credentials.NewStsTokenCredential("STS.testid", secret, "other"), "POST", "JSON", "InvalidSecurityToken.MismatchWithAccessKey"},
		"unknown key":  {credentials.NewAccessKeyCredential("other", secret), "POST", "JSON", "InvalidAccessKeyId.NotFound"},
		"other secret": {credentials.NewAccessKeyCredential(keyID, "other"), "POST", "JSON", "SignatureDoesNotMatch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, err := dm.NewClientWithOptions("cn-hangzhou", sdk.NewConfig(), tt.credential)
			if err != nil {
				t.Fatal(err)
			}
			s.Clear()
			r := sdkRequest("<p>你好 a+b ~!*'() 😀</p>")
			r.Method = tt.method
			r.AcceptFormat = tt.format
			r.SetDomain(strings.TrimPrefix(server.URL, "http://"))
			r.SetScheme("http")
			receipt, err := client.SingleSendMail(r)
			if tt.wantCode != "" {
				if e, ok := errors.AsType[sdkerrors.Error](err); !ok || e.ErrorCode() != tt.wantCode {
					t.Errorf("error %v, want %s", err, tt.wantCode)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			m := s.Mails()[0]
			if m.HTML != r.HtmlBody || m.Code != "4321" {
				t.Errorf("mail %+v", m)
			}
			if receipt.EnvId != m.EnvID || receipt.RequestId != m.RequestID {
				t.Errorf("receipt %s %s, mail %s %s", receipt.EnvId, receipt.RequestId, m.EnvID, m.RequestID)
			}
		})
	}
}

// Every character there is passes through both signature versions unchanged.
func TestAllOfUnicode(t *testing.T) {
	const chunk = 0x800
	s := newSandbox(sandbox.Options{RatePerSecond: -1, MaxMails: 1})
	for first := rune(0); first <= utf8.MaxRune; first += chunk {
		var b strings.Builder
		for c := first; c < first+chunk; c++ {
			if utf8.ValidRune(c) {
				b.WriteRune(c)
			}
		}
		html := b.String()
		if html == "" { // the surrogates
			continue
		}
		wantAccepted(t, do(t, s, signedBySDK(t, html, "")))
		if got := s.Mails()[0].HTML; got != html {
			t.Errorf("characters from %U on arrive as %q", first, got)
		}
		wantAccepted(t, do(t, s, acs3("POST", with(mailTo("user@example.com"), changes{"HtmlBody": html}), nil)))
		if got := s.Mails()[0].HTML; got != html {
			t.Errorf("characters from %U on arrive as %q in ACS3", first, got)
		}
	}
}

func FuzzSignedBySDK(f *testing.F) {
	addTexts(f)
	f.Fuzz(func(t *testing.T, html, token string) {
		account := testAccount
		account.SecurityToken = token
		s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{account}})
		a := do(t, s, signedBySDK(t, html, token))
		wantArrived(t, s, a, html, token)
	})
}

func FuzzSignedByACS3(f *testing.F) {
	addTexts(f)
	f.Fuzz(func(t *testing.T, html, key string) {
		s := newSandbox(sandbox.Options{})
		p := with(mailTo("user@example.com"), changes{"HtmlBody": html})
		if html == " " || p[key] != "" {
			return // means something else to with, or in the call
		}
		p[key] = key // an unknown parameter is signed too
		// The body's bytes are signed, so that what is no text arrives, changed.
		wantArrived(t, s, do(t, s, acs3("POST", p, nil)), strings.ToValidUTF8(html, "\uFFFD"), "")
		wantArrived(t, s, do(t, s, acs3("GET", p, nil)), html, key)
	})
}

func addTexts(f *testing.F) {
	f.Add("<p>你好 a+b=c & ~!*'()\"</p>\n😀", "sts+/=token")
	f.Add("%41%zz;a=b&c\x00\u2028", "")
	f.Add("\xff", "x")
	f.Add("x", "\xed\xa0\x80")
}

// wantArrived fails unless the mail arrived unchanged, or could not: without a
// body, or with what is no text.
func wantArrived(t *testing.T, s *sandbox.Sandbox, a answer, html, other string) {
	t.Helper()
	if len(html)+len(other) > 10<<10 { // it might not fit into a URL
		return
	}
	want := ""
	switch valid := utf8.ValidString(html) && utf8.ValidString(other); {
	case !valid && a.Code == "InvalidSecurityToken.MismatchWithAccessKey":
		want = a.Code // the token arrives changed, which is found out first
	case !valid && a.Code == "SignatureDoesNotMatch":
		want = a.Code
	case html == "":
		want = "InvalidBody"
	}
	if a.Code != want {
		t.Fatalf("code %q, want %q", a.Code, want)
	}
	if want == "" && s.Mails()[0].HTML != html {
		t.Errorf("%q arrives as %q", html, s.Mails()[0].HTML)
	}
}
