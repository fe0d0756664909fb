package aliyundm_test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/utils"
	gocmp "github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
)

// stringToSign is what the documentation of signature version 1.0 says, written
// down apart from the package and from net/url.
// https://www.alibabacloud.com/help/doc-detail/29442.htm
func stringToSign(method string, params map[string]string) string {
	var names []string
	for name := range params {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, percent(name)+"="+percent(params[name]))
	}
	return method + "&%2F&" + percent(strings.Join(pairs, "&"))
}

func percent(s string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(plain, s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

func signature(method string, params map[string]string, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	io.WriteString(mac, stringToSign(method, params))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// readForm is the form as the server sees it. A parameter may come only once.
func readForm(t testing.TB, body []byte) map[string]string {
	t.Helper()
	values, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatalf("the body is no form: %v", err)
	}
	params := map[string]string{}
	for name, list := range values {
		if len(list) != 1 {
			t.Errorf("parameter %s comes %d times", name, len(list))
		}
		params[name] = list[0]
	}
	return params
}

// vectors are of the documentation (1) and computed with Python and Node (5).
var vectors = map[string]struct {
	params map[string]string
	want   string
}{
	"documented": {
		map[string]string{
			"AccessKeyId": "testid", "AccountName": "<a%b'>", "Action": "SingleSendMail", "AddressType": "1",
			"Format": "XML", "HtmlBody": "4", "RegionId": "cn-hangzhou", "ReplyToAddress": "true",
			"SignatureMethod": "HMAC-SHA1", "SignatureNonce": "c1b2c332-4cfb-4a0f-b8cc-ebe622aa0a5c",
			"SignatureVersion": "1.0", "Subject": "3", "TagName": "2", "Timestamp": "2016-10-20T06:27:56Z",
			"ToAddress": "1@test.com", "Version": "2015-11-23",
		},
		"llJfXJjBW3OacrVgxxsITgYaYm0=",
	},
	"all kinds of characters": {
		map[string]string{
			"AccessKeyId": "testid", "AccountName": "no-reply@mail.example.com", "Action": "SingleSendMail",
			"AddressType": "1", "Format": "JSON", "FromAlias": "小红",
			"HtmlBody": "<p>你好 a+b=c & ~!*'()\"</p>\n😀", "RegionId": "cn-hangzhou", "ReplyToAddress": "false",
			"SecurityToken": "sts+/=token", "SignatureMethod": "HMAC-SHA1",
			"SignatureNonce": "00000000-0000-4000-8000-000000000001", "SignatureVersion": "1.0",
			"Subject": "验证码 1234", "Timestamp": "2026-01-02T03:04:05Z", "ToAddress": "user@example.com",
			"Version": "2015-11-23",
		},
		"aIfsanMr8TGl88eK6gcayGRK9ck=",
	},
}

// TestVerifier holds the verifier of these tests to known signatures, and the
// SDK's HMAC and canonical form to the verifier.
func TestVerifier(t *testing.T) {
	for name, tt := range vectors {
		t.Run(name, func(t *testing.T) {
			if got := signature("POST", tt.params, "testsecret"); got != tt.want {
				t.Errorf("signature = %s, want %s", got, tt.want)
			}
			if got := utils.ShaHmac1(stringToSign("POST", tt.params), "testsecret&"); got != tt.want {
				t.Errorf("the SDK's HMAC = %s, want %s", got, tt.want)
			}
			checkWithSDK(t, tt.params)
		})
	}
}

// signWithSDK has the SDK sign the parameters, with a nonce and a timestamp of its own.
func signWithSDK(t *testing.T, params map[string]string) *requests.RpcRequest {
	t.Helper()
	r := new(requests.RpcRequest)
	r.InitWithApiInfo("Dm", params["Version"], params["Action"], "", "")
	maps.Copy(r.FormParams, params)
	for _, name := range []string{
		"Action", "Version", "Format", "RegionId", "AccessKeyId", "SecurityToken", "Timestamp",
		"Signature", "SignatureMethod", "SignatureNonce", "SignatureVersion",
	} {
		delete(r.FormParams, name) // these the SDK sets
	}
	key := credentials.NewStaticSTSCredentialsProvider("testid", "testsecret", cmp.Or(params["SecurityToken"], "token"))
	if err := auth.Sign(r, nil, params["RegionId"], key); err != nil {
		t.Fatal(err)
	}
	return r
}

// checkWithSDK holds the verifier's canonical form to the SDK's.
func checkWithSDK(t *testing.T, params map[string]string) {
	t.Helper()
	signed := signWithSDK(t, params)
	all := map[string]string{}
	maps.Copy(all, signed.GetQueryParams())
	maps.Copy(all, signed.GetFormParams())
	if diff := gocmp.Diff(stringToSign("POST", all), signed.GetStringToSign()); diff != "" {
		t.Errorf("the SDK's string to sign (-want +got):\n%s", diff)
	}
}

// wantParams is what of the mail and the client must be in the form, and how.
func wantParams(m *aliyundm.Mail, region string, key aliyundm.Credentials) map[string]string {
	want := map[string]string{
		"AccountName": m.AccountName, "FromAlias": m.FromAlias, "ToAddress": m.To, "Subject": m.Subject,
		"HtmlBody": m.HTMLBody, "TextBody": m.TextBody, "ReplyAddress": m.ReplyAddress, "TagName": m.TagName,
		"AddressType": "1", "ReplyToAddress": "false", "Action": "SingleSendMail", "Version": "2015-11-23",
		"Format": "JSON", "RegionId": region, "AccessKeyId": key.AccessKeyID, "SecurityToken": key.SecurityToken,
		"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
	}
	for name, value := range want {
		if want[name] = strings.ToValidUTF8(value, "\uFFFD"); value == "" {
			delete(want, name)
		}
	}
	return want
}

// checkForm verifies a form's signature, freshness and parameters.
func checkForm(t testing.TB, params, want map[string]string, secret string) {
	t.Helper()
	if got := params["Signature"]; got != signature("POST", params, secret) {
		t.Errorf("the signature is wrong, server string to sign is:%s", stringToSign("POST", params))
	}
	stamp, err := time.Parse("2006-01-02T15:04:05Z", params["Timestamp"])
	if err != nil || time.Since(stamp).Abs() > time.Minute {
		t.Errorf("timestamp = %s, now is %s", params["Timestamp"], time.Now().UTC())
	}
	if len(params["SignatureNonce"]) < 26 {
		t.Errorf("nonce = %q", params["SignatureNonce"])
	}
	rest := map[string]string{}
	for name, value := range params {
		if name != "Signature" && name != "Timestamp" && name != "SignatureNonce" {
			rest[name] = value
		}
	}
	if diff := gocmp.Diff(want, rest); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

// FuzzForm checks the signature of each call with a verifier, and the verifier
// with the SDK.
func FuzzForm(f *testing.F) {
	f.Add("user@example.com", "验证码 1234", "<p>你好 a+b=c & ~!*'()\"</p>\n😀", "a b*c~+/é", "", "sts+/=token")
	f.Add("", "", "", "", "", "")
	f.Add("a", "\xff\xfe", "\x00\x1f\x7f", "%41%2B&=;", "\u2028\ufeff\U0010ffff", "t")
	f.Fuzz(func(t *testing.T, to, subject, html, text, alias, token string) {
		key := aliyundm.Credentials{AccessKeyID: "testid", AccessKeySecret: "testsecret", SecurityToken: strings.TrimSpace(strings.ToValidUTF8(token, ""))}
		var form []byte
		client := mustClient(t, aliyundm.Options{Region: "us-east-1", Credentials: key, HTTP: &http.Client{
			Transport: roundTrip(func(r *http.Request) (_ *http.Response, err error) {
				form, err = io.ReadAll(r.Body)
				return reply(http.StatusOK, receiptJSON), err
			}),
		}})
		mail := &aliyundm.Mail{
			AccountName: "no-reply@example.com", FromAlias: alias, To: to, Subject: subject,
			HTMLBody: html, TextBody: text, ReplyAddress: to, TagName: subject,
		}
		if strings.Contains(to, ",") {
			t.Skip("not one recipient")
		}
		if _, err := client.SingleSendMail(t.Context(), mail); err != nil {
			t.Fatal(err)
		}
		params := readForm(t, form)
		checkForm(t, params, wantParams(mail, "us-east-1", key), "testsecret")
		checkWithSDK(t, params)
	})
}

func TestWire(t *testing.T) {
	key := aliyundm.Credentials{AccessKeyID: "STS.testid", AccessKeySecret: "test+secret&", SecurityToken: "CAIS/+= token"}
	mail := &aliyundm.Mail{
		AccountName: "no-reply@mail.example.com", FromAlias: "小红", To: "user+tag@example.com",
		Subject: "验证码 1234", HTMLBody: "<p>你好 a+b=c & ~!*'()\"</p>\n😀", TextBody: "1234",
		ReplyAddress: "help@example.com", TagName: "sign-in_1",
	}
	client := mustClient(t, aliyundm.Options{
		Region: "eu-central-1", Credentials: key,
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost || r.URL.String() != "https://dm.eu-central-1.aliyuncs.com/" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			wantHeader := http.Header{
				"Content-Type": {"application/x-www-form-urlencoded"}, "Accept-Encoding": {"identity"}, "User-Agent": {"dmconnector"},
			}
			if diff := gocmp.Diff(wantHeader, r.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || int64(len(body)) != r.ContentLength {
				t.Errorf("body of %d bytes, Content-Length %d, error %v", len(body), r.ContentLength, err)
			}
			checkForm(t, readForm(t, body), wantParams(mail, "eu-central-1", key), key.AccessKeySecret)
			return reply(http.StatusOK, receiptJSON), nil
		})},
	})
	receipt, err := client.SingleSendMail(t.Context(), mail)
	if err != nil {
		t.Fatal(err)
	}
	want := &aliyundm.Receipt{EnvID: "600000000000000642", RequestID: "2D086F6A-0000-4000-8000-006DED011A85"}
	if diff := gocmp.Diff(want, receipt); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
}

func TestConcurrentSendsHaveTheirOwnNonce(t *testing.T) {
	const workers, each = 16, 20
	var nonces sync.Map
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		params := readForm(t, body)
		if params["Signature"] != signature("POST", params, "testsecret") {
			t.Error("the signature is wrong")
		}
		if _, again := nonces.LoadOrStore(params["SignatureNonce"], true); again {
			t.Errorf("nonce %s came twice", params["SignatureNonce"])
		}
		io.WriteString(w, receiptJSON)
	})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
