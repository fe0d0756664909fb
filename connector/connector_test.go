package connector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/templates"
)

// config is a valid one with the given template for SignIn and plain ones for
// the other required types.
func config(signIn connector.Template) *connector.Config {
	cfg := &connector.Config{
		AccessKeyID: "key", AccessKeySecret: "secret", AccountName: "noreply@mail.example.com",
		FromAlias: "Example", ReplyAddress: "help@mail.example.com", TagName: "codes",
	}
	signIn.UsageType = connector.SignIn
	cfg.Templates = append(cfg.Templates, signIn)
	for _, usageType := range []string{connector.Register, connector.ForgotPassword, connector.Generic} {
		cfg.Templates = append(cfg.Templates, connector.Template{UsageType: usageType, Subject: usageType + " {{code}}", Content: "<p>{{code}}</p>"})
	}
	return cfg
}

func message(payload map[string]any) connector.Message {
	return connector.Message{To: "user@example.com", Type: connector.SignIn, Payload: payload}
}

func TestComposeFillsTheWholeMail(t *testing.T) {
	c := connector.New(config(connector.Template{Subject: "{{code}} for {{application.name}}", Content: "<b>{{code}}</b>", Text: "Code: {{code}}"}))
	mail, trace, err := c.Compose(message(map[string]any{"code": "038081", "application": map[string]any{"name": "A&B"}}))
	if err != nil {
		t.Fatal(err)
	}
	want := &aliyundm.Mail{
		AccountName: "noreply@mail.example.com", FromAlias: "Example", To: "user@example.com",
		Subject: "038081 for A&B", HTMLBody: "<b>038081</b>", TextBody: "Code: 038081",
		ReplyAddress: "help@mail.example.com", TagName: "codes",
	}
	if diff := cmp.Diff(want, mail); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if trace.Template != 0 || trace.UsageType != connector.SignIn || len(trace.Choice) == 0 || trace.Missing != nil {
		t.Errorf("trace %+v", trace)
	}
}

func TestComposeServesUnknownTypesByGeneric(t *testing.T) {
	c := connector.New(config(connector.Template{Subject: "s", Content: "c"}))
	for _, usageType := range []string{"Generic", "Test", "SomethingNew"} {
		mail, trace, err := c.Compose(connector.Message{Type: usageType, Payload: map[string]any{"code": "1234"}})
		if err != nil || mail.Subject != "Generic 1234" || trace.UsageType != connector.Generic {
			t.Errorf("%s: %+v, %+v, %v", usageType, mail, trace, err)
		}
	}
}

func TestComposeWithoutAnyTemplate(t *testing.T) {
	_, _, err := connector.New(&connector.Config{}).Compose(message(nil))
	if !errors.Is(err, connector.ErrTemplateNotFound) {
		t.Error(err)
	}
}

func TestComposeServesBySharedTemplates(t *testing.T) {
	shared := []connector.EmailTemplate{
		{ID: "t-en", Template: connector.Template{UsageType: connector.SignIn, LanguageTag: "en", Subject: "shared en {{code}}", Content: "c"}},
		{ID: "t-ja", Template: connector.Template{UsageType: connector.SignIn, LanguageTag: "ja", Subject: "shared ja {{code}}", Content: "c", SendFrom: "日本", ReplyTo: "ja@mail.example.com"}},
	}
	c := connector.New(config(connector.Template{LanguageTag: "en", Subject: "own en {{code}}", Content: "c"}), shared...)
	tests := map[string]struct {
		locale    string
		want      aliyundm.Mail
		wantTrace connector.Trace
	}{
		"its own first": {
			"en-GB",
			aliyundm.Mail{Subject: "own en 1", FromAlias: "Example", ReplyAddress: "help@mail.example.com"},
			connector.Trace{Template: 0, UsageType: "SignIn", LanguageTag: "en", Choice: []string{"locale en-GB: the template in en fits."}},
		},
		"a shared one": {
			"ja",
			aliyundm.Mail{Subject: "shared ja 1", FromAlias: "日本", ReplyAddress: "ja@mail.example.com"},
			connector.Trace{Template: -1, EmailTemplate: "t-ja", UsageType: "SignIn", LanguageTag: "ja", Choice: []string{"locale ja: there is a template in this language, one of the email templates."}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.want.AccountName, tt.want.To, tt.want.HTMLBody, tt.want.TagName = "noreply@mail.example.com", "user@example.com", "c", "codes"
			mail, trace, err := c.Compose(message(map[string]any{"code": "1", "locale": tt.locale}))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, mail) + cmp.Diff(tt.wantTrace, trace); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestComposeTakesTheTemplatesSender(t *testing.T) {
	tests := map[string]struct {
		template  connector.Template
		payload   map[string]any
		wantAlias string
		wantReply string
		wantNotes int
	}{
		"its own":             {connector.Template{SendFrom: "{{application.name}}", ReplyTo: "{{user.primaryEmail}}"}, map[string]any{"application": map[string]any{"name": "App"}, "user": map[string]any{"primaryEmail": "u@Example.com"}}, "App", "u@example.com", 0},
		"an alias too long":   {connector.Template{SendFrom: "{{application.name}}"}, map[string]any{"application": map[string]any{"name": "验证码验证码验证码验证码验证码验证码"}}, "验证码验证码验证码验证码验证码", "help@mail.example.com", 1},
		"an empty alias":      {connector.Template{SendFrom: "{{application.name}}"}, map[string]any{"application": map[string]any{}}, "Example", "help@mail.example.com", 0},
		"two reply addresses": {connector.Template{ReplyTo: "{{user.primaryEmail}}"}, map[string]any{"user": map[string]any{"primaryEmail": "a@b.example,c@d.example"}}, "Example", "help@mail.example.com", 1},
		"none":                {connector.Template{}, nil, "Example", "help@mail.example.com", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.template.Subject, tt.template.Content = "s", "c"
			mail, trace, err := connector.New(config(tt.template)).Compose(message(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if mail.FromAlias != tt.wantAlias || mail.ReplyAddress != tt.wantReply || len(trace.Notes) != tt.wantNotes {
				t.Errorf("alias %q, reply %q, notes %q", mail.FromAlias, mail.ReplyAddress, trace.Notes)
			}
		})
	}
}

func TestComposeCutsLongSubjects(t *testing.T) {
	c := connector.New(config(connector.Template{Subject: "{{code}} {{application.about}}", Content: "c"}))
	mail, trace, err := c.Compose(message(map[string]any{"code": "123456", "application": map[string]any{"about": strings.Repeat("长", 400)}}))
	if err != nil || len([]rune(mail.Subject)) != 256 || !strings.HasPrefix(mail.Subject, "123456 长") || len(trace.Notes) != 1 {
		t.Errorf("%d characters, notes %q, %v", len([]rune(mail.Subject)), trace.Notes, err)
	}
}

func TestComposeRejectsLongValues(t *testing.T) {
	c := connector.New(config(connector.Template{Subject: "s", Content: "{{code}}{{user.name}}"}))
	mail, trace, err := c.Compose(message(map[string]any{"code": strings.Repeat("&", 4097)}))
	tooLarge, ok := errors.AsType[*templates.TooLargeError](err)
	if mail != nil || !ok || tooLarge.Variable != "code" || trace.UsageType != "SignIn" {
		t.Errorf("%+v, %+v, %v", mail, trace, err)
	}
	mail, trace, err = c.Compose(message(map[string]any{"code": "1", "user": map[string]any{"name": strings.Repeat("n", 5000)}}))
	if err != nil || mail.HTMLBody != "1"+strings.Repeat("n", 64) || len(trace.Notes) != 1 {
		t.Errorf("%+v, %q, %v", mail, trace.Notes, err)
	}
}

func TestComposeHandlesMissingVariables(t *testing.T) {
	tests := map[string]struct {
		onMissing, want string
		refused         bool
	}{
		"as Logto":  {"", "Hi {{user.name}}", false},
		"kept":      {"keep", "Hi {{user.name}}", false},
		"left out":  {"empty", "Hi ", false},
		"a refusal": {"refuse", "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := config(connector.Template{Subject: "s", Content: "Hi {{user.name}}"})
			cfg.OnMissing = tt.onMissing
			mail, trace, err := connector.New(cfg).Compose(message(map[string]any{"code": "1"}))
			missing, refused := errors.AsType[*connector.MissingVariablesError](err)
			if refused != tt.refused || !cmp.Equal(trace.Missing, []string{"user.name"}) {
				t.Fatalf("error %v, missing %q", err, trace.Missing)
			}
			if refused {
				if !cmp.Equal(missing.Variables, []string{"user.name"}) {
					t.Errorf("variables %q", missing.Variables)
				}
				return
			}
			if mail.HTMLBody != tt.want {
				t.Errorf("%q, want %q", mail.HTMLBody, tt.want)
			}
		})
	}
}

// Every recorded flow has a golden mail, made by a connector of Logto's example
// templates and by the built-in ones.
func TestRecordedFlowsBecomeGoldenMails(t *testing.T) {
	for _, name := range []string{"logto-example", "builtin"} {
		c := connector.New(parse(t, read(t, "../testdata/connectors/good/"+name+".json")))
		for _, path := range glob(t, "../testdata/logto/*.json") {
			flow := strings.TrimSuffix(filepath.Base(path), ".json")
			t.Run(name+"/"+flow, func(t *testing.T) {
				var mails strings.Builder
				for _, body := range recorded(t, path) {
					m, err := connector.ParseMessage([]byte(body))
					if err != nil {
						t.Fatal(err)
					}
					mail, trace, err := c.Compose(m)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprint(&mails, printed(mail, trace))
				}
				golden(t, "../testdata/mails/"+name+"/"+flow+".txt", mails.String())
			})
		}
	}
}

// printed is a mail as its golden file shows it. Of the built-in templates
// the text form stands for both: package templates has the HTML.
func printed(mail *aliyundm.Mail, trace connector.Trace) string {
	body := mail.TextBody
	if body == "" {
		body = mail.HTMLBody
	}
	return fmt.Sprintf("to: %s\nfrom: %s <%s>\nsubject: %s\ntemplate: %s\nmissing: %q\n\n%s\n\n",
		mail.To, mail.FromAlias, mail.AccountName, mail.Subject, strings.Join(trace.Choice, " / "), trace.Missing, strings.TrimSpace(body))
}

// recorded returns the bodies of a recording's requests.
func recorded(t *testing.T, path string) []string {
	t.Helper()
	var recording struct {
		Requests []struct{ Body string }
	}
	if err := json.Unmarshal(read(t, path), &recording); err != nil || len(recording.Requests) == 0 {
		t.Fatalf("%s: %d requests, %v", path, len(recording.Requests), err)
	}
	bodies := make([]string, len(recording.Requests))
	for i, request := range recording.Requests {
		bodies[i] = request.Body
	}
	return bodies
}

func TestSampleMessagesLookLikeRecordedOnes(t *testing.T) {
	recordedKeys := map[string]map[string]bool{}
	for _, path := range glob(t, "../testdata/logto/*.json") {
		for _, body := range recorded(t, path) {
			m, err := connector.ParseMessage([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if recordedKeys[m.Type] == nil {
				recordedKeys[m.Type] = map[string]bool{}
			}
			for key := range m.Payload {
				recordedKeys[m.Type][key] = true
			}
		}
	}
	for _, usageType := range connector.UsageTypes() {
		for key := range connector.SampleMessage(usageType).Payload {
			if !recordedKeys[usageType][key] {
				t.Errorf("%s: no recording has %q", usageType, key)
			}
		}
	}
}
