package connector_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
	"dmconnector/templates"
)

// lintOf returns the warnings of a connector whose first template is t, as far as
// they are about that one.
func lintOf(t *testing.T, template connector.Template, codeLifetime string) []connector.Problem {
	t.Helper()
	list := []connector.Template{template}
	for _, usageType := range connector.RequiredUsageTypes() {
		list = append(list, connector.Template{UsageType: usageType, LanguageTag: "la", Subject: "{{code}}", Content: "{{code}}"})
	}
	config := map[string]any{
		"accessKeyId": "key", "accessKeySecret": "secret", "accountName": "noreply@mail.example.com", "templates": list,
	}
	if codeLifetime != "" {
		config["codeLifetime"] = codeLifetime
	}
	_, report := connector.Check(mustMarshal(t, config), connector.ParseOptions{})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(report.Warnings, func(p connector.Problem) bool { return !strings.HasPrefix(p.Pointer, "/templates/0") })
}

// besidesCode leaves out that a template shows no code.
func besidesCode(problems []connector.Problem) []connector.Problem {
	return slices.DeleteFunc(problems, func(p connector.Problem) bool { return strings.HasPrefix(p.Detail, "shows no code") })
}

func texts(problems []connector.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, strings.TrimPrefix(p.String(), "/templates/0"))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestVariablesThatNeverComeAreWarnedOf(t *testing.T) {
	const (
		signIn = " with SignIn mail; it may send code, locale, uiLocales, application, organization"
		any    = " with any mail, unless the program that invites adds it; "
	)
	tests := map[string]struct{ usageType, content, want string }{
		"letter case":              {"SignIn", "{{Code}}", "/content, line 1: Logto does not send {{Code}} with SignIn mail; did you mean {{code}}?"},
		"a slip":                   {"Register", "{{aplication.name}}", "/content, line 1: Logto does not send {{aplication.name}} with Register mail; did you mean {{application.name}}?"},
		"a dot too many":           {"SignIn", "{{code.}}", "/content, line 1: Logto does not send {{code.}} with SignIn mail; did you mean {{code}}?"},
		"another type's":           {"SignIn", "{{user.name}}", "/content, line 1: Logto does not send {{user.name}}" + signIn},
		"another flow's":           {"MfaVerification", "{{uiLocales}}", "/content, line 1: Logto does not send {{uiLocales}} with MfaVerification mail; it may send code, locale, application"},
		"nobody's member":          {"BindMfa", "{{user.password}}", "/content, line 1: Logto does not send {{user.password}} with BindMfa mail; it may send code, locale, uiLocales, application, user"},
		"a text's member":          {"SignIn", "{{code.digits}}", "/content, line 1: Logto does not send {{code.digits}}" + signIn},
		"the first of several":     {"SignIn", "{{code}}\n{{code}} {{promo}}\n{{promo}}", "/content, line 2: Logto does not send {{promo}}" + signIn},
		"optional members":         {"SignIn", "{{application.branding.favicon}} {{application.displayName}} {{organization.branding.logoUrl}}", ""},
		"a person's profile":       {"BindMfa", "{{user.profile.nickname}} {{user.profile.address.postalCode}}", ""},
		"asked for first":          {"SignIn", "{{#user.name}}Hello {{user.name}}{{/user.name}}", ""},
		"a part is asked for":      {"SignIn", "{{#user}}Hello {{user.name}}{{/user}}", ""},
		"asked for elsewhere":      {"SignIn", "{{#user}}Hello{{/user}}\n{{user.name}}", "/content, line 2: Logto does not send {{user.name}}" + signIn},
		"something else asked for": {"SignIn", "{{#code}}{{user.name}}{{/code}}", "/content, line 1: Logto does not send {{user.name}}" + signIn},
		"shown for want of it":     {"SignIn", "{{^user}}{{user.name}}{{/user}}", "/content, line 1: Logto does not send {{user.name}}" + signIn},
		"under what never comes":   {"SignIn", "{{#code}}{{#user}}{{^a}}{{promo}}{{/a}}{{/user}}{{/code}}", ""},
		"misspelt, and asked for":  {"SignIn", "{{#Code}}{{Code}}{{/Code}}", "/content, line 1: Logto does not send {{Code}} with SignIn mail; did you mean {{code}}?"},
		"generic, any type's":      {"Generic", "{{user.name}} {{inviter.name}} {{organization.name}} {{link}}", ""},
		"generic, no type's":       {"Generic", "{{promo}}", "/content, line 1: Logto does not send {{promo}}" + any + "it may send code, locale, uiLocales, application, organization, user, inviter, link"},
		"generic, misspelt":        {"Generic", "{{Code}}", "/content, line 1: Logto does not send {{Code}}" + any + "did you mean {{code}}?"},
		"generic's former name":    {"Test", "{{Code}}", "/content, line 1: Logto does not send {{Code}}" + any + "did you mean {{code}}?"},
		"invitations bring more":   {"OrganizationInvitation", "{{custom.plan}} {{Code}} {{linc}}", ""},
		"no type of Logto's":       {"OrderConfirmed", "{{order.id}} {{Code}}", ""},
		"a long name is cut short": {"SignIn", "{{" + strings.Repeat("x", 100) + "}}", "/content, line 1: Logto does not send {{" + strings.Repeat("x", 60) + "…}}" + signIn},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := lintOf(t, connector.Template{UsageType: tt.usageType, Subject: "{{code}}", Content: tt.content}, "")
			if diff := cmp.Diff(tt.want, texts(besidesCode(got))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestVariablesOfAllFieldsAreLookedAt(t *testing.T) {
	got := lintOf(t, connector.Template{
		UsageType: "SignIn", Subject: "{{promo}} {{code}}", Content: "{{promo}}", Text: "\n\n{{promo}}", SendFrom: "{{promo}}", ReplyTo: "{{promo}}",
	}, "")
	var places []string
	for _, p := range besidesCode(got) {
		places = append(places, fmt.Sprint(p.Pointer, " ", p.Line))
	}
	want := []string{"/templates/0/subject 1", "/templates/0/content 1", "/templates/0/text 3", "/templates/0/replyTo 1", "/templates/0/sendFrom 1"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// No variable that a real Logto was seen to send is warned of.
func TestRecordedVariablesAreKnown(t *testing.T) {
	types := map[string]int{}
	for _, file := range glob(t, "../testdata/logto/*.json") {
		var recording struct{ Requests []struct{ Body string } }
		if err := json.Unmarshal(read(t, file), &recording); err != nil {
			t.Fatal(err)
		}
		for _, request := range recording.Requests {
			message, err := connector.ParseMessage([]byte(request.Body))
			if err != nil {
				t.Fatal(err)
			}
			types[message.Type]++
			content := "{{code}}"
			for _, path := range pathsOf(message.Payload) {
				content += "{{" + path + "}}"
			}
			for _, usageType := range []string{message.Type, connector.Generic} {
				if message.Type == connector.OrganizationInvitation && usageType == connector.Generic {
					continue // has what the recording's program made up
				}
				if got := lintOf(t, connector.Template{UsageType: usageType, Subject: "A code", Content: content}, ""); len(got) > 0 {
					t.Errorf("%s as %s: %s", file, usageType, texts(got))
				}
			}
		}
	}
	if len(types) != len(connector.UsageTypes()) {
		t.Errorf("recordings of %v", types)
	}
}

func pathsOf(object map[string]any) []string {
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		paths = append(paths, name)
		if inner, ok := object[name].(map[string]any); ok {
			for _, path := range pathsOf(inner) {
				paths = append(paths, name+"."+path)
			}
		}
	}
	return paths
}

func TestSampleVariablesAreKnown(t *testing.T) {
	for _, usageType := range connector.UsageTypes() {
		content := "{{code}}"
		for _, path := range pathsOf(connector.SampleMessage(usageType).Payload) {
			content += "{{" + path + "}}"
		}
		if got := lintOf(t, connector.Template{UsageType: usageType, Subject: "A code", Content: content}, ""); len(got) > 0 {
			t.Errorf("%s: %s", usageType, texts(got))
		}
	}
}

// Who begins with a built-in template must not be met by warnings, whatever
// codes' lifetime is.
func TestBuiltinTemplatesHaveNoWarnings(t *testing.T) {
	for _, lifetime := range []string{"", "3m"} {
		for _, source := range templates.Builtin() {
			if got := lintOf(t, source, lifetime); len(got) > 0 {
				t.Errorf("%s in %s: %s", source.UsageType, source.LanguageTag, texts(got))
			}
		}
	}
}

func TestLifetimesThatContradict(t *testing.T) {
	const both = "; both must be the lifetime in Logto's verification code policy"
	says := func(line int, written string) string {
		return fmt.Sprintf("/content, line %d: says %q, but codeLifetime is 10 minutes by default%s", line, written, both)
	}
	tests := map[string]struct{ lifetime, content, want string }{
		"right":                 {"", "good for 10 minutes", ""},
		"right, and set":        {"10m", "good for 10 minutes", ""},
		"right, in hours":       {"90m", "good for 1.5 hours", ""},
		"right, in both":        {"90m", "good for 1 hour and 30 minutes", ""},
		"right, in Japanese":    {"1h30m", "1時間30分です", ""},
		"right, in Chinese":     {"1h30m", "1小时30分钟内有效", ""},
		"wrong":                 {"", "good for\n5 minutes", says(2, "5 minutes")},
		"wrong, set to 10":      {"10m", "good for 5 minutes", `/content, line 1: says "5 minutes", but codeLifetime is 10 minutes` + both},
		"wrong, set to another": {"5m", "good for 10 minutes", `/content, line 1: says "10 minutes", but codeLifetime is 5 minutes` + both},
		"set to a minute":       {"1m", "good for 10 minutes", `/content, line 1: says "10 minutes", but codeLifetime is 1 minute` + both},
		"set to odd seconds":    {"90s", "good for 2 minutes", `/content, line 1: says "2 minutes", but codeLifetime is 1m30s` + both},
		"short":                 {"", "good for 5 mins", says(1, "5 mins")},
		"shorter":               {"", "good for 5min.", says(1, "5min")},
		"an adjective":          {"", "a 15-Minute code", says(1, "15-Minute")},
		"an entity":             {"", "good for 5&nbsp;minutes", says(1, "5&nbsp;minutes")},
		"hours":                 {"", "good for 24 hours", says(1, "24 hours")},
		"hours and minutes":     {"", "good for 1 hour, 30 minutes", says(1, "1 hour, 30 minutes")},
		"Chinese":               {"", "5分钟内有效", says(1, "5分钟")},
		"Chinese with a space":  {"", "5 分鐘內有效", says(1, "5 分鐘")},
		"Chinese hours":         {"", "2小时 或", says(1, "2小时")},
		"Taiwan's hours":        {"", "2 個小時", says(1, "2 個小時")},
		"Japanese":              {"", "有効期限は5分です", says(1, "5分")},
		"Japanese, longer":      {"", "5分間有効", says(1, "5分間")},
		"Japanese, wide":        {"", "３０分以内に", says(1, "３０分")},
		"Japanese hours":        {"", "1時間以内", says(1, "1時間")},
		"each once":             {"", "5 minutes\n5 minutes\n3 min", says(1, "5 minutes") + "\n" + says(3, "3 min")},
		"the right one as well": {"", "good for 10 minutes; ask again after 1 minute", ""},
		"not right behind":      {"", "5 of 8 minutes' walk, 7 long minutes", says(1, "8 minutes")},
		"no time at all":        {"", "{{code}}5 minutiae, v5 minutes, 1,000 minutes, #5 minutes", ""},
		"a style":               {"", "<style>p{flex:0 min-width}</style>", ""},
		"another 分":             {"", "5分享", ""},
		"no lifetime of a code": {"", "half an hour, 10分", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := lintOf(t, connector.Template{UsageType: "SignIn", Subject: "{{code}}", Content: tt.content}, tt.lifetime)
			if diff := cmp.Diff(tt.want, texts(besidesCode(got))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLifetimesAreLookedForInEachText(t *testing.T) {
	got := lintOf(t, connector.Template{UsageType: "Register", Subject: "{{code}}, 5 minutes", Content: "<p>10 minutes</p>", Text: "\r\n5 minutes"}, "")
	got = besidesCode(got)
	if len(got) != 2 || got[0].Pointer != "/templates/0/subject" || got[0].Line != 1 || got[1].Pointer != "/templates/0/text" || got[1].Line != 2 {
		t.Errorf("%s", texts(got))
	}
}

// An invitation lives as long as its program says, and so does a mail without a
// code.
func TestLifetimesOfOtherThingsAreNoBusinessOfOurs(t *testing.T) {
	invitation := connector.Template{UsageType: "OrganizationInvitation", Subject: "Join", Content: "{{code}} {{link}} within 24 hours"}
	if got := lintOf(t, invitation, ""); len(got) > 0 {
		t.Errorf("invitation: %s", texts(got))
	}
	reminder := connector.Template{UsageType: "Reminder", Subject: "Soon", Content: "in 24 hours"}
	if got := texts(lintOf(t, reminder, "")); strings.Contains(got, "24 hours") {
		t.Errorf("no code: %s", got)
	}
}

func TestEachVariableInOtherSignsIsWarnedOf(t *testing.T) {
	generic, _ := connector.FindUsageType(connector.Generic)
	for _, name := range generic.Variables {
		got := lintOf(t, connector.Template{UsageType: "SignIn", Subject: "A code", Content: "{{code}} [[" + name + "]]"}, "")
		if len(got) != 1 || !strings.Contains(got[0].Detail, "placeholder looks like") {
			t.Errorf("%s: %s", name, texts(got))
		}
	}
}

// Readers see one of the bodies, and not always the subject.
func TestEachBodyMustShowTheCode(t *testing.T) {
	const html, text = "/content", "/text"
	tests := map[string]struct {
		template connector.Template
		want     []string
	}{
		"both":                     {connector.Template{Content: "<b>{{code}}</b>", Text: "{{code}}"}, nil},
		"HTML alone":               {connector.Template{Content: "<b>{{code}}</b>"}, nil},
		"a link":                   {connector.Template{Content: `<a href="https://example.com/?c={{code}}">Sign in</a>`}, nil},
		"the other spelling":       {connector.Template{Content: "<<code>>"}, nil},
		"the subject":              {connector.Template{Subject: "{{code}}", Content: "Hello"}, []string{html}},
		"not in the text":          {connector.Template{Content: "{{code}}", Text: "Hello"}, []string{text}},
		"not in the HTML":          {connector.Template{Content: "Hello", Text: "{{code}}"}, []string{html}},
		"plain text":               {connector.Template{Content: "Hello", ContentType: "text/plain"}, []string{html}},
		"only asked for":           {connector.Template{Content: "{{#code}}Hello{{/code}}"}, []string{html}},
		"in a comment":             {connector.Template{Content: "<!-- {{code}} -->"}, []string{html}},
		"in a style":               {connector.Template{Content: "<style>{{code}}</style>"}, []string{html}},
		"for Outlook only":         {connector.Template{Content: "<!--[if mso]>{{code}}<![endif]-->"}, []string{html}},
		"for Outlook and others":   {connector.Template{Content: "<!--[if mso]>{{code}}<![endif]-->{{code}}"}, nil},
		"in a tag":                 {connector.Template{Content: "<b {{code}}>"}, []string{html}},
		"a near placeholder of it": {connector.Template{Content: "｛｛code｝｝", Text: "{{code}}"}, []string{html}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.template.UsageType = "SignIn"
			if tt.template.Subject == "" {
				tt.template.Subject = "A code"
			}
			var got []string
			for _, p := range lintOf(t, tt.template, "") {
				if strings.HasPrefix(p.Detail, "shows no code") {
					got = append(got, strings.TrimPrefix(p.Pointer, "/templates/0"))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A template of nothing but trouble must not take long to check, nor fill a page.
func TestWarningsAreBounded(t *testing.T) {
	var content strings.Builder
	content.WriteString("{{code}}")
	for i := range 19_990 {
		fmt.Fprintf(&content, "{{x%d}}", i)
	}
	if got := lintOf(t, connector.Template{UsageType: "SignIn", Subject: "A code", Content: content.String()}, ""); len(got) > 110 {
		t.Errorf("%d warnings", len(got))
	}
}
