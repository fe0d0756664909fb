package sandbox

import (
	"crypto/rand"
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

// A call is one request to Direct Mail's API.
type call struct {
	r      *http.Request
	id     string // RequestId
	xml    bool   // how to answer
	params parameters
	sign   signing

	account    *account // known after checkCaller
	recipients []string // known after checkRecipients
}

// readCall reads the parameters, from the URL, the body, or both, and the signature.
// It never fails: what is missing or malformed is for the checks to say.
func readCall(r *http.Request, id string, body []byte) *call {
	c := &call{r: r, id: id, params: parameters{}}
	c.params.add(r.URL.RawQuery)
	query := c.params.canonical() // ACS3 signs the query alone and the body's hash
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		c.params.add(string(body))
	}
	if isACS3(r) {
		c.sign = readACS3(r, query, body)
	} else {
		c.sign = readRPC(r.Method, c.params)
	}
	format := strings.ToUpper(c.params["Format"])
	c.xml = format == "XML" || format != "JSON" && !c.sign.acs3
	return c
}

// sends reports whether the call is for a mail. All others only ask.
func (c *call) sends() bool { return c.sign.action == sendAction }

// requestID makes a RequestId: a random UUID in upper case.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
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
// name, encoded anew whatever the encoding on the wire was.
func (p parameters) canonical() string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		pairs = append(pairs, escape(name)+"="+escape(p[name]))
	}
	return strings.Join(pairs, "&")
}

// escape escapes all that RFC 3986 does not call unreserved, as both signature
// versions want it.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") // a literal + is %2B
}

// unescape decodes form encoding. With a malformed escape the text is left as it is,
// and what is not UTF-8 becomes U+FFFD; in both cases the signature cannot match,
// since the client signed something else. The text is a copy, so that a mail in the
// inbox does not hold the whole request.
func unescape(s string) string {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		decoded = s
	}
	return strings.Clone(strings.ToValidUTF8(decoded, "\uFFFD"))
}
