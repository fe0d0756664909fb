package templates_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/width"
)

// The order in which Builtin is documented to list its templates.
var (
	languages  = []string{"en", "zh-CN", "zh-TW", "ja"}
	usageTypes = []string{
		"SignIn", "Register", "ForgotPassword", "OrganizationInvitation", "Generic",
		"UserPermissionValidation", "BindNewIdentifier", "MfaVerification", "BindMfa",
	}
)

func TestBuiltinIsComplete(t *testing.T) {
	var want, got []string
	for _, lang := range languages {
		for _, usageType := range usageTypes {
			want = append(want, lang+" "+usageType)
		}
	}
	subjects := map[string]bool{}
	for _, src := range templates.Builtin() {
		got = append(got, src.LanguageTag+" "+src.UsageType)
		if src.Subject == "" || src.Content == "" || src.Text == "" {
			t.Errorf("%s in %s: subject, content or text is empty", src.UsageType, src.LanguageTag)
		}
		if subjects[src.LanguageTag+src.Subject] {
			t.Errorf("%s in %s: another type has the subject %q", src.UsageType, src.LanguageTag, src.Subject)
		}
		subjects[src.LanguageTag+src.Subject] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
}

func TestBuiltinCompilesWithoutWarnings(t *testing.T) {
	for _, src := range templates.Builtin() {
		if _, warnings := templates.Compile(src); len(warnings) > 0 {
			t.Errorf("%s in %s: %v", src.UsageType, src.LanguageTag, warnings)
		}
	}
}

func TestBuiltinIsTheCallersOwn(t *testing.T) {
	templates.Builtin()[0].Subject = "changed"
	if got := templates.Builtin()[0].Subject; got == "changed" {
		t.Error("a caller changed the built-in templates")
	}
}

// withPreview are the types whose hidden preview line shows the code.
var withPreview = []string{"SignIn", "Register", "ForgotPassword", "Generic", "BindNewIdentifier"}

func TestBuiltinRendersRecordedRequests(t *testing.T) {
	for name, rec := range recordedRequests(t) {
		for _, lang := range languages {
			t.Run(name+"/"+lang, func(t *testing.T) {
				mail := render(t, builtin(t, lang, rec.Type), rec.Payload)
				checkSubject(t, mail.Subject)
				wantHTML := 1
				if slices.Contains(withPreview, rec.Type) {
					wantHTML = 2
				}
				checkCode(t, mail, rec.Payload["code"], wantHTML)
			})
		}
	}
}

func TestBuiltinReadsWellWithTheCodeAlone(t *testing.T) {
	for _, src := range templates.Builtin() {
		mail := render(t, src, map[string]any{"code": "038081"})
		checkSubject(t, mail.Subject)
		if strings.Contains(mail.Subject+mail.Text, "  ") || regexp.MustCompile(`[“「【][”」】]`).MatchString(mail.Text) {
			t.Errorf("%s in %s leaves a gap: %q %q", src.UsageType, src.LanguageTag, mail.Subject, mail.Text)
		}
	}
}

// Where an address is not known to be the user's, a name would let anybody
// write a line of their own to strangers.
func TestBuiltinGreetsOnlyAtTheUsersOwnAddress(t *testing.T) {
	const user = "Alice Müller"
	payload := map[string]any{"code": "038081", "user": map[string]any{"name": user}}
	for _, src := range templates.Builtin() {
		mail := render(t, src, payload)
		want := src.UsageType == "UserPermissionValidation" || src.UsageType == "BindMfa"
		if strings.Contains(mail.HTML, user) != want || strings.Contains(mail.Text, user) != want {
			t.Errorf("%s in %s: greets by name: want %v", src.UsageType, src.LanguageTag, want)
		}
	}
}

func TestBuiltinNamesTheApplicationAsUsersKnowIt(t *testing.T) {
	payload := map[string]any{"code": "038081", "application": map[string]any{
		"name": "branded-spa", "displayName": "Acme Portal",
	}}
	for _, src := range templates.Builtin() {
		if src.UsageType == "OrganizationInvitation" {
			continue
		}
		mail := render(t, src, payload)
		for part, got := range map[string]string{"subject": mail.Subject, "HTML": mail.HTML, "text": mail.Text} {
			if !strings.Contains(got, "Acme Portal") || strings.Contains(got, "branded-spa") {
				t.Errorf("%s in %s: the %s lacks the display name or has the other: %q", src.UsageType, src.LanguageTag, part, got)
			}
		}
	}
}

// A phrase that is missing or misspelt in one language would otherwise fall back
// to a common one in silence.
func TestBuiltinLanguagesHaveTheSamePhrases(t *testing.T) {
	want := phraseKeys(t, "en")
	for _, lang := range languages[1:] {
		if diff := cmp.Diff(want, phraseKeys(t, lang)); diff != "" {
			t.Errorf("phrases of %s (-en +%s):\n%s", lang, lang, diff)
		}
	}
}

func TestBuiltinTypography(t *testing.T) {
	notInLanguage := map[string]string{
		"en":    `["']`,
		"zh-CN": `[,;:!?()"'「」驗證碼請郵帳號們這嗎錄]`,
		"zh-TW": `[,;:!?()"'“”验证码请邮账号们这吗录]|賬號|郵箱|登錄`,
		"ja":    `[,;:!?()"'“”，：验驗]`,
	}
	lifetime := regexp.MustCompile(`\d`) // the service does not know it
	for _, src := range templates.Builtin() {
		mail := render(t, src, map[string]any{"code": "X"})
		said := mail.Subject + "\n" + mail.Text
		if src.LanguageTag == "ja" {
			said = strings.ReplaceAll(said, "2段階認証", "")
		}
		bad := regexp.MustCompile(notInLanguage[src.LanguageTag])
		if found := bad.FindString(said) + lifetime.FindString(said); found != "" {
			t.Errorf("%s in %s says %q in %q", src.UsageType, src.LanguageTag, found, said)
		}
		for line := range strings.Lines(mail.Text) {
			if columns(line) > 72 {
				t.Errorf("%s in %s: %d columns: %s", src.UsageType, src.LanguageTag, columns(line), line)
			}
		}
	}
}

func columns(line string) (n int) {
	for _, r := range strings.TrimSpace(line) {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// render renders src with both ways to treat what is missing, which must not
// matter, and finds whatever should never reach a reader.
func render(t *testing.T, src templates.Source, payload map[string]any) templates.Rendered {
	t.Helper()
	tmpl, _ := templates.Compile(src)
	mail := rendered(t, tmpl, payload, templates.KeepMissing)
	if diff := cmp.Diff(mail, rendered(t, tmpl, payload, templates.DropMissing)); diff != "" {
		t.Errorf("%s in %s depends on what is missing (-keep +drop):\n%s", src.UsageType, src.LanguageTag, diff)
	}
	if len(mail.Missing) > 0 || len(mail.Notes) > 0 {
		t.Errorf("%s in %s: missing %v, notes %v", src.UsageType, src.LanguageTag, mail.Missing, mail.Notes)
	}
	for _, bad := range []string{"{{", "}}", "null", "undefined", "[object", "<%", "[app|", "[user|", "[inviter|", "[organization|", "$"} {
		for part, got := range map[string]string{"subject": mail.Subject, "HTML": mail.HTML, "text": mail.Text} {
			if strings.Contains(got, bad) {
				t.Errorf("%s in %s: %q in the %s", src.UsageType, src.LanguageTag, bad, part)
			}
		}
	}
	return mail
}

func checkSubject(t *testing.T, subject string) {
	t.Helper()
	if n := utf8.RuneCountInString(subject); n == 0 || n >= 100 {
		t.Errorf("the subject has %d characters: %s", n, subject)
	}
	if strings.TrimSpace(subject) != subject {
		t.Errorf("the subject has space around it: %q", subject)
	}
}

// checkCode finds the code on a line of its own in the text, wantHTML times in
// the HTML, and not in the subject.
func checkCode(t *testing.T, mail templates.Rendered, value any, wantHTML int) {
	t.Helper()
	code, _ := value.(string)
	if code == "" {
		if strings.Contains(mail.HTML, `class="code"`) {
			t.Error("a block for a code that is not there")
		}
		return
	}
	if strings.Contains(mail.Subject, code) {
		t.Errorf("the subject shows the code: %s", mail.Subject)
	}
	if n := strings.Count(mail.HTML, code); n != wantHTML || !strings.Contains(mail.HTML, ">"+code+"<") {
		t.Errorf("the code is %d times in the HTML, want %d, one alone in its element", n, wantHTML)
	}
	if strings.Count(mail.Text, code) != 1 || !strings.Contains(mail.Text, "\n\n"+code+"\n\n") {
		t.Errorf("the code is not once, on its own line, in the text:\n%s", mail.Text)
	}
}

func builtin(t *testing.T, lang, usageType string) templates.Source {
	t.Helper()
	for _, src := range templates.Builtin() {
		if src.LanguageTag == lang && src.UsageType == usageType {
			return src
		}
	}
	t.Fatalf("no template for %s in %s", usageType, lang)
	return templates.Source{}
}

type request struct {
	Type    string         `json:"type"`
	Payload map[string]any `json:"payload"`
}

// recordedRequests are what a real Logto sent, by flow.
func recordedRequests(t *testing.T) map[string]request {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "logto", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded requests: %v", err)
	}
	requests := map[string]request{}
	for _, file := range files {
		var recording struct {
			Requests []struct {
				Body string `json:"body"`
			} `json:"requests"`
		}
		decodeFile(t, file, &recording)
		for i, r := range recording.Requests {
			var req request
			dec := json.NewDecoder(strings.NewReader(r.Body))
			dec.UseNumber()
			if err := dec.Decode(&req); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			requests[fmt.Sprintf("%s %d", filepath.Base(file), i)] = req
		}
	}
	return requests
}

func phraseKeys(t *testing.T, lang string) []string {
	t.Helper()
	var words struct {
		Common map[string]string
		Types  map[string]map[string]string
	}
	decodeFile(t, filepath.Join("builtin", lang+".json"), &words)
	var keys []string
	for key := range words.Common {
		keys = append(keys, key)
	}
	for usageType, phrases := range words.Types {
		for key := range phrases {
			keys = append(keys, usageType+"."+key)
		}
	}
	slices.Sort(keys)
	return keys
}

func decodeFile(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
