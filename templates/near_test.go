package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"dmconnector/templates"
)

func warningsOf(src templates.Source) string {
	_, warnings := templates.Compile(src)
	var b strings.Builder
	for _, w := range warnings {
		fmt.Fprintln(&b, w.Line, w.Detail)
	}
	return b.String()
}

// Each of these stands in a mail beside a right {{code}}, so that nothing else tells of it.
func TestNearPlaceholdersAreWarnedOf(t *testing.T) {
	anywhere := []string{
		"｛｛code｝｝", "{｛code｝}", "﹛﹛code﹜﹜", "{{ｃｏｄｅ}}", "｛code｝",
		"${code}", "#{code}", "%{code}", "{code}", "{ {code} }", "{ { code } }", "{{code}", "{code}}", "{{{code}}}", "{{{{code}}}}", "${{code}}", "{{code}}}",
		"{$code}", "{!code}", "{% code %}", "{{-code-}}", "{{=code}}", "{{$code}}", "{{&code}}", "{{.user..name!}}", "{{ code | upper }}", "{{验证码}}", "{user.name}",
		`\{\{code\}\}`, `{\{code}\}`, `\u007b\u007bcode\u007d\u007d`, "=7B=7Bcode=7D=7D",
		"%7B%7Bcode%7D%7D", "%7b%7bcode%7d%7d", "%257B%257Bcode%257D%257D", "%7B%7B%20code%20%7D%7D", "{{code%7D%7D",
		"{\u200b{code}}", "{{\u200bcode}}", "{\u00a0{code}\u00a0}", "{{co\u00adde}}", "{\u2060{code}}",
		"[[code]]", "[code]", "((code))", "%code%", "%%code%%", "__code__", "@@code@@", "*|CODE|*", "<%= code %>", "<% code %>", "$code",
		"%(code)s", "«code»", "《code》", "【code】", "〖code〗", "「code」", "〈〈code〉〉", "［code］", "[[user.name]]", "%link%",
	}
	markup := []string{
		"{<b>{code}</b>}", "{{<b>code</b>}}", "{{<span style=\"color: red\">code</span>}}", "{{code<br>}}", "{{<!-- x -->code}}", "{<wbr>{code}}", "{{co<wbr>de}}",
		"&#123;&#123;code&#125;&#125;", "&#x7b;&#x7B;code&#x7d;&#x7D;", "&lbrace;&lbrace;code&rbrace;&rbrace;", "&lcub;{code}&rcub;", "{{&nbsp;code&nbsp;}}",
		"&lt;&lt;code&gt;&gt;", "&lt;code&gt;", "&lt;%= code %&gt;",
		`<a href="https://example.com/?c=%7B%7Bcode%7D%7D">link</a>`, `<a href="https://example.com/?c=${code}">link</a>`,
	}
	plain := []string{"<code>", "<<Code>>", "<< code >>", "<user.name>"}
	for _, near := range append(anywhere, markup...) {
		content := "<p>{{code}}</p>\n<p>Your code: " + near + ".</p>"
		if got := warningsOf(templates.Source{Subject: "A code", Content: content}); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "2 ") {
			t.Errorf("HTML, %s: warnings are %q, want one for line 2", near, got)
		}
	}
	for _, near := range append(anywhere, plain...) {
		content := "{{code}}\nYour code: " + near + "."
		if got := warningsOf(templates.Source{Subject: "A code", Content: content, ContentType: "text/plain"}); strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "2 ") {
			t.Errorf("plain text, %s: warnings are %q, want one for line 2", near, got)
		}
		if got := warningsOf(templates.Source{Subject: near, Content: "{{code}}"}); strings.Count(got, "\n") != 1 {
			t.Errorf("subject, %s: warnings are %q, want one", near, got)
		}
	}
}

func TestInvisibleCharactersAreShownByNumber(t *testing.T) {
	if got := warningsOf(templates.Source{Subject: "A code", Content: "{{code}} {{\u200bcode}}"}); !strings.Contains(got, "{{[U+200B]code}} is left as written") {
		t.Errorf("warnings are %q", got)
	}
}

func TestWhatIsNotNearAPlaceholderIsNotWarnedOf(t *testing.T) {
	for _, text := range []string{
		"{{code}}", "{{ code }}", "<<code>>", "{{code}}{{code}}", "({{code}})", "[{{code}}]", "“{{code}}”", "{{#code}}{{code}}{{/code}}",
		"Your verification (code) is below.", "“code”, ‘code’ and \"code\"", "the code's [1] life", "100% code", "a_code_b", "snake__code", "US$ 5", "$5 code", "100%(code) s", "code@example.com",
		"{ }", "{}", "{1, 2}", "a {b c} d", "https://example.com/%7Buser", "20% off %", "[if mso]", "{{link}}%20{{link}}",
	} {
		if got := warningsOf(templates.Source{Subject: text, Content: text}); got != "" {
			t.Errorf("%s: warnings are %q", text, got)
		}
	}
	for _, html := range []string{
		"<code>{{code}}</code>", "<pre><code>x</code></pre>", "<style>a{color:red}.b {c:d} @media(x){a{b:c}}</style>",
		`<script type="application/ld+json">{"@type": "{{code}}"}</script>`, "<!--[if mso]><b>{{code}}</b><![endif]-->",
		`<style>a{color:{{organization.branding.color}}}</style>`, `<a href="https://example.com/?a=%20b&amp;code=1">x</a>`,
	} {
		if got := warningsOf(templates.Source{Subject: "A code", Content: html}); strings.Contains(got, "placeholder") || strings.Contains(got, "brace") {
			t.Errorf("%s: warnings are %q", html, got)
		}
	}
}
