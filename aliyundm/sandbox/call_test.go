package sandbox_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

const (
	keyID  = "testid"
	secret = "testsecret"
	sender = "no-reply@mail.example.com"
	stamp  = "2006-01-02T15:04:05Z"
)

var testAccount = sandbox.Account{AccessKeyID: keyID, AccessKeySecret: secret, Senders: []string{sender}}

// newSandbox makes a sandbox that knows testAccount unless o has others.
func newSandbox(o sandbox.Options) *sandbox.Sandbox {
	if o.Accounts == nil {
		o.Accounts = []sandbox.Account{testAccount}
	}
	return sandbox.New(o)
}

// mailTo is a good call's parameters without the signature's.
func mailTo(address string) map[string]string {
	return map[string]string{
		"Action": "SingleSendMail", "Version": "2015-11-23", "Format": "JSON", "AccountName": sender, "AddressType": "1",
		"ReplyToAddress": "false", "ToAddress": address, "Subject": "Your code is 123456", "HtmlBody": "<p>Code: 123456</p>",
	}
}

// with is p with changes; an empty change leaves the parameter out, and a
// space alone makes it empty.
func with(p, changes map[string]string) map[string]string {
	p = maps.Clone(p)
	for k, v := range changes {
		p[k] = v
		switch v {
		case "":
			delete(p, k)
		case " ":
			p[k] = ""
		}
	}
	return p
}

// signRPC adds what version 1.0 wants, where it is not there, and signs.
func signRPC(method string, p map[string]string, secret string) url.Values {
	v := url.Values{
		"AccessKeyId": {keyID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {rand.Text()}, "Timestamp": {time.Now().UTC().Format(stamp)},
	}
	for name, value := range p {
		v.Set(name, value)
	}
	encode := func(s string) string {
		return strings.NewReplacer("+", "%20", "%7E", "~").Replace(url.QueryEscape(s))
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		pairs = append(pairs, encode(name)+"="+encode(v.Get(name)))
	}
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	io.WriteString(mac, method+"&%2F&"+encode(strings.Join(pairs, "&")))
	v.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return v
}

// rpcPOST is a call of version 1.0 with everything in the body.
func rpcPOST(p map[string]string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(signRPC("POST", p, secret).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// acs3 is a call of version 3: the action and the version go into headers, the
// rest into the query of a GET and the body of a POST. Headers may be changed or,
// with an empty value, left out before signing.
func acs3(method string, p, headers map[string]string) *http.Request {
	p = maps.Clone(p)
	h := map[string]string{
		"x-acs-action": p["Action"], "x-acs-version": p["Version"], "x-acs-date": time.Now().UTC().Format(stamp),
		"x-acs-signature-nonce": rand.Text(), "content-type": "application/x-www-form-urlencoded", "host": "dm.aliyuncs.com",
	}
	for _, name := range []string{"Action", "Version", "Format"} {
		delete(p, name)
	}
	values := url.Values{}
	for name, value := range p {
		values.Set(name, value)
	}
	query, body := "", strings.ReplaceAll(values.Encode(), "+", "%20")
	if method == "GET" {
		query, body = body, ""
	}
	sum := sha256.Sum256([]byte(body))
	h["x-acs-content-sha256"] = hex.EncodeToString(sum[:])
	for name, value := range headers {
		h[name] = value
		if value == "" {
			delete(h, name)
		}
	}
	canonical := method + "\n/\n" + query + "\n"
	names := slices.Sorted(maps.Keys(h))
	for _, name := range names {
		canonical += name + ":" + strings.TrimSpace(h[name]) + "\n"
	}
	signed := strings.Join(names, ";")
	hash := sha256.Sum256([]byte(canonical + "\n" + signed + "\n" + hex.EncodeToString(sum[:])))
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, "ACS3-HMAC-SHA256\n"+hex.EncodeToString(hash[:]))

	r := httptest.NewRequest(method, "/?"+query, strings.NewReader(body))
	for name, value := range h {
		r.Header.Set(name, value)
	}
	r.Host = h["host"]
	r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+keyID+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

// An answer is Direct Mail's, of either format and outcome.
type answer struct {
	Status    int
	Header    http.Header
	Body      string
	Code      string
	Message   string
	EnvID     string `json:"EnvId" xml:"EnvId"`
	RequestID string `json:"RequestId" xml:"RequestId"`
}

func do(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
	kind := w.Header().Get("Content-Type")
	var err error
	switch {
	case strings.Contains(kind, "json"):
		if strings.HasPrefix(a.Body, "{") {
			err = json.Unmarshal(w.Body.Bytes(), &a)
		}
	case strings.Contains(kind, "xml"):
		err = xml.Unmarshal(w.Body.Bytes(), &a)
	}
	if err != nil {
		t.Fatalf("%s answer %q: %v", kind, a.Body, err)
	}
	return a
}

// wantAccepted fails unless the answer is a receipt.
func wantAccepted(t testing.TB, a answer) {
	t.Helper()
	if a.Status != 200 || a.EnvID == "" || a.RequestID == "" {
		t.Fatalf("%d %s %s", a.Status, a.Code, cmp.Or(a.Message, a.Body))
	}
}
