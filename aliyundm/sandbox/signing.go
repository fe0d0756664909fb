package sandbox

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // SignatureMethod HMAC-SHA1 is Aliyun's choice
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const (
	rpcMethod  = "HMAC-SHA1"
	acs3Method = "ACS3-HMAC-SHA256"
)

// signing is what a call says of itself and of its signature, in either
// version: V1.0 in parameters, V3 (ACS3) in headers.
type signing struct {
	acs3      bool
	action    string
	version   string
	keyID     string
	timestamp string
	nonce     string
	token     string // SecurityToken, of STS keys
	method    string
	revision  string // SignatureVersion
	signature string

	complete  bool   // whether everything is signed that has to be
	intact    bool   // whether the body has the hash it is said to have
	toSign    string // the string to sign, made from what arrived
	canonical string // ACS3: what toSign is a hash of
}

// readRPC reads a signature of version 1.0.
// Source: https://www.alibabacloud.com/help/en/direct-mail/signature
func readRPC(method string, p parameters) signing {
	return signing{
		action:    p["Action"],
		version:   p["Version"],
		keyID:     p["AccessKeyId"],
		timestamp: p["Timestamp"],
		nonce:     p["SignatureNonce"],
		token:     p["SecurityToken"],
		method:    p["SignatureMethod"],
		revision:  p["SignatureVersion"],
		signature: p["Signature"],
		complete:  true,
		intact:    true,
		toSign:    rpcToSign(method, p),
	}
}

func rpcToSign(method string, p parameters) string {
	signed := maps.Clone(p)
	delete(signed, "Signature")
	return method + "&%2F&" + escape(signed.canonical())
}

// isACS3 reports whether the request is signed in version 3, or tries to be.
// Clients of version 1.0 send some x-acs- headers too, never a nonce among them.
func isACS3(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "ACS3-") ||
		r.Header.Get("X-Acs-Signature-Nonce") != ""
}

// readACS3 reads a signature of version 3, for the canonical query and the body.
// Source: https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
func readACS3(r *http.Request, query string, body []byte) signing {
	s := signing{
		acs3:      true,
		revision:  "1.0", // on no wire; the method says it
		action:    r.Header.Get("X-Acs-Action"),
		version:   r.Header.Get("X-Acs-Version"),
		timestamp: r.Header.Get("X-Acs-Date"),
		nonce:     r.Header.Get("X-Acs-Signature-Nonce"),
		token:     r.Header.Get("X-Acs-Security-Token"),
	}
	method, fields, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.method = method
	var signed []string
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			s.keyID = value
		case "SignedHeaders":
			signed = strings.Split(strings.ToLower(value), ";")
		case "Signature":
			s.signature = value
		}
	}
	bodyHash := hexSHA256(body)
	s.intact = r.Header.Get("X-Acs-Content-Sha256") == bodyHash
	s.complete = coversHeaders(signed, r.Header)
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n" + query + "\n")
	for _, name := range signed {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		canonical.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical.WriteString("\n" + strings.Join(signed, ";") + "\n" + bodyHash)
	s.canonical = canonical.String()
	s.toSign = acs3Method + "\n" + hexSHA256([]byte(s.canonical))
	return s
}

// coversHeaders reports whether the host, the action, the body's hash and every
// other x-acs- header of the request are signed.
func coversHeaders(signed []string, h http.Header) bool {
	needed := []string{"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-content-sha256", "x-acs-signature-nonce"}
	for name := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") {
			needed = append(needed, name)
		}
	}
	return !slices.ContainsFunc(needed, func(name string) bool { return !slices.Contains(signed, name) })
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// matches reports whether the signature is the one that secret makes.
func (s *signing) matches(secret string) bool {
	hash, key, encode := sha1.New, secret+"&", base64.StdEncoding.EncodeToString
	if s.acs3 {
		hash, key, encode = sha256.New, secret, hex.EncodeToString
	}
	mac := hmac.New(hash, []byte(key))
	mac.Write([]byte(s.toSign))
	return s.intact && hmac.Equal([]byte(encode(mac.Sum(nil))), []byte(s.signature))
}
