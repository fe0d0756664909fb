package logtopeers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/httpapi"
	"dmconnector/internal/registry"
	"dmconnector/internal/store"
	"dmconnector/templates"
)

// Callers' tokens.
const (
	token      = "token-of-the-test-0123456789"
	adminToken = "admin-token-of-the-test-0123456789"
)

// node runs a script of this folder and returns its output's lines. Without
// Node and the packages the test is skipped, unless nothing may be skipped.
func node(t *testing.T, script string, input []byte) []string {
	t.Helper()
	_, noNode := exec.LookPath("node")
	_, noPackages := os.Stat("node_modules/@logto")
	if noNode != nil || noPackages != nil {
		if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
			t.Fatal("Node or Logto's packages are missing: make setup")
		}
		t.Skip("Node or Logto's packages are missing: make setup")
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s: %v", script, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// A service has the sandbox as Aliyun, and one connector, "default".
type service struct {
	api *httpapi.Server
	url string
	box *sandbox.Sandbox
}

func start(t *testing.T) service {
	t.Helper()
	box := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: "key", AccessKeySecret: "secret"}}})
	aliyun := httptest.NewServer(box)
	t.Cleanup(aliyun.Close)
	newSender := func(cfg *connector.Config) (delivery.Sender, error) {
		return aliyundm.NewClient(aliyundm.Options{
			Endpoint:    aliyun.URL,
			Credentials: aliyundm.Credentials{AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret)},
		})
	}
	log := slog.New(slog.DiscardHandler)
	state, err := store.Open(t.Context(), store.Options{State: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { state.Close() })
	messages := delivery.New(delivery.Options{Store: state, Log: log})
	connectors := registry.New(registry.Options{
		Example:     []byte(`{"accessKeyId":"key","accessKeySecret":"secret","accountName":"noreply@mail.example.com","templates":"builtin"}`),
		ReservedIDs: []string{httpapi.FactoryID}, Store: state, NewSender: newSender, Apply: messages.Use, Log: log,
	})
	if err := connectors.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	api := httpapi.New(httpapi.Options{
		Delivery: messages, Log: log, Registry: connectors, Messages: state, NewSender: newSender,
		SendTokens: []string{token}, AdminTokens: []string{adminToken},
	})
	var connections httpapi.Connections
	server := httptest.NewUnstartedServer(api)
	server.Listener = connections.Listener(server.Listener)
	server.Config.ConnContext, server.Config.ConnState = connections.Context, connections.State
	server.Config.MaxHeaderBytes = 12 << 10
	server.Start()
	t.Cleanup(server.Close)
	return service{api, server.URL, box}
}

// sendAll sends messages by Logto's connector and returns its results.
func sendAll(t *testing.T, config map[string]string, messages ...map[string]any) []map[string]any {
	t.Helper()
	input, err := json.Marshal(map[string]any{"config": config, "messages": messages})
	if err != nil {
		t.Fatal(err)
	}
	lines := node(t, "send.mjs", input)
	results := make([]map[string]any, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &results[i]); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if len(results) != len(messages) {
		t.Fatalf("%d results for %d messages", len(results), len(messages))
	}
	return results
}

func TestLogtosConnectorSendsEveryType(t *testing.T) {
	service := start(t)
	var messages []map[string]any
	for i, usageType := range connector.UsageTypes() {
		sample := connector.SampleMessage(usageType)
		sample.Payload["code"] = fmt.Sprintf("%06d", 900_000+i)
		messages = append(messages, map[string]any{"to": "user@example.com", "type": usageType, "payload": sample.Payload, "ip": "::ffff:127.0.0.1"})
	}
	for i, result := range sendAll(t, map[string]string{"endpoint": service.url + "/api/send", "authorization": "Bearer " + token}, messages...) {
		if result["ok"] != true {
			t.Errorf("%v: %v", messages[i]["type"], result)
		}
	}
	mails := service.box.Mails()
	if len(mails) != len(messages) {
		t.Fatalf("%d mails", len(mails))
	}
	for i, mail := range mails { // newest first
		if want := fmt.Sprintf("%06d", 900_000+len(mails)-1-i); mail.Code != want {
			t.Errorf("mail %d has the code %s, want %s", i, mail.Code, want)
		}
	}
}

// What Logto shows its caller, an unauthenticated browser, is one sentence for the
// person with the end of the incident, or on request our problem; and nothing of the
// message.
func TestLogtosConnectorShowsOurSentence(t *testing.T) {
	url := start(t).url
	message := map[string]any{"to": "a@b.example,c@d.example", "type": "SignIn", "payload": map[string]any{"code": "424242"}}
	tests := map[string]struct{ authorization, want string }{
		"two recipients":   {token, string(errcode.InvalidRecipient)},
		"no authorization": {"", string(errcode.Unauthorized)},
		"a wrong token":    {"Bearer wrong", string(errcode.Unauthorized)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			shownBy := func(endpoint string) string {
				result := sendAll(t, map[string]string{"endpoint": endpoint, "authorization": tt.authorization}, message)[0]
				shown, _ := result["error"].(string)
				if strings.Contains(shown, "424242") || strings.Contains(shown, "b.example") || strings.Contains(shown, token) {
					t.Errorf("Logto shows %q", shown)
				}
				return shown
			}
			sentence := regexp.MustCompile(`^` + regexp.QuoteMeta(errcode.Of(errcode.Code(tt.want)).Person) + ` \[[0-9a-f]{8}\]$`)
			for _, endpoint := range []string{url + "/api/send", url + "/api/send?errors=text"} {
				if shown := shownBy(endpoint); !sentence.MatchString(shown) {
					t.Errorf("%s: Logto shows %q", endpoint, shown)
				}
			}
			var problem map[string]any
			if shown := shownBy(url + "/api/send?errors=json"); json.Unmarshal([]byte(shown), &problem) != nil || problem["code"] != tt.want {
				t.Errorf("Logto shows %q", shown)
			}
		})
	}
}

// An answer that comes before the body has been read reaches Logto. A reset would show
// the code and the token to the browser.
func TestLogtosConnectorGetsEarlyAnswers(t *testing.T) {
	url := start(t).url
	large := map[string]any{"to": "a@b.example", "type": "SignIn", "payload": map[string]any{"code": "424242", "filler": strings.Repeat("x", 3<<20)}}
	for name, tt := range map[string]struct{ path, authorization, want string }{
		"a wrong token":    {"/api/send", "Bearer wrong", errcode.Of(errcode.Unauthorized).Person},
		"an unknown route": {"/api/none", token, "urn:dmconnector:problem:not_found"},
		"another method":   {"/healthz", token, "urn:dmconnector:problem:method_not_allowed"},
		"a large body":     {"/api/send", token, errcode.Of(errcode.InvalidRequest).Person},
		"a large header":   {"/api/send", strings.Repeat("x", 20<<10), "431 Request Header Fields Too Large"},
		"no token":         {"/api/send", "", errcode.Of(errcode.Unauthorized).Person},
	} {
		t.Run(name, func(t *testing.T) {
			for _, result := range sendAll(t, map[string]string{"endpoint": url + tt.path, "authorization": tt.authorization}, large, large, large) {
				shown, _ := result["error"].(string)
				if !strings.Contains(shown, tt.want) || strings.Contains(shown, "424242") || strings.Contains(shown, token) {
					t.Errorf("Logto shows %.200q", shown)
				}
			}
		})
	}
}

// Texts come out as from Logto's own function: by RenderAsLogto without any
// difference, by templates with raw values where they have nothing that is text
// in Logto alone (docs/templates.md names it).
func TestTemplateLanguageIsLogtos(t *testing.T) {
	const cases = 20_000
	type example struct {
		Template   string         `json:"template"`
		Payload    map[string]any `json:"payload"`
		logtoAlone bool
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same cases every time
	examples := make([]example, cases)
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	for i := range examples {
		examples[i] = example{Template: randomTemplate(random), Payload: randomPayload(random), logtoAlone: random.IntN(2) == 0}
		if examples[i].logtoAlone {
			examples[i].Template += pick(random, "<<code>>", "{{#a}}{{a.b}}{{/a}}", "{{^ a }}", "{{/b}}", "{{#code}}{{code}}") + randomTemplate(random)
		}
		if err := enc.Encode(examples[i]); err != nil {
			t.Fatal(err)
		}
	}
	lines := node(t, "render.mjs", input.Bytes())
	if len(lines) != cases {
		t.Fatalf("%d results", len(lines))
	}
	differing := 0
	for i, line := range lines {
		var want string
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		e := examples[i]
		got := map[string]string{"as Logto": templates.RenderAsLogto(e.Template, e.Payload)}
		if !e.logtoAlone {
			template, _ := templates.Compile(templates.Source{UsageType: "Generic", Subject: "s", Content: e.Template, Escape: "none"})
			out, err := template.Render(e.Payload, templates.KeepMissing)
			if err != nil {
				t.Fatal(err)
			}
			got["raw"] = out.HTML
		}
		for how, text := range got {
			if text != want {
				differing++
				t.Errorf("%s: %q with %v: %q, Logto has %q", how, e.Template, e.Payload, text, want)
			}
		}
		if differing > 10 {
			t.Fatal("and more")
		}
	}
}

func pick[T any](random *rand.Rand, list ...T) T { return list[random.IntN(len(list))] }

// randomTemplate puts placeholders, near misses and text together.
func randomTemplate(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(6) {
		switch random.IntN(4) {
		case 0:
			b.WriteString(pick(random, "text ", "<p>", "</p>", "{", "}", "{{", "}}", "$&", "$1", "{{ }}", "{{.}}", "{{a-b}}", "{{{a}}}", "{{a}", "验证码 ", "{{验}}", "{{#if a}}", "\\", "\""))
		default:
			space := pick(random, "", "", "", " ", "\t", "\n", "\v", "\u00a0", "\ufeff", "\u2028", "\u3000", "\u1680", "\u200b", "\u0085", "\u180e")
			path := pick(random, "code", "a", "b", "n", "list", "obj", "missing", "nul", "")
			for range random.IntN(3) {
				path += "." + pick(random, "a", "b", "0", "1", "length", "x", "", "name")
			}
			b.WriteString("{{" + space + path + pick(random, space, "") + "}}")
		}
	}
	return b.String()
}

func randomPayload(random *rand.Rand) map[string]any {
	payload := map[string]any{"code": "123456", "nul": nil}
	for _, key := range []string{"a", "b", "n", "list", "obj"} {
		if random.IntN(3) > 0 {
			payload[key] = randomValue(random, 3)
		}
	}
	return payload
}

// randomValue returns what encoding/json's UseNumber would decode.
func randomValue(random *rand.Rand, depth int) any {
	switch kind := random.IntN(8); {
	case kind == 0 && depth > 0:
		list := []any{}
		for range random.IntN(4) {
			list = append(list, randomValue(random, depth-1))
		}
		return list
	case kind <= 2 && depth > 0:
		object := map[string]any{}
		for range random.IntN(4) {
			object[pick(random, "a", "b", "x", "name", "0", "length")] = randomValue(random, depth-1)
		}
		return object
	case kind <= 4:
		return randomNumber(random)
	case kind == 5:
		return pick[any](random, nil, true, false)
	default:
		return pick(random, "", "text", "$&", "<b>", "{{a}}", "é", "\u2028", "line\nbreak", "0")
	}
}

func randomNumber(random *rand.Rand) json.Number {
	digits := func(n int) string {
		text := fmt.Sprint(1 + random.IntN(9))
		for range random.IntN(n) {
			text += fmt.Sprint(random.IntN(10))
		}
		return text
	}
	number := pick(random, "", "-") + pick(random, "0", digits(24), digits(3))
	if random.IntN(2) == 0 {
		number += "." + strings.Repeat("0", random.IntN(8)) + digits(18)
	}
	if random.IntN(2) == 0 {
		number += pick(random, "e", "E") + pick(random, "", "+", "-") + fmt.Sprint(random.IntN(330))
	}
	return json.Number(number)
}

// The lock file must hold no addresses: it is used with any registry.
func TestLockFileHasNoAddresses(t *testing.T) {
	data, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte(`"resolved"`)) {
		t.Error("run npm with --omit-lockfile-registry-resolved")
	}
}
