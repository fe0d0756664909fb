package migrate_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
	"dmconnector/internal/migrate"
)

// compare compares Logto's connector with the one that is made of it, or with
// what change makes of that.
func compare(t *testing.T, from *migrate.Logto, opts options, languages []string, change func(*connector.Config)) []migrate.Result {
	t.Helper()
	here, _, err := migrate.NewDraft(from, opts.shared, opts.escape).Connector("config.json", "email-templates.json")
	if err != nil {
		t.Fatalf("%+v: %v", from, err)
	}
	if change != nil {
		cfg := *here.Config()
		change(&cfg)
		here = connector.New(&cfg, here.Shared()...)
	}
	return migrate.Compare(from, here, languages)
}

type options struct {
	shared bool
	escape string
}

// sameMails is a connector of Logto's whose mails are the same here.
func sameMails() *migrate.Logto {
	from := &migrate.Logto{
		Account:          migrate.Account{AccessKeyID: "key", AccessKeySecret: "secret", AccountName: "noreply@mail.example.com", FromAlias: "Example"},
		FallbackLanguage: "en",
	}
	for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", "Generic"} {
		from.Templates = append(from.Templates, template(usageType, "", usageType, "<p>"+usageType+" {{code}}</p>"))
	}
	return from
}

func TestPlainTemplatesAreTheSame(t *testing.T) {
	results := compare(t, sameMails(), options{}, migrate.Languages(sameMails()), nil)
	for _, r := range results {
		if len(r.Differences) > 0 || r.Logto.Body != r.Here.Body || r.Logto.Body == "" {
			t.Errorf("%+v", r)
		}
	}
	if len(results) < 300 {
		t.Errorf("%d results", len(results))
	}
}

func TestReasons(t *testing.T) {
	signIn := func(language, subject, content string) migrate.Template {
		return template("SignIn", language, subject, content)
	}
	with := func(t migrate.Template, set func(*migrate.Template)) migrate.Template { set(&t); return t }
	plain := func(t *migrate.Template) { t.ContentType = "text/plain" }
	english := signIn("en", "s", "<p>en {{code}}</p>")
	tests := map[string]struct {
		emailTemplates []migrate.Template
		opts           options
		change         func(*connector.Config)
		flow, locale   string
		want           []string // field code …
	}{
		"a value that reads as a tag": {
			emailTemplates: []migrate.Template{signIn("en", "s", "<p>{{organization.name}} {{code}}</p>")},
			flow:           "experience-sign-in-organization", locale: "en", want: []string{"body escaping"},
		},
		"a value that is written otherwise and reads the same": {
			emailTemplates: []migrate.Template{template("OrganizationInvitation", "en", "s", `<a href="{{link}}">join</a>`)},
			flow:           "org-invitation",
		},
		"a value that changes the mail's look": {
			emailTemplates: []migrate.Template{signIn("en", "s", `<p style="font-family:{{organization.name}}">{{code}}</p>`)},
			flow:           "experience-sign-in-organization", locale: "en", want: []string{"body escaping"},
		},
		"escaping, if it is off": {
			emailTemplates: []migrate.Template{signIn("en", "s", "<p>{{organization.name}} {{code}}</p>")}, opts: options{escape: "none"},
			flow: "experience-sign-in-organization", locale: "en",
		},
		"a language that is close": {
			emailTemplates: []migrate.Template{english, signIn("zh-TW", "s", "<p>zh {{code}}</p>")},
			flow:           "experience-sign-in", locale: "zh-HK", want: []string{"body language"},
		},
		"a language with no template": {
			emailTemplates: []migrate.Template{english, signIn("zh-TW", "s", "<p>zh {{code}}</p>")},
			flow:           "experience-sign-in", locale: "ko",
		},
		"the reader's other languages": {
			emailTemplates: []migrate.Template{
				template("Register", "ja", "s", "ja"), template("Register", "en", "s", "en"),
			},
			change: func(cfg *connector.Config) { cfg.DefaultLanguage = "ja" },
			flow:   "experience-register-ui-locales", locale: "fr", // English by uiLocales here, as the fallback there
		},
		"Generic in the reader's language": {
			emailTemplates: []migrate.Template{
				template("Generic", "en", "s", "en"), template("Generic", "ja", "s", "ja"),
			},
			flow: "experience-mfa-verification", locale: "ja", want: []string{"body language"},
		},
		"Generic before the config, as in Logto": {
			emailTemplates: []migrate.Template{template("Generic", "en", "s", "en")},
			flow:           "experience-sign-in", locale: "ja",
		},
		"Generic before the config, with shared templates": {
			emailTemplates: []migrate.Template{template("Generic", "en", "SignIn", "en")}, opts: options{shared: true},
			flow: "experience-sign-in", locale: "ja", want: []string{"body generic"},
		},
		"sections and another way to write the code": {
			emailTemplates: []migrate.Template{signIn("en", "<<code>>", "<p>{{#code}}{{code}}{{/code}}</p>")},
			flow:           "experience-sign-in", locale: "en", want: []string{"subject syntax", "body syntax"},
		},
		"a subject of two lines": {
			emailTemplates: []migrate.Template{signIn("en", "a\nb", "<p>en</p>")},
			flow:           "experience-sign-in", locale: "en", want: []string{"subject one_line"},
		},
		"a long name": {
			emailTemplates: []migrate.Template{with(english, func(t *migrate.Template) { t.SendFrom = "{{application.name}} by Example" })},
			flow:           "experience-sign-in", locale: "en", want: []string{"from cut"},
		},
		"a long subject": {
			emailTemplates: []migrate.Template{signIn("en", strings.Repeat("{{application.name}}", 30), "<p>en</p>")},
			flow:           "experience-sign-in", locale: "en", want: []string{"subject cut"},
		},
		"a long name of another template": {
			emailTemplates: []migrate.Template{english, with(signIn("zh-TW", "s", "<p>en {{code}}</p>"), func(t *migrate.Template) { t.SendFrom = "{{application.name}} by Example" })},
			flow:           "experience-sign-in", locale: "zh-HK", want: []string{"from language cut"},
		},
		"no name in another template": {
			emailTemplates: []migrate.Template{with(english, func(t *migrate.Template) { t.SendFrom = "Hi" }), signIn("zh-TW", "s", "<p>en {{code}}</p>")},
			flow:           "experience-sign-in", locale: "zh-HK", want: []string{"from language from_alias"},
		},
		"a name of nothing": {
			emailTemplates: []migrate.Template{with(english, func(t *migrate.Template) { t.SendFrom = "{{application.nothing}}" })},
			flow:           "experience-sign-in", locale: "en", want: []string{"from from_alias"},
		},
		"an address for answers": {
			emailTemplates: []migrate.Template{with(english, func(t *migrate.Template) { t.ReplyTo = "help@example.com" })},
			flow:           "experience-sign-in", locale: "en", want: []string{"replyTo reply_address"},
		},
		"plain text of one line": {
			emailTemplates: []migrate.Template{with(signIn("en", "s", "Your code: {{code}} & more"), plain)},
			flow:           "experience-sign-in", locale: "en",
		},
		"plain text of two lines": {
			emailTemplates: []migrate.Template{with(signIn("en", "s", "Your code:\n{{code}}"), plain)},
			flow:           "experience-sign-in", locale: "en", want: []string{"body plain_text"},
		},
		"plain text with what reads as a tag": {
			emailTemplates: []migrate.Template{with(signIn("en", "s", "{{organization.name}}"), plain)},
			flow:           "experience-sign-in-organization", locale: "en", want: []string{"body plain_text"},
		},
		"plain text of another template": {
			emailTemplates: []migrate.Template{english, with(signIn("zh-TW", "s", "zh {{code}}"), plain)},
			flow:           "experience-sign-in", locale: "zh-HK", want: []string{"body language plain_text"},
		},
		"a missing variable": {
			emailTemplates: []migrate.Template{signIn("en", "{{promo}}", "<p>en {{promo}}</p>")},
			flow:           "experience-sign-in", locale: "en",
		},
		"a missing variable that is left out": {
			emailTemplates: []migrate.Template{signIn("en", "{{promo}}", "<p>en {{promo}}</p>")}, change: func(cfg *connector.Config) { cfg.OnMissing = "empty" },
			flow: "experience-sign-in", locale: "en", want: []string{"subject missing", "body missing"},
		},
		"a missing variable that is rejected": {
			emailTemplates: []migrate.Template{signIn("en", "{{promo}}", "<p>en {{promo}}</p>")}, change: func(cfg *connector.Config) { cfg.OnMissing = "refuse" },
			flow: "experience-sign-in", locale: "en", want: []string{"mail missing"},
		},
		"another name": {
			emailTemplates: []migrate.Template{english}, change: func(cfg *connector.Config) { cfg.FromAlias = "Other" },
			flow: "experience-sign-in", locale: "en", want: []string{"from from_alias"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			from := sameMails()
			from.Templates = append(from.Templates, tt.emailTemplates...)
			results := compare(t, from, tt.opts, []string{"en", tt.locale}, tt.change)
			at := slices.IndexFunc(results, func(r migrate.Result) bool { return r.Name == tt.flow && locale(r) == tt.locale })
			if at < 0 {
				t.Fatal("no such result")
			}
			if diff := cmp.Diff(tt.want, codes(results[at])); diff != "" {
				t.Errorf("(-want +got):\n%s%+v", diff, results[at])
			}
		})
	}
}

// codes are a result's differences, each with its reasons.
func codes(r migrate.Result) []string {
	var list []string
	for _, d := range r.Differences {
		list = append(list, strings.Join(append([]string{d.Field}, d.Reasons...), " "))
	}
	return list
}

func locale(r migrate.Result) string {
	locale, _ := r.Payload["locale"].(string)
	return locale
}

// A flow's list of languages is the reason for its own locale, and goes with it.
func TestOtherLanguagesComeWithoutTheRecordedList(t *testing.T) {
	for _, r := range compare(t, sameMails(), options{}, []string{"fr", "ja"}, nil) {
		want := r.Name == "experience-register-ui-locales" && locale(r) == "fr"
		if _, has := r.Payload["uiLocales"]; has != want {
			t.Errorf("%s in %s: uiLocales %v", r.Name, locale(r), r.Payload["uiLocales"])
		}
		if r.Name == "mgmt-connector-test" && locale(r) != "" {
			t.Errorf("%s names no language and is composed in %s", r.Name, locale(r))
		}
	}
}

func pick[T any](random *rand.Rand, list ...T) T { return list[random.IntN(len(list))] }

// randomLogto has templates of all sorts, in a few languages.
func randomLogto(random *rand.Rand, texts []string) *migrate.Logto {
	text := func() string {
		var parts []string
		for range 1 + random.IntN(4) {
			parts = append(parts, pick(random, texts...))
		}
		return strings.Join(parts, " ")
	}
	from := sameMails()
	from.FallbackLanguage = pick(random, "en", "zh-CN", "de")
	for i := range from.Templates {
		from.Templates[i].Subject, from.Templates[i].Content = text(), "<p>"+text()+"</p>"
	}
	if random.IntN(2) == 0 {
		from.Templates = append(from.Templates, template("BindMfa", "", text(), text()))
	}
	for _, usageType := range []string{"SignIn", "Register", "Generic", "MfaVerification", "OrganizationInvitation"} {
		for _, language := range []string{"en", "zh-CN", "zh-TW", "ja"} {
			if random.IntN(3) > 0 {
				continue
			}
			t := template(usageType, language, text(), "<div>"+text()+"</div>")
			t.ContentType, t.SendFrom = pick(random, "", "text/html", "text/plain"), pick(random, "", "", text())
			from.Templates = append(from.Templates, t)
		}
	}
	return from
}

// Whatever templates there are, no difference is without a reason.
func TestEveryDifferenceHasAReason(t *testing.T) {
	texts := []string{
		"{{code}}", "text", "{{organization.name}}", "{{user.name}}", "{{user.nope}}", "{{promo}}", "{{application}}", "<b>{{application.name}}</b>",
		`<a href="{{link}}">x</a>`, `<p style="{{inviter.name}}">x</p>`, "{{#code}}x{{/code}}", "<<code>>", "{{constructor}}", "{{user.__proto__.valueOf}}",
		"{{organization.branding}}", "a\nb", "<!-- {{code}} -->", "<{{code}}", "{{ nothing }}", "{{custom.plan}}{{count}}{{flag}}", "\u0007", "{{#if x}}",
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]int)
	for range 150 {
		from := randomLogto(random, texts)
		opts := options{shared: random.IntN(2) == 0, escape: pick(random, "", "none")}
		change := func(cfg *connector.Config) { cfg.OnMissing = pick(random, "", "empty", "refuse") }
		for _, r := range compare(t, from, opts, []string{"en", "zh-HK", "ja", "fr", "not a tag"}, change) {
			for _, d := range r.Differences {
				if len(d.Reasons) == 0 {
					t.Fatalf("%s: %s is not explained: %+v\n%+v\n%+v", r.Name, d.Field, d, r, from)
				}
				for _, reason := range d.Reasons {
					seen[reason]++
				}
			}
		}
	}
	t.Log(seen)
	for reason := range migrate.Reasons {
		if seen[reason] == 0 && reason != "reply_address" {
			t.Errorf("nothing was explained by %s", reason)
		}
		delete(seen, reason)
	}
	if len(seen) > 0 {
		t.Errorf("reasons without a text: %v", seen)
	}
}

// The connector that is made of Logto's chooses as Logto does, for all types that
// have a template and for readers whose language has one or is far from all.
func TestDraftChoosesAsLogto(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	checked := 0
	for i := range 200 {
		from := randomLogto(random, []string{"{{code}}"})
		own := make(map[string]bool)
		for j := range from.Templates {
			from.Templates[j].Subject = fmt.Sprint("template ", j)
			from.Templates[j].ContentType, from.Templates[j].SendFrom = "", ""
			own[from.Templates[j].UsageType] = true
		}
		for _, r := range compare(t, from, options{}, []string{"en", "ja", "ko", "ar"}, nil) {
			zh := locale(r) == "zh-TW" || locale(r) == "zh-CN" // one may stand in for the other
			if !own[r.Type] || r.Payload["uiLocales"] != nil || zh {
				continue
			}
			checked++
			if r.Logto.Subject != r.Here.Subject {
				t.Fatalf("%d: %s in %q: Logto %q, here %q by %v", i, r.Type, locale(r), r.Logto.Subject, r.Here.Subject, r.Here.Why)
			}
		}
	}
	if checked < 1000 {
		t.Errorf("%d checked", checked)
	}
}

func TestDraftHasNoTemplateOutOfNothing(t *testing.T) {
	from := &migrate.Logto{FallbackLanguage: "en", Templates: []migrate.Template{template("BindMfa", "ja", "s", "c")}}
	if list := migrate.NewDraft(from, false, "").Templates; len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

// Problems are where a template was in Logto, once, also if it has become several.
func TestDraftNamesPlacesInLogto(t *testing.T) {
	var from migrate.Logto
	config := `{"accessKeyId": "key", "accessKeySecret": "secret", "accountName": "noreply@mail.example.com", "fromAlias": "longer than 15 characters", "templates": [
		{"usageType": "Register", "subject": "s", "content": "{{code}}"}, {"usageType": "SignIn", "subject": "s", "content": "{{code}} {{#if x}}"},
		{"usageType": "ForgotPassword", "subject": "s", "content": "{{code}}"}, {"usageType": "Generic", "subject": "", "content": "{{code}}"}]}`
	emailTemplates := `[{"templateType": "BindMfa", "languageTag": "ja", "details": {"subject": "s", "content": "{{code}}"}},
		{"templateType": "MfaVerification", "languageTag": "ja", "details": {"subject": "s", "content": ""}}]`
	if err := errors.Join(from.ReadConfig([]byte(config)), from.ReadEmailTemplates([]byte(emailTemplates))); err != nil {
		t.Fatal(err)
	}
	_, warnings, err := migrate.NewDraft(&from, false, "").Connector("config.json", "email-templates.json")
	if err == nil {
		t.Fatal("no error")
	}
	places := regexp.MustCompile(`(?m)^ *(\S+: /\S+):`)
	var found []string
	for _, match := range places.FindAllStringSubmatch(err.Error(), -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	want := []string{"config.json: /fromAlias", "config.json: /templates/3/subject", "email-templates.json: /1/details/content"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "config.json: warning: /templates/1/content, line 1: ") {
		t.Errorf("warnings %q", warnings)
	}
}

func TestExcerpts(t *testing.T) {
	long := strings.Repeat("x", 200)
	tests := []struct{ there, here, wantThere, wantHere string }{
		{"your code", "your pin", "your code", "your pin"},
		{"a\nb", "a b", "a↵b", "a b"},
		{"", "new", "", "new"},
		{long + "a", long, "…" + long[:40] + "a", "…" + long[:40]},
		{"验证码" + long, "驗證碼", "验证码" + long[:117] + "…", "驗證碼"},
	}
	for _, tt := range tests {
		if there, here := migrate.Excerpts(tt.there, tt.here); there != tt.wantThere || here != tt.wantHere {
			t.Errorf("%q, %q: %q, %q", tt.there, tt.here, there, here)
		}
	}
}

// The guide explains every reason in a table.
func TestGuideExplainsEveryReason(t *testing.T) {
	guide, err := os.ReadFile("../../docs/moving-from-logto.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(guide), -1) {
		explained[row[1]] = true
	}
	for reason := range migrate.Reasons {
		if !explained[reason] {
			t.Errorf("%s is not explained", reason)
		}
		delete(explained, reason)
	}
	if len(explained) > 0 {
		t.Errorf("the guide explains what there is not: %v", explained)
	}
}
