package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"mime"
	"net/http"
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

	account    *account // known after checkKey
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
