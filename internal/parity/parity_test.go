package parity_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
	"dmconnector/internal/logto"
	"dmconnector/internal/parity"
)

// compare holds Logto's connector against the one that is made of it, or that
// change made of that.
func compare(t *testing.T, from *logto.Connector, opts parity.DraftOptions, languages []string, change func(*connector.Config)) []parity.Result {
	t.Helper()
	here, ofConfig, ofEmailTemplates := parity.NewDraft(from, opts).Connector()
	if here == nil {
		t.Fatalf("%+v: %v, %v", from, ofConfig.Err(), ofEmailTemplates.Err())
	}
	if change != nil {
		cfg := *here.Config()
		change(&cfg)
		here = connector.New(&cfg, here.Shared()...)
	}
	return (&parity.Comparison{Logto: from, Here: here, Languages: languages}).Run()
}

// plain is a connector of Logto's whose mails are the same here.
func plain() *logto.Connector {
	from := &logto.Connector{
		Config:           &logto.Config{AccessKeyID: "key", AccessKeySecret: "secret", AccountName: "noreply@mail.example.com", FromAlias: "Example"},
		FallbackLanguage: "en",
	}
	for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", "Generic"} {
		from.Config.Templates = append(from.Config.Templates, logto.ConfigTemplate{UsageType: usageType, Subject: usageType, Content: "<p>" + usageType + " {{code}}</p>"})
	}
	return from
}

func TestPlainTemplatesAreTheSame(t *testing.T) {
	results := compare(t, plain(), parity.DraftOptions{}, logto.Languages(), nil)
	for _, r := range results {
		if r.Outcome != parity.Same || len(r.Differences) > 0 || r.Logto.HTML != r.Here.HTML || r.Logto.HTML == "" {
			t.Errorf("%+v", r)
		}
	}
	if len(results) < 300 {
		t.Errorf("%d results", len(results))
	}
}

func TestReasons(t *testing.T) {
	signIn := func(language, subject, content string) logto.EmailTemplate {
		return logto.EmailTemplate{TemplateType: "SignIn", LanguageTag: language, Subject: subject, Content: content}
	}
	with := func(t logto.EmailTemplate, set func(*logto.EmailTemplate)) logto.EmailTemplate { set(&t); return t }
	english := signIn("en", "s", "<p>en {{code}}</p>")
	tests := map[string]struct {
		emailTemplates []logto.EmailTemplate
		opts           parity.DraftOptions
		change         func(*connector.Config)
		flow, locale   string
		outcome        parity.Outcome
		want           []string // field code …
	}{
		"a value that reads as a tag": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "s", "<p>{{organization.name}} {{code}}</p>")},
			flow:           "experience-sign-in-organization", locale: "en", outcome: parity.Differs, want: []string{"body escaping"},
		},
		"a value that is written otherwise and reads the same": {
			emailTemplates: []logto.EmailTemplate{{TemplateType: "OrganizationInvitation", LanguageTag: "en", Subject: "s", Content: `<a href="{{link}}">join</a>`}},
			flow:           "org-invitation", outcome: parity.Unseen, want: []string{"body escaping"},
		},
		"a value that changes the mail's look": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "s", `<p style="font-family:{{organization.name}}">{{code}}</p>`)},
			flow:           "experience-sign-in-organization", locale: "en", outcome: parity.Differs, want: []string{"body escaping"},
		},
		"escaping, if it is off": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "s", "<p>{{organization.name}} {{code}}</p>")}, opts: parity.DraftOptions{Escape: "none"},
			flow: "experience-sign-in-organization", locale: "en", outcome: parity.Same,
		},
		"a language that is close": {
			emailTemplates: []logto.EmailTemplate{english, signIn("zh-TW", "s", "<p>zh {{code}}</p>")},
			flow:           "experience-sign-in", locale: "zh-HK", outcome: parity.Differs, want: []string{"body language"},
		},
		"a language with no template": {
			emailTemplates: []logto.EmailTemplate{english, signIn("zh-TW", "s", "<p>zh {{code}}</p>")},
			flow:           "experience-sign-in", locale: "ko", outcome: parity.Same,
		},
		"the reader's other languages": {
			emailTemplates: []logto.EmailTemplate{
				{TemplateType: "Register", LanguageTag: "ja", Subject: "s", Content: "ja"}, {TemplateType: "Register", LanguageTag: "en", Subject: "s", Content: "en"},
			},
			change: func(cfg *connector.Config) { cfg.DefaultLanguage = "ja" },
			flow:   "experience-register-ui-locales", locale: "fr", outcome: parity.Same, // English by uiLocales here, as the fallback there
		},
		"Generic in the reader's language": {
			emailTemplates: []logto.EmailTemplate{
				{TemplateType: "Generic", LanguageTag: "en", Subject: "s", Content: "en"}, {TemplateType: "Generic", LanguageTag: "ja", Subject: "s", Content: "ja"},
			},
			flow: "experience-mfa-verification", locale: "ja", outcome: parity.Differs, want: []string{"body language"},
		},
		"Generic before the config, as in Logto": {
			emailTemplates: []logto.EmailTemplate{{TemplateType: "Generic", LanguageTag: "en", Subject: "s", Content: "en"}},
			flow:           "experience-sign-in", locale: "ja", outcome: parity.Same,
		},
		"Generic before the config, with shared templates": {
			emailTemplates: []logto.EmailTemplate{{TemplateType: "Generic", LanguageTag: "en", Subject: "SignIn", Content: "en"}}, opts: parity.DraftOptions{Shared: true},
			flow: "experience-sign-in", locale: "ja", outcome: parity.Differs, want: []string{"body generic"},
		},
		"sections and another way to write the code": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "<<code>>", "<p>{{#code}}{{code}}{{/code}}</p>")},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"subject syntax", "body syntax"},
		},
		"insides of JavaScript": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "{{constructor}}", "<p>{{ application.toString }}</p>")},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"subject javascript", "body javascript"},
		},
		"a subject of two lines": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "a\nb", "<p>en</p>")},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"subject one_line"},
		},
		"a long name": {
			emailTemplates: []logto.EmailTemplate{with(english, func(t *logto.EmailTemplate) { t.SendFrom = "{{application.name}} by Example" })},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"mail cut", "from cut"},
		},
		"a name of nothing": {
			emailTemplates: []logto.EmailTemplate{with(english, func(t *logto.EmailTemplate) { t.SendFrom = "{{application.nothing}}" })},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"from empty_name"},
		},
		"an address for answers": {
			emailTemplates: []logto.EmailTemplate{with(english, func(t *logto.EmailTemplate) { t.ReplyTo = "help@example.com" })},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"replyTo reply_address"},
		},
		"plain text of one line": {
			emailTemplates: []logto.EmailTemplate{with(signIn("en", "s", "Your code: {{code}}"), func(t *logto.EmailTemplate) { t.ContentType = "text/plain" })},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Unseen, want: []string{"body plain_text"},
		},
		"plain text of two lines": {
			emailTemplates: []logto.EmailTemplate{with(signIn("en", "s", "Your code:\n{{code}}"), func(t *logto.EmailTemplate) { t.ContentType = "text/plain" })},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"body plain_text"},
		},
		"a missing variable": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "{{promo}}", "<p>en {{promo}}</p>")},
			flow:           "experience-sign-in", locale: "en", outcome: parity.Same,
		},
		"a missing variable that is left out": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "{{promo}}", "<p>en {{promo}}</p>")}, change: func(cfg *connector.Config) { cfg.OnMissing = "empty" },
			flow: "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"subject missing", "body missing"},
		},
		"a missing variable that is refused": {
			emailTemplates: []logto.EmailTemplate{signIn("en", "{{promo}}", "<p>en {{promo}}</p>")}, change: func(cfg *connector.Config) { cfg.OnMissing = "refuse" },
			flow: "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"mail missing"},
		},
		"another name": {
			emailTemplates: []logto.EmailTemplate{english}, change: func(cfg *connector.Config) { cfg.FromAlias = "Other" },
			flow: "experience-sign-in", locale: "en", outcome: parity.Differs, want: []string{"from setting"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			from := plain()
			from.EmailTemplates = tt.emailTemplates
			results := compare(t, from, tt.opts, []string{"en", tt.locale}, tt.change)
			at := slices.IndexFunc(results, func(r parity.Result) bool { return r.Flow == tt.flow && r.Locale == tt.locale })
			if at < 0 {
				t.Fatal("no such result")
			}
			if diff := cmp.Diff(tt.want, codes(results[at])); diff != "" || results[at].Outcome != tt.outcome {
				t.Errorf("%s (-want +got):\n%s%+v", results[at].Outcome, diff, results[at])
			}
		})
	}
}

// codes are a result's differences, each with its reasons.
func codes(r parity.Result) []string {
	var list []string
	for _, d := range r.Differences {
		text := d.Field
		for _, reason := range d.Reasons {
			text += " " + string(reason.Code)
		}
		list = append(list, text)
	}
	return list
}

// A flow's list of languages is the reason for its own locale, and goes with it.
func TestOtherLanguagesComeWithoutTheRecordedList(t *testing.T) {
	for _, r := range compare(t, plain(), parity.DraftOptions{}, []string{"fr", "ja"}, nil) {
		if want := r.Flow == "experience-register-ui-locales" && r.Locale == "fr"; (r.UILocales != "") != want {
			t.Errorf("%s in %s: uiLocales %q", r.Flow, r.Locale, r.UILocales)
		}
	}
}

func TestNotesOnWhatIsTheSameAndDoubtful(t *testing.T) {
	from := plain()
	from.Config.Templates[1].Subject = "{{promo}}"
	for _, r := range compare(t, from, parity.DraftOptions{}, nil, nil) {
		if r.UsageType == connector.OrganizationInvitation {
			continue // has no code, which Generic's template shows
		}
		if want := r.UsageType == "SignIn"; (len(r.Notes) == 1) != want || want && !strings.Contains(r.Notes[0], "{{promo}} stays as written") {
			t.Errorf("%s: %q", r.Flow, r.Notes)
		}
	}
}

func pick[T any](random *rand.Rand, list ...T) T { return list[random.IntN(len(list))] }

// randomConnector has templates of all sorts, in a few languages.
func randomConnector(random *rand.Rand, texts []string) *logto.Connector {
	text := func() string {
		var parts []string
		for range 1 + random.IntN(4) {
			parts = append(parts, pick(random, texts...))
		}
		return strings.Join(parts, " ")
	}
	from := plain()
	from.FallbackLanguage = pick(random, "en", "zh-CN", "de")
	for i := range from.Config.Templates {
		from.Config.Templates[i].Subject, from.Config.Templates[i].Content = text(), "<p>"+text()+"</p>"
	}
	if random.IntN(2) == 0 {
		from.Config.Templates = append(from.Config.Templates, logto.ConfigTemplate{UsageType: "BindMfa", Subject: text(), Content: text()})
	}
	for _, usageType := range []string{"SignIn", "Register", "Generic", "MfaVerification", "OrganizationInvitation"} {
		for _, language := range []string{"en", "zh-CN", "zh-TW", "ja"} {
			if random.IntN(3) > 0 {
				continue
			}
			from.EmailTemplates = append(from.EmailTemplates, logto.EmailTemplate{
				TemplateType: usageType, LanguageTag: language, Subject: text(), Content: "<div>" + text() + "</div>",
				ContentType: pick(random, "", "text/html", "text/plain"), SendFrom: pick(random, "", "", text()),
			})
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
	seen := make(map[parity.Code]int)
	for range 150 {
		from := randomConnector(random, texts)
		opts := parity.DraftOptions{Shared: random.IntN(2) == 0, Escape: pick(random, "", "none")}
		change := func(cfg *connector.Config) { cfg.OnMissing = pick(random, "", "empty", "refuse") }
		for _, r := range compare(t, from, opts, []string{"en", "zh-HK", "ja", "fr", "not a tag"}, change) {
			for _, d := range r.Differences {
				for _, reason := range d.Reasons {
					seen[reason.Code]++
					if reason.Code == parity.Other {
						t.Fatalf("%s: %s is not explained: %+v\n%+v\n%+v", r.Flow, d.Field, d, r, from)
					}
				}
			}
		}
	}
	t.Log(seen)
	if len(seen) < 9 {
		t.Errorf("few reasons: %v", seen)
	}
}

// The connector that is made of Logto's chooses as Logto does, for all types that
// have a template and for readers whose language has one or is far from all.
func TestDraftChoosesAsLogto(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	checked := 0
	for i := range 200 {
		from := randomConnector(random, []string{"{{code}}"})
		for j := range from.Config.Templates {
			from.Config.Templates[j].Subject = fmt.Sprint("config ", j)
		}
		own := make(map[string]bool)
		for j := range from.EmailTemplates {
			from.EmailTemplates[j].Subject = fmt.Sprint("email ", j)
			from.EmailTemplates[j].ContentType, from.EmailTemplates[j].SendFrom = "", ""
			own[from.EmailTemplates[j].TemplateType] = true
		}
		for _, t := range from.Config.Templates {
			own[t.UsageType] = true
		}
		for _, r := range compare(t, from, parity.DraftOptions{}, []string{"en", "ja", "ko", "ar"}, nil) {
			zh := r.Locale == "zh-TW" || r.Locale == "zh-CN" // one may stand in for the other
			if !own[r.UsageType] || r.UILocales != "" || zh {
				continue
			}
			checked++
			if r.Logto.Subject != r.Here.Subject {
				t.Fatalf("%d: %s in %q: Logto %q by %v, here %q by %v", i, r.UsageType, r.Locale, r.Logto.Subject, r.Logto.Why, r.Here.Subject, r.Here.Why)
			}
		}
	}
	if checked < 1000 {
		t.Errorf("%d checked", checked)
	}
}

func TestDraftLeavesOutWhatHasNoLanguage(t *testing.T) {
	from := plain()
	from.EmailTemplates = []logto.EmailTemplate{{TemplateType: "SignIn", LanguageTag: "not a tag", Subject: "s", Content: "c"}}
	list := parity.NewDraft(from, parity.DraftOptions{}).LeftOut()
	if len(list) != 1 || !strings.Contains(list[0], `SignIn "not a tag"`) {
		t.Errorf("left out: %q", list)
	}
}

// Problems are where a template was in Logto, once, also if it has become several.
func TestDraftNamesPlacesInLogto(t *testing.T) {
	from := plain()
	from.Config.FromAlias = "longer than 15 characters"
	from.Config.Templates[3].Subject = "" // Generic, which stands in for two more
	from.EmailTemplates = []logto.EmailTemplate{
		{TemplateType: "BindMfa", LanguageTag: "ja", Subject: "s", Content: "{{code}}"}, {TemplateType: "MfaVerification", LanguageTag: "ja", Subject: "s", Content: ""},
	}
	here, ofConfig, ofEmailTemplates := parity.NewDraft(from, parity.DraftOptions{}).Connector()
	var places [2][]string
	for i, report := range []connector.Report{ofConfig, ofEmailTemplates} {
		for _, p := range report.Errors {
			places[i] = append(places[i], p.Pointer)
		}
		slices.Sort(places[i])
	}
	want := [2][]string{{"/fromAlias", "/templates/3/subject"}, {"/1/details/content"}}
	if diff := cmp.Diff(want, places); diff != "" || here != nil {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
