package sandbox

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The documented example and its variations; the values with an origin outside
// this project are those of the Direct Mail and RPC signature documents.
var (
	documented = map[string]string{
		"AccessKeyId": "testid", "AccountName": "<a%b'>", "Action": "SingleSendMail", "AddressType": "1",
		"Format": "XML", "HtmlBody": "4", "RegionId": "cn-hangzhou", "ReplyToAddress": "true",
		"SignatureMethod": "HMAC-SHA1", "SignatureNonce": "c1b2c332-4cfb-4a0f-b8cc-ebe622aa0a5c",
		"SignatureVersion": "1.0", "Subject": "3", "TagName": "2", "Timestamp": "2016-10-20T06:27:56Z",
		"ToAddress": "1@test.com", "Version": "2015-11-23",
	}
	regions = map[string]string{
		"AccessKeyId": "testid", "Action": "DescribeRegions", "Format": "XML", "SignatureMethod": "HMAC-SHA1",
		"SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion": "1.0",
		"Timestamp": "2016-02-23T12:46:24Z", "Version": "2014-05-26",
	}
	regionsOld = map[string]string{
		"AccessKeyId": "testid", "Action": "DescribeRegions", "Format": "XML", "SignatureMethod": "HMAC-SHA1",
		"SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion": "1.0",
		"TimeStamp": "2016-02-23T12:46:24Z", "Version": "2014-05-26",
	}
	manyCharacters = map[string]string{
		"AccessKeyId": "testid", "Format": "JSON", "AccountName": "no-reply@mail.example.com", "Action": "SingleSendMail",
		"AddressType": "1", "FromAlias": "小红", "HtmlBody": "<p>你好 a+b=c & ~!*'()\"</p>\n😀", "RegionId": "cn-hangzhou",
		"ReplyToAddress": "false", "SecurityToken": "sts+/=token", "Subject": "验证码 1234", "ToAddress": "user@example.com",
		"SignatureNonce": "00000000-0000-4000-8000-000000000001", "Timestamp": "2026-01-02T03:04:05Z",
		"Version": "2015-11-23", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
	}
)

const documentedToSign = `POST&%2F&AccessKeyId%3Dtestid%26AccountName%3D%253Ca%2525b%2527%253E%26Action%3DSingleSendMail%26AddressType%3D1%26Format%3DXML%26HtmlBody%3D4%26RegionId%3Dcn-hangzhou%26ReplyToAddress%3Dtrue%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3Dc1b2c332-4cfb-4a0f-b8cc-ebe622aa0a5c%26SignatureVersion%3D1.0%26Subject%3D3%26TagName%3D2%26Timestamp%3D2016-10-20T06%253A27%253A56Z%26ToAddress%3D1%2540test.com%26Version%3D2015-11-23`

func TestRPCSignatureVectors(t *testing.T) {
	tests := map[string]struct {
		method string
		params map[string]string
		want   string
	}{
		"documented":                  {"POST", documented, "llJfXJjBW3OacrVgxxsITgYaYm0="},
		"documented, as GET":          {"GET", documented, "xviVKkGNJBEG2sDODpEU9KpUfhE="},
		"another product":             {"GET", regions, "OLeaidS1JvxuMvnyHOwuJ+uX5qY="},
		"another product, old name":   {"GET", regionsOld, "CT9X0VtwR86fNWSnsc6v8YGOjuE="},
		"all sorts of characters":     {"POST", manyCharacters, "aIfsanMr8TGl88eK6gcayGRK9ck="},
		"all sorts of characters GET": {"GET", manyCharacters, "wmpoY7P/S5L75GdCGOgPwVF3hPk="},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			wire := url.Values{"Signature": {tt.want}}
			for k, v := range tt.params {
				wire.Set(k, v)
			}
			p := parameters{}
			p.add(wire.Encode()) // space as +, ~ plain or not: the wire's encoding is not the signature's
			s := readRPC(tt.method, p)
			if !s.matches("testsecret") {
				t.Errorf("the signature does not match; string to sign is %s", s.toSign)
			}
			if s.matches("testsecreT") {
				t.Error("the signature matches another secret")
			}
			p["Subject"] += "x"
			if s := readRPC(tt.method, p); s.matches("testsecret") {
				t.Error("the signature matches another subject")
			}
		})
	}
}

func TestRPCStringToSign(t *testing.T) {
	if got := rpcToSign("POST", documented); got != documentedToSign {
		t.Errorf("string to sign\n%s\nwant\n%s", got, documentedToSign)
	}
}

func TestACS3SignatureVectors(t *testing.T) {
	const (
		runQuery = "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai"
		mailBody = "AccountName=a%40b.com&AddressType=1&HtmlBody=%3Cb%3E%21%3C%2Fb%3E&ReplyToAddress=false&Subject=hi&ToAddress=x%40y.com"
		without  = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
	)
	tests := map[string]struct {
		host, query, body, contentType   string
		action, version, date, nonce     string
		contentHash, signedHeaders, want string
		secret                           string
	}{
		"documented RunInstances": {
			host: "ecs.cn-shanghai.aliyuncs.com", query: runQuery,
			action: "RunInstances", version: "2014-05-26", date: "2023-10-26T10:22:32Z", nonce: "3156853299f313e23d1673dc12e1703d",
			contentHash:   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			signedHeaders: without, secret: "YourAccessKeySecret",
			want: "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
		},
		"SingleSendMail": {
			host: "dm.aliyuncs.com", body: mailBody, contentType: "application/x-www-form-urlencoded",
			action: "SingleSendMail", version: "2015-11-23", date: "2026-01-02T03:04:05Z", nonce: "00000000000000000000000000000001",
			contentHash:   hexSHA256([]byte(mailBody)),
			signedHeaders: "content-type;" + without, secret: "testsecret",
			want: "7950dd33488ed5ea274c5b31d8541e03e7a54f5f5492540a3fc47735eaf66060",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/?"+tt.query, nil)
			r.Host = tt.host
			r.Header.Set("Content-Type", tt.contentType)
			r.Header.Set("X-Acs-Action", tt.action)
			r.Header.Set("X-Acs-Version", tt.version)
			r.Header.Set("X-Acs-Date", tt.date)
			r.Header.Set("X-Acs-Signature-Nonce", tt.nonce)
			r.Header.Set("X-Acs-Content-Sha256", tt.contentHash)
			r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders="+tt.signedHeaders+",Signature="+tt.want)
			p := parameters{}
			p.add(tt.query)
			s := readACS3(r, p.canonical(), []byte(tt.body))
			if !s.complete || s.keyID != "YourAccessKeyId" || !s.matches(tt.secret) {
				t.Errorf("complete %t, key %q, signature does not match; canonical request is\n%s", s.complete, s.keyID, s.canonical)
			}
			if s := readACS3(r, p.canonical(), []byte(tt.body+" ")); s.matches(tt.secret) {
				t.Error("the signature matches another body")
			}
		})
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add("a%20b+c%zz%e4%bd%a0%")
	f.Add("%ff%fe&=;\x80")
	f.Fuzz(func(t *testing.T, s string) {
		got := unescape(s)
		if want, err := url.QueryUnescape(s); err == nil && got != strings.ToValidUTF8(want, "\uFFFD") {
			t.Errorf("unescape(%q) = %q, want %q", s, got, want)
		}
		escaped := escape(got)
		if back := unescape(escaped); back != got {
			t.Errorf("%q escaped is %q, which is %q again", got, escaped, back)
		}
		if strings.ContainsAny(escaped, "+* ") {
			t.Errorf("%q escaped is %q", got, escaped)
		}
	})
}
