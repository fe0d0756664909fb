package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Limits of a call. Aliyun names about 80 KB for parameters in the URL and about
// 8 MB for those in the body, and does not say how it counts; here the encoded
// form counts.
const (
	maxURL  = 80 << 10
	maxBody = 8 << 20
)

// A call is one request to Direct Mail's API, as far as it has been read.
type call struct {
	id    string // RequestId
	trace string
	host  string
	path  string

	method string
	xml    bool // how to answer
	params parameters
	sign   signing

	account    *account // known after checkSignature
	recipients []string // known after checkRecipients
}

// newCall reads what is known before the parameters.
func newCall(r *http.Request) *call {
	return &call{
		id: requestID(), trace: hexID(), host: r.Host, path: r.URL.Path, method: r.Method,
		xml: !isACS3(r), params: parameters{},
	}
}

// read reads the parameters, from the URL, the body, or both, and the signature.
// It never fails: what is missing or malformed is for the checks to say.
func (c *call) read(r *http.Request, body []byte) {
	c.params.add(r.URL.RawQuery)
	query := maps.Clone(c.params) // ACS3 signs the query alone and the body's hash
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		c.params.add(string(body))
	}
	if isACS3(r) {
		c.sign = readACS3(r, query.canonical(), body)
	} else {
		c.sign = readRPC(r.Method, c.params)
	}
	switch format := c.params["Format"]; {
	case strings.EqualFold(format, "JSON"):
		c.xml = false
	case strings.EqualFold(format, "XML"):
		c.xml = true
	}
}

// requestID makes a RequestId: a random UUID in upper case.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func hexID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// parameters are a call's parameters, decoded. Of a repeated name the first
// counts, and the query comes before the form, as in a servlet container; the
// signature is checked over what counts and nothing else.
type parameters map[string]string

// add adds the parameters of a query or a form.
func (p parameters) add(encoded string) {
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		if _, again := p[name]; !again {
			p[name] = unescape(value)
		}
	}
}

// canonical is the canonical query string of both signature versions: sorted by
// name, encoded anew whatever the encoding on the wire was. The names in except
// are left out.
func (p parameters) canonical(except ...string) string {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if slices.Contains(except, name) {
			continue
		}
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = appendEscaped(b, name)
		b = append(b, '=')
		b = appendEscaped(b, p[name])
	}
	return string(b)
}

// appendEscaped appends s with everything escaped that RFC 3986 does not call
// unreserved, as both signature versions want it.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if isLetterOrDigit(c) || c == '-' || c == '_' || c == '.' || c == '~' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	return b
}

// unescape decodes form encoding. With a malformed escape the text is left as it is,
// and what is not UTF-8 becomes U+FFFD; in both cases the signature cannot match,
// since the client signed something else.
func unescape(s string) string {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		decoded = s
	}
	return strings.ToValidUTF8(decoded, "\uFFFD")
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetterOrDigit(c byte) bool { return isLetter(c) || isDigit(c) }
