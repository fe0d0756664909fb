package logtopeers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"dmconnector/connector"
	"dmconnector/internal/migrate"
)

// A sending is what aliyun.mjs reads.
type sending struct {
	Config           map[string]any   `json:"config"`
	EmailTemplates   []map[string]any `json:"emailTemplates"`
	FallbackLanguage string           `json:"fallbackLanguage"`
	Type             string           `json:"type"`
	Payload          map[string]any   `json:"payload"`
}

// Package migrate composes the mails of Logto's own connector: by which template
// of the config, with which sender's name, in which of Direct Mail's parameters.
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
	chosen := make(map[string]int)
	for i, line := range lines {
		var want struct {
			Form  map[string]string
			Error string
		}
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		if want.Form == nil {
			t.Fatalf("Logto failed on %+v: %s", sendings[i], want.Error)
		}
		mail := composed(t, sendings[i])
		chosen[mail.Template]++
		got := map[string]string{"FromAlias": mail.From, "Subject": mail.Subject, "HtmlBody": mail.Body, "ReplyToAddress": "false"}
		for key := range got { // the others are of the signature and the account
			if got[key] != want.Form[key] {
				t.Fatalf("%+v: %s is %q, Logto has %q", sendings[i], key, got[key], want.Form[key])
			}
		}
		if want.Form["ReplyAddress"] != "" || want.Form["TextBody"] != "" {
			t.Fatalf("Logto sent more than is known: %v", want.Form)
		}
	}
	for _, name := range []string{
		"email template SignIn ja", "email template BindMfa en", "email template BindMfa zh-CN", "email template Generic en", "email template Generic zh-CN",
		"config template SignIn", "config template BindMfa", "config template Generic",
	} {
		if chosen[name] == 0 {
			t.Errorf("no mail is of the %s: %v", name, chosen)
		}
	}
}

// composed is what package migrate makes of it.
func composed(t *testing.T, s sending) migrate.Mail {
	t.Helper()
	config, _ := json.Marshal(s.Config)
	emailTemplates, _ := json.Marshal(s.EmailTemplates)
	l := migrate.Logto{FallbackLanguage: s.FallbackLanguage}
	if err := errors.Join(l.ReadConfig(config), l.ReadEmailTemplates(emailTemplates)); err != nil {
		t.Fatal(err)
	}
	return l.Compose(migrate.Flow{Type: s.Type, Payload: s.Payload})
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
