//go:build unix

package chaos_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"dmconnector/aliyundm/sandbox"
)

// TestFaultSuitePrivacy searches everything that the program prints and answers for
// secrets, with debugging enabled by environment variables.
func TestFaultSuitePrivacy(t *testing.T) {
	for name, env := range map[string][]string{
		"DEBUG=sdk": {"DEBUG=sdk,signer,http"},
		"DEBUG=all": {"DEBUG=*", "LOG_LEVEL=debug", "VERBOSE=1", "NODE_DEBUG=http", "GODEBUG=http2debug=2,netdns=2", "GOTRACEBACK=all"},
		"SDK": {
			"DEBUG=sdk", "ALIBABA_CLOUD_DEBUG=1", "ALIBABACLOUD_DEBUG=sdk", "ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI" + mark,
			"ALIBABA_CLOUD_ACCESS_KEY_SECRET=env-" + keySecret, "ALIBABA_CLOUD_SECURITY_TOKEN=env-" + mark + "-token",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := new(numericCodes)
			answers := provoke(t, env, numbers)
			for _, text := range answers {
				if at := findMark(text); at >= 0 {
					t.Errorf("leaked: %q", excerpt(text, at))
				}
				numbers.find(t, text)
			}
		})
	}
}

// numericCodes are codes as Logto makes them, but longer, so that none is part of a
// time or an id by chance.
type numericCodes struct{ list []string }

func (c *numericCodes) next() string {
	n, err := rand.Int(rand.Reader, big.NewInt(9e11))
	if err != nil {
		panic(err)
	}
	code := strconv.FormatInt(1e11+n.Int64(), 10)
	c.list = append(c.list, code)
	return code
}

func (c *numericCodes) find(t *testing.T, text string) {
	t.Helper()
	for _, code := range c.list {
		if at := strings.Index(text, code); at >= 0 {
			t.Errorf("leaked the code: %q", excerpt(text, at))
			return
		}
	}
}

// provoke makes mails succeed, fail and be rejected, and returns what the program
// answered and printed.
func provoke(t *testing.T, env []string, codes *numericCodes) []string {
	t.Helper()
	box, server := newSandbox(t, 0)
	parrot := httptest.NewServer(http.HandlerFunc(repeat))
	t.Cleanup(parrot.Close)
	var answers []string
	for _, upstream := range []string{server.URL, parrot.URL} {
		s := startService(t, privateConnector(upstream), nil, env...)
		for _, f := range provocations {
			if err := box.SetFaults(f...); err != nil {
				t.Fatal(err)
			}
			for _, text := range nasty(codes) {
				c := &connection{address: s.address}
				var r request
				c.exchange(&r, []part{{0, text}})
				c.close()
				if r.err != nil {
					t.Errorf("no answer: %v", r.err)
				}
				answers = append(answers, r.answer)
			}
		}
		s.terminate(t)
		s.stopped(t.Context(), t)
		answers = append(answers, s.log.String())
	}
	if len(answers) < 300 {
		t.Errorf("only %d answers", len(answers))
	}
	return answers
}

var provocations = [][]sandbox.Fault{
	nil,
	{{Kind: "error", Code: "SignatureDoesNotMatch"}},
	{{Kind: "error", Code: "InvalidToAddress"}},
	{{Kind: "error", Code: "InternalError"}},
	{{Kind: "error", Code: "InvalidSendMail.Spam"}},
	{{Kind: "broken-json"}},
	{{Kind: "reset"}},
	{{Kind: "html"}},
	{{Kind: "error", Code: "IncompleteSignature"}},
	{{Kind: "xml"}},
}

// privateConnector returns a connector with secrets wherever they may be. Some
// messages exceed its limits.
func privateConnector(endpoint string) map[string]any {
	config := connectorTo(endpoint, map[string]any{"connector": "off", "recipient": "2/10m", "ip": "100000/1s"})
	config["onMissing"] = "keep"
	return config
}

// nasty returns requests with marks in every place. Most are rejected.
func nasty(codes *numericCodes) []string {
	to := fmt.Sprintf("u%s%d@example.com", mark, serial.Add(1))
	good := map[string]any{"to": to, "type": "SignIn", "ip": "203.0.113.9", "payload": map[string]any{
		"code": codes.next(), "link": "javascript:" + mark, "locale": mark, "uiLocales": mark,
		"application": map[string]any{"id": mark, "name": mark + `"<&\u2028%41` + "\n"}, "user": map[string]any{"primaryEmail": to},
	}}
	var list []string
	add := func(body string, more ...string) {
		list = append(list, headFor(body, append(more, "Connection: close")...)+body)
	}
	variant := func(key string, value any) string {
		changed := maps.Clone(good)
		changed[key] = value
		data, err := json.Marshal(changed)
		if err != nil {
			panic(err)
		}
		return string(data)
	}
	add(variant("to", to))
	add(variant("payload", map[string]any{"code": mark + codes.next()}), "Idempotency-Key: "+mark)
	add(variant("payload", map[string]any{"code": mark + "%2B\"'<>&\\"}), "Idempotency-Key: "+mark)
	add(variant("payload", map[string]any{mark: map[string]any{mark: mark}}))
	for _, address := range []string{mark, mark + "@" + mark, mark + " <" + to + ">", to + "," + to, to + "\r\nBcc: " + to, `"` + mark + `"@example.com`, to + "\u202e", mark + "@" + mark + ".example.com>", "<" + to} {
		add(variant("to", address))
	}
	add(variant("type", mark))
	add(variant("ip", mark))
	add(variant("payload", mark))
	add(variant(mark, mark))
	add(`{"` + mark + `":"` + mark)
	add(`{"to":"` + to + `","to":"` + to + `"}`)
	add(mark+"\x00\xff", "Content-Type: "+mark, "Content-Encoding: "+mark)
	add(strings.Repeat("[", 10000) + mark)
	add(variant("to", to), "Authorization: Bearer "+mark)
	add(variant("to", to), "X-Forwarded-For: "+mark, "Traceparent: "+mark, "X-Request-Id: "+mark, "Cookie: "+mark)
	swap := func(from, to string) { list = append(list, strings.Replace(list[0], from, to, 1)) }
	swap("Bearer "+sendToken, "Bearer "+mark+"-wrong-token")
	swap("Bearer "+sendToken, "Bearer "+adminToken)
	swap("/api/send", "/api/send?code="+mark+"&token="+sendToken)
	swap("/api/send", "/api/connectors/"+mark+"/send")
	swap("/api/send", "/"+mark)
	swap("POST", strings.ToUpper(mark))
	swap("/api/send", "/api/connectors/aliyun-direct-mail/test?trace=true&"+mark)
	swap("Host: localhost", "Host: "+mark)
	swap("HTTP/1.1", "HTTP/1.1 "+mark)
	return append(list, tests(to, codes)...)
}

// tests returns an admin's requests for test mails, with their own configs.
func tests(to string, codes *numericCodes) []string {
	config := connectorTo("http://"+net.JoinHostPort("127.0.0.1", "1"), nil)
	config["securityToken"], config["unknown-"+mark] = mark, mark
	list := []string{}
	for _, body := range []map[string]any{
		{"email": to, "config": config, "payload": map[string]any{"code": codes.next()}},
		{"email": mark, "config": map[string]any{"accessKeySecret": mark, "endpoint": "http://" + mark + ".example.com"}},
	} {
		data, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		text := headFor(string(data), "Connection: close") + string(data)
		text = strings.Replace(text, sendToken, adminToken, 1)
		list = append(list, strings.Replace(text, "/api/send", "/api/connectors/aliyun-direct-mail/test", 1))
	}
	return list
}

// repeat is an upstream that echoes the request in every field of its answer.
func repeat(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form := r.URL.Query()
	if values, err := url.ParseQuery(string(body)); err == nil {
		form = values
	}
	said := form.Get("ToAddress") + " " + form.Get("Subject") + " " + keySecret
	status := []int{200, 302, 400, 404, 500}[serial.Add(1)%5]
	w.Header().Set("X-Acs-Request-Id", said)
	w.Header().Set("Location", "/?"+string(body))
	w.WriteHeader(status)
	code := []string{"InvalidBody", "Invalid." + form.Get("Subject"), "Throttling.User", "SignatureDoesNotMatch"}[serial.Add(1)%4]
	_ = json.NewEncoder(w).Encode(map[string]string{
		"Code": code, "Message": said + ": " + string(body), "RequestId": form.Get("Subject"), "HostId": said, "Recommend": said,
	})
}
