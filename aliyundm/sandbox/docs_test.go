package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm/sandbox"
)

// Every curl command of the documentation is run, in its order. Where JSON
// follows it has to be the last answer, save for RequestIds, which are random.
func TestDocumentedCommands(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newSandbox(sandbox.Options{Now: func() time.Time { return now }})
	receive(t, s, with(mailTo("user@example.com"), changes{"Timestamp": now.Format(stamp)}))
	server := httptest.NewServer(s)
	defer server.Close()

	commands, examples := 0, 0
	var last string
	for _, block := range regexp.MustCompile("(?s)```(sh|json)\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		if block[1] == "json" {
			examples++
			if d := cmp.Diff(decoded(t, block[2]), decoded(t, last)); d != "" {
				t.Errorf("answer (-documented +got)\n%s", d)
			}
			continue
		}
		for line := range strings.Lines(block[2]) {
			if strings.HasPrefix(line, "dmconnector ") {
				continue
			}
			commands++
			last = curl(t, server.URL, line)
		}
	}
	if commands < 9 || examples < 3 {
		t.Errorf("%d commands and %d examples found", commands, examples)
	}
}

func decoded(t *testing.T, s string) any {
	t.Helper()
	s = regexp.MustCompile(`"requestId": ?"[0-9A-F-]{36}"`).ReplaceAllString(s, `"requestId": "random"`)
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

// curl does what curl would with the few options the documentation uses.
func curl(t *testing.T, base, line string) string {
	t.Helper()
	var args []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		args = append(args, m[1]+m[2]+m[3])
	}
	if args[0] != "curl" {
		t.Fatalf("%q is no curl command", line)
	}
	method, target, body, header := "GET", "", "", http.Header{}
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "-X":
			i++
			method = args[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			body = args[i]
		default:
			target = args[i]
		}
	}
	path, ok := strings.CutPrefix(target, "http://127.0.0.1:8025")
	if !ok {
		t.Fatalf("%q goes elsewhere", line)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode > 299 && !strings.Contains(line, "nobody@") {
		t.Errorf("%s: %d %s", line, resp.StatusCode, answer)
	}
	return string(answer)
}

// The tables of the documentation name what the code has.
func TestDocumentedCodesCanBeProvoked(t *testing.T) {
	doc, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, _ := strings.Cut(string(doc), "## How faithful it is")
	names := regexp.MustCompile("`((?:Invalid|Missing|Unsupported|Incomplete|Signature|Throttling|Forbidden|Email)[A-Za-z]*[.A-Z][.A-Za-z]+)`").FindAllStringSubmatch(tables, -1)
	parameters := []string{"SignatureNonce", "SignatureMethod", "SignatureVersion"}
	found := 0
	s := newSandbox(sandbox.Options{})
	for _, name := range names {
		if slices.Contains(parameters, name[1]) || regexp.MustCompile(`^(Missing|Invalid)(Action|Version|SignatureVersion|AddressType|ReplyToAddress|KeyWord|PageNo|PageSize)$`).MatchString(name[1]) {
			continue // a parameter, or a code made of one
		}
		found++
		if err := s.SetFaults(sandbox.Fault{Kind: "error", Code: name[1]}); err != nil {
			t.Errorf("%s: %v", name[1], err)
		}
	}
	if found < 20 {
		t.Errorf("%d codes found", found)
	}
	_, kinds, _ := strings.Cut(s.SetFaults(sandbox.Fault{Kind: "?"}).Error(), "one of ")
	for kind := range strings.SplitSeq(kinds, ", ") {
		if !strings.Contains(string(doc), "| `"+kind+"` |") {
			t.Errorf("fault %s is not documented", kind)
		}
	}
}
