package templates_test

import (
	"strings"
	"testing"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
)

// newSet makes a set of own templates written as "SignIn zh-CN".
func newSet(defaultLanguage string, written ...string) *templates.Set {
	return templates.NewSet(compileAll(written), nil, defaultLanguage)
}

func compileAll(written []string) []*templates.Template {
	list := make([]*templates.Template, len(written))
	for i, w := range written {
		usageType, tag, _ := strings.Cut(w, " ")
		list[i], _ = templates.Compile(templates.Source{UsageType: usageType, LanguageTag: tag})
	}
	return list
}

func TestChooseByLanguage(t *testing.T) {
	cases := map[string]struct {
		have              string // apart by commas, "-" without a language
		locale, uiLocales string
		standard          string
		want              string
	}{
		"exact":                             {have: "en,ja,-", locale: "ja", want: "ja"},
		"letter case":                       {have: "en,zh-cn", locale: "zh-CN", want: "zh-cn"},
		"underscore":                        {have: "en,pt-BR", locale: "pt_BR", want: "pt-BR"},
		"region of a language":              {have: "en,fr", locale: "fr-CA", want: "fr"},
		"language of a region":              {have: "en,fr-CA", locale: "fr", want: "fr-CA"},
		"zh-TW is traditional":              {have: "zh-CN,zh-TW", locale: "zh-TW", want: "zh-TW"},
		"zh-TW reads Hant":                  {have: "zh-CN,zh-Hant", locale: "zh-TW", want: "zh-Hant"},
		"zh-HK reads Hant":                  {have: "zh-CN,zh-Hant", locale: "zh-HK", want: "zh-Hant"},
		"zh-HK reads Taiwan's":              {have: "zh-CN,zh-TW", locale: "zh-HK", want: "zh-TW"},
		"zh-MO reads Hong Kong's":           {have: "zh-CN,zh-HK", locale: "zh-MO", want: "zh-HK"},
		"zh-SG is simplified":               {have: "zh-TW,zh-CN", locale: "zh-SG", want: "zh-CN"},
		"zh is simplified":                  {have: "zh-TW,zh-CN", locale: "zh", want: "zh-CN"},
		"zh-Hant-CN":                        {have: "zh-CN,zh-TW", locale: "zh-Hant-CN", want: "zh-TW"},
		"pt has Brazil's":                   {have: "en,pt-BR", locale: "pt", want: "pt-BR"},
		"pt has Portugal's":                 {have: "en,pt-PT", locale: "pt", want: "pt-PT"},
		"pt prefers Brazil's":               {have: "pt-PT,pt-BR", locale: "pt", want: "pt-BR"},
		"en-AU prefers Britain's":           {have: "en-US,en-GB", locale: "en-AU", want: "en-GB"},
		"no Serbian for Croatian":           {have: "en,sr-Latn", locale: "hr", want: "en"},
		"no Indonesian for Malay":           {have: "en,id", locale: "ms", want: "en"},
		"no Chinese for Cantonese":          {have: "en,zh-TW", locale: "yue-HK", want: "en"},
		"former tag":                        {have: "en,he", locale: "iw", want: "he"},
		"the locale first":                  {have: "en,ja,fr", locale: "ja", uiLocales: "fr en", want: "ja"},
		"then the list in order":            {have: "en,ja,fr", locale: "tlh", uiLocales: "ko fr-CA en", want: "fr"},
		"one preference at a time":          {have: "en,fr-CA", locale: "", uiLocales: "fr en", want: "fr-CA"},
		"malformed tags are skipped":        {have: "en,fr", locale: "%%", uiLocales: "x_y_z!! 1 fr", want: "fr"},
		"no language fits":                  {have: "en,-,ja", locale: "ko", standard: "ja", want: "-"},
		"default language":                  {have: "en,ja", locale: "ko", standard: "ja", want: "ja"},
		"default language in another place": {have: "en,zh-TW,zh-CN", standard: "zh", want: "zh-CN"},
		"default language not there":        {have: "ja,en", locale: "ko", standard: "fr", want: "ja"},
		"the first listed":                  {have: "ja,en", locale: "ko", want: "ja"},
		"unknown language is no English":    {have: "ja,en", locale: "und-US", want: "ja"},
		"long tags are skipped":             {have: "en,fr", locale: "fr-x-" + strings.Repeat("abcdefg-", 10) + "a", want: "en"},
		"late tags are not looked at":       {have: "en,fr", uiLocales: strings.Repeat("ko ", 16) + "fr", want: "en"},
		"early tags are":                    {have: "en,fr", uiLocales: strings.Repeat("ko ", 15) + "fr", want: "fr"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tags := strings.Split(strings.ReplaceAll(c.have, "-,", ","), ",")
			written := make([]string, len(tags))
			for i, tag := range tags {
				written[i] = strings.TrimRight("SignIn "+strings.TrimSuffix(tag, "-"), " ")
			}
			got, ok := newSet(c.standard, written...).Choose("SignIn", c.locale, c.uiLocales)
			if !ok {
				t.Fatal("there is no template")
			}
			if tag := got.Template.Source().LanguageTag; tag != strings.TrimSuffix(c.want, "-") {
				t.Errorf("got %q, want %q; steps %q", tag, c.want, got.Steps)
			}
			if written[got.Index] != strings.TrimRight("SignIn "+got.Template.Source().LanguageTag, " ") {
				t.Errorf("index %d is another template", got.Index)
			}
		})
	}
}

func TestChooseSaysWhy(t *testing.T) {
	cases := map[string]struct {
		have                         []string
		usageType, locale, uiLocales string
		want                         int
		steps                        []string
	}{
		"type in its language": {
			[]string{"SignIn en", "SignIn ja"},
			"SignIn", "ja", "", 1,
			[]string{"locale ja: there is a template in this language."},
		},
		"the type before the language": {
			[]string{"Generic ja", "SignIn en"},
			"SignIn", "ja", "", 1,
			[]string{
				"locale ja: there is no template for SignIn in this language.",
				"The first template in the list is used.",
			},
		},
		"Generic stands in": {
			[]string{"SignIn en", "Generic en", "Generic zh-TW"},
			"BindMfa", "", "tlh zh-HK", 2,
			[]string{
				"There is no template for this usage type; the ones for Generic are used.",
				"uiLocales tlh: there is no template for Generic in this language.",
				"uiLocales zh-HK: the template in zh-TW fits.",
			},
		},
		"Test is Generic": {
			[]string{"SignIn", "Test"},
			"Test", "", "", 1,
			[]string{
				"Test is Logto's former name for Generic.",
				"No template for this usage type has a language.",
				"The template without a language is used.",
			},
		},
		"a template for Test serves Generic": {
			[]string{"SignIn", "Test"},
			"Generic", "", "", 1,
			[]string{"No template for this usage type has a language.", "The template without a language is used."},
		},
		"the first of two wins": {
			[]string{"SignIn zh-CN", "SignIn zh-cn", "SignIn", "SignIn"},
			"SignIn", "zh-cn", "", 0,
			[]string{"locale zh-cn: the template in zh-CN fits."},
		},
		"also if it is asked for as written": {
			[]string{"SignIn zh-cn", "SignIn zh-CN"},
			"SignIn", "zh-CN", "", 0,
			[]string{"locale zh-CN: the template in zh-cn fits."},
		},
		"what is malformed is not repeated": {
			[]string{"SignIn en"},
			"SignIn", "user@example.com", "", 0,
			[]string{
				"locale has a malformed language tag, which is skipped.",
				"The first template in the list is used.",
			},
		},
		"many languages": {
			[]string{"SignIn", "SignIn en"},
			"SignIn", "", strings.Repeat("% ", 20), 0,
			append(slicesRepeat("uiLocales has a malformed language tag, which is skipped.", 16),
				"Only the first languages were looked at.", "The template without a language is used."),
		},
		"no language": {
			[]string{"SignIn", "SignIn en"},
			"SignIn", "", " ", 0,
			[]string{"The message asks for no language.", "The template without a language is used."},
		},
		"nothing at all": {
			[]string{"SignIn"},
			"Register", "en", "", -1,
			[]string{
				"There is no template for this usage type; the ones for Generic are used.",
				"There is no template for Generic.",
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := newSet("", c.have...).Choose(c.usageType, c.locale, c.uiLocales)
			if ok != (c.want >= 0) || got.Index != c.want {
				t.Errorf("got %d, %v, want %d", got.Index, ok, c.want)
			}
			if diff := cmp.Diff(c.steps, got.Steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

// A chosen template is written as it was listed, a shared one with a plus.
func TestChooseTakesOwnTemplatesBeforeShared(t *testing.T) {
	cases := map[string]struct {
		own, shared                            string // apart by commas
		usageType, locale, uiLocales, standard string
		want, last                             string
	}{
		"its own language":                {"SignIn ja", "SignIn ja", "SignIn", "ja", "", "", "SignIn ja", "locale ja: there is a template in this language."},
		"its own of the base language":    {"SignIn zh-CN", "SignIn zh-SG", "SignIn", "zh-SG", "", "", "SignIn zh-CN", "locale zh-SG: the template in zh-CN fits."},
		"a shared exact one":              {"SignIn en", "SignIn ja", "SignIn", "ja", "", "", "+SignIn ja", "locale ja: there is a template in this language, one of the email templates."},
		"a shared one that fits":          {"SignIn en", "SignIn zh-TW", "SignIn", "zh-HK", "", "", "+SignIn zh-TW", "locale zh-HK: the template in zh-TW fits, one of the email templates."},
		"one preference at a time":        {"SignIn en", "SignIn ja", "SignIn", "ja", "en", "", "+SignIn ja", "locale ja: there is a template in this language, one of the email templates."},
		"a later preference":              {"SignIn en", "SignIn ja", "SignIn", "ko", "en ja", "", "SignIn en", "uiLocales en: there is a template in this language."},
		"without a language":              {"SignIn,SignIn en", "SignIn", "SignIn", "ko", "", "", "SignIn", "The template without a language is used."},
		"shared without a language":       {"SignIn en", "SignIn", "SignIn", "ko", "", "en", "+SignIn", "The template without a language is used, one of the email templates."},
		"the default language":            {"SignIn ja,SignIn en", "SignIn en", "SignIn", "ko", "", "en", "SignIn en", "The template in the default language is used."},
		"the default language, shared":    {"SignIn ja", "SignIn fr,SignIn en-GB", "SignIn", "ko", "", "en", "+SignIn en-GB", "The template in the default language is used, one of the email templates."},
		"the first listed":                {"SignIn ja,SignIn en", "SignIn fr", "SignIn", "ko", "", "de", "SignIn ja", "The first template in the list is used."},
		"the type is shared only":         {"Generic ko", "BindMfa fr,BindMfa en", "BindMfa", "ko", "", "de", "+BindMfa fr", "The first template in the list is used, one of the email templates."},
		"the type's shared one":           {"Generic ko", "BindMfa fr,BindMfa ko", "BindMfa", "ko", "", "", "+BindMfa ko", "locale ko: there is a template in this language, one of the email templates."},
		"Generic after the type's shared": {"Generic", "BindMfa fr,Generic ko", "MfaVerification", "ko", "", "", "+Generic ko", "locale ko: there is a template in this language, one of the email templates."},
		"its own Generic":                 {"Generic ko", "Generic ko", "MfaVerification", "ko", "", "", "Generic ko", "locale ko: there is a template in this language."},
		"a shared template for Test":      {"", "Test ko", "Generic", "ko", "", "", "+Test ko", "locale ko: there is a template in this language, one of the email templates."},
		"shared only":                     {"", "Generic en", "SignIn", "", "", "", "+Generic en", "The first template in the list is used, one of the email templates."},
		"of two shared the first":         {"", "SignIn ja,SignIn ja", "SignIn", "ja", "", "", "+SignIn ja", "locale ja: there is a template in this language, one of the email templates."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			own := strings.FieldsFunc(c.own, func(r rune) bool { return r == ',' })
			shared := strings.Split(c.shared, ",")
			got, ok := templates.NewSet(compileAll(own), compileAll(shared), c.standard).Choose(c.usageType, c.locale, c.uiLocales)
			if !ok {
				t.Fatal("there is no template")
			}
			written := own
			if got.Shared {
				written = shared
			}
			chosen := written[got.Index]
			if source := got.Template.Source(); chosen != strings.TrimSpace(source.UsageType+" "+source.LanguageTag) {
				t.Errorf("index %d is %q, not %+v", got.Index, chosen, source)
			}
			if got.Shared {
				chosen = "+" + chosen
			}
			if last := got.Steps[len(got.Steps)-1]; chosen != c.want || last != c.last {
				t.Errorf("got %q because %q, want %q because %q", chosen, last, c.want, c.last)
			}
		})
	}
}

func slicesRepeat(s string, n int) []string {
	return strings.Split(strings.Repeat(s+"\x00", n-1)+s, "\x00")
}

func FuzzChoose(f *testing.F) {
	f.Add("ja", "fr-CA fr en")
	f.Add("zh-Hant-HK-u-nu-thai-x-a", "i-klingon und-TW sgn-BE-FR")
	own := compileAll([]string{"SignIn en", "SignIn zh-CN", "SignIn zh-TW", "SignIn ja"})
	set := templates.NewSet(own, compileAll([]string{"SignIn de", "SignIn zh-HK", "SignIn"}), "en")
	f.Fuzz(func(t *testing.T, locale, uiLocales string) {
		got, ok := set.Choose("SignIn", locale, uiLocales)
		if !ok || got.Template == nil || len(got.Steps) == 0 || len(got.Steps) > 18 {
			t.Errorf("%v %+v", ok, got)
		}
		for _, step := range got.Steps {
			if len(step) > 200 {
				t.Errorf("a step of %d bytes", len(step))
			}
		}
	})
}

func BenchmarkChoose(b *testing.B) {
	set := newSet("en", "SignIn en", "SignIn zh-CN", "SignIn zh-TW", "SignIn ja")
	for name, locales := range map[string][2]string{
		"exact": {"ja", ""}, "region": {"zh-HK", ""}, "third": {"tlh", "fr-CA zh-HK en"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.Choose("SignIn", locales[0], locales[1])
			}
		})
	}
}
