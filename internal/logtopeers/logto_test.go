package logtopeers_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"dmconnector/connector"
	"dmconnector/internal/logto"
)

// Package logto fills in texts as Logto's own function does, without any
// difference: also what JavaScript's objects inherit.
func TestReplaceIsLogtos(t *testing.T) {
	const cases = 20_000
	random := rand.New(rand.NewPCG(3, 4))
	type example struct {
		Template string         `json:"template"`
		Payload  map[string]any `json:"payload"`
	}
	examples := make([]example, cases)
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	for i := range examples {
		examples[i] = example{randomTemplate(random) + randomInheritance(random), randomPayload(random)}
		if random.IntN(10) == 0 {
			examples[i].Payload[pick(random, "a", "b")] = map[string]any{pick(random, "toString", "valueOf", "constructor"): pick[any](random, nil, "x", map[string]any{})}
		}
		if err := enc.Encode(examples[i]); err != nil {
			t.Fatal(err)
		}
	}
	lines := node(t, "render.mjs", input.Bytes())
	if len(lines) != cases {
		t.Fatalf("%d results", len(lines))
	}
	differing, failing := 0, 0
	for i, line := range lines {
		var want *string // null: it failed
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		got, err := logto.Replace(examples[i].Template, examples[i].Payload)
		if want == nil {
			failing++
		}
		if (err != nil) != (want == nil) || want != nil && *want != got {
			t.Errorf("%q with %v: %q, %v; Logto has %s", examples[i].Template, examples[i].Payload, got, err, line)
			if differing++; differing > 10 {
				t.Fatal("and more")
			}
		}
	}
	if failing == 0 {
		t.Error("no case makes Logto fail")
	}
}

func randomInheritance(random *rand.Rand) string {
	names := []string{
		"constructor", "toString", "__proto__", "valueOf", "hasOwnProperty", "__defineGetter__", "map", "at", "with", "toSorted",
		"length", "name", "values", "isPrototypeOf", "toLocaleString", "push",
	}
	path := pick(random, "a", "b", "list", "obj", "code", pick(random, names...))
	for range random.IntN(3) {
		path += "." + pick(random, names...)
	}
	return "{{" + path + "}}"
}

// A sending is what aliyun.mjs reads.
type sending struct {
	Config           map[string]any   `json:"config"`
	EmailTemplates   []map[string]any `json:"emailTemplates"`
	FallbackLanguage string           `json:"fallbackLanguage"`
	Type             string           `json:"type"`
	Payload          map[string]any   `json:"payload"`
}

// Package logto composes the mails of Logto's own connector: which template of
// the config, whose sender's name, in which of Direct Mail's parameters.
func TestComposeIsLogtosConnector(t *testing.T) {
	const cases = 2_000
	random := rand.New(rand.NewPCG(5, 6))
	sendings := make([]sending, cases)
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	for i := range sendings {
		sendings[i] = randomSending(random)
		if err := enc.Encode(sendings[i]); err != nil {
			t.Fatal(err)
		}
	}
	lines := node(t, "aliyun.mjs", input.Bytes())
	if len(lines) != cases {
		t.Fatalf("%d results", len(lines))
	}
	rules := make(map[logto.Rule]int)
	for i, line := range lines {
		var want struct {
			Form  map[string]string
			Error string
		}
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		form, rule := composed(t, sendings[i])
		rules[rule]++
		if want.Form == nil {
			t.Fatalf("Logto failed on %+v: %s", sendings[i], want.Error)
		}
		for key := range form { // the others are of the signature and the account
			if form[key] != want.Form[key] {
				t.Fatalf("%+v: %s is %q, Logto has %q", sendings[i], key, form[key], want.Form[key])
			}
		}
		if want.Form["ReplyAddress"] != "" || want.Form["TextBody"] != "" {
			t.Fatalf("Logto sent more than is known: %v", want.Form)
		}
	}
	if len(rules) != 5 {
		t.Errorf("not every rule chose a template: %v", rules)
	}
}

// composed is what package logto makes of it.
func composed(t *testing.T, s sending) (map[string]string, logto.Rule) {
	t.Helper()
	config, _ := json.Marshal(s.Config)
	cfg, _, err := logto.ReadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := json.Marshal(s.EmailTemplates)
	emailTemplates, err := logto.ReadEmailTemplates(list)
	if err != nil {
		t.Fatal(err)
	}
	c := logto.Connector{Config: cfg, EmailTemplates: emailTemplates, FallbackLanguage: s.FallbackLanguage}
	choice, ok := c.Choose(s.Type, s.Payload)
	if !ok {
		t.Fatalf("no template for %+v", s)
	}
	mail, err := c.Compose(choice, s.Payload)
	if err != nil {
		t.Fatal(err)
	}
	form := map[string]string{"FromAlias": mail.FromAlias, "Subject": mail.Subject, "HtmlBody": mail.HTMLBody, "ReplyToAddress": "false"}
	return form, choice.Rule
}

func randomSending(random *rand.Rand) sending {
	text := func() string {
		return pick(random, "", "{{code}}", "<p>{{ code }}</p>", "{{application.name}}: {{code}}") + randomTemplate(random)
	}
	config := map[string]any{"accessKeyId": "key", "accessKeySecret": "secret", "accountName": "noreply@mail.example.com"}
	if random.IntN(3) > 0 {
		config["fromAlias"] = pick(random, "Example", "{{code}}")
	}
	var list []map[string]any
	for _, usageType := range []string{"SignIn", "Generic", "Register", "ForgotPassword", pick(random, "BindMfa", "SignIn", "Generic")} {
		list = append(list, map[string]any{"usageType": usageType, "subject": text(), "content": text()})
	}
	config["templates"] = list
	s := sending{
		Config: config, EmailTemplates: []map[string]any{}, FallbackLanguage: pick(random, "en", "zh-CN"),
		Type: pick(random, connector.UsageTypes()...), Payload: randomPayload(random),
	}
	if random.IntN(4) > 0 {
		s.Payload["locale"] = pick(random, "en", "zh-CN", "ja", "zh-cn", "")
	}
	for _, usageType := range []string{"SignIn", "Generic", "BindMfa"} {
		for _, language := range []string{"en", "zh-CN", "ja"} {
			if random.IntN(4) > 0 {
				continue
			}
			details := map[string]any{"subject": text(), "content": text()}
			if random.IntN(2) == 0 {
				details["sendFrom"] = pick(random, "", "{{code}}", "Foo {{application.name}}")
			}
			if random.IntN(4) == 0 {
				details["contentType"], details["replyTo"] = "text/plain", "a@b.example"
			}
			s.EmailTemplates = append(s.EmailTemplates, map[string]any{"languageTag": language, "templateType": usageType, "details": details})
		}
	}
	return s
}
