package templates_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

// skull marks what must not pass where only letters and digits do.
const skull = "☠"

// checkStructure renders a template with a hostile value and with a harmless
// word, and wants the same tags, attributes' names and comments.
func checkStructure(t *testing.T, template, hostile string) {
	t.Helper()
	compiled, _ := templates.Compile(templates.Source{Content: template})
	fill := func(value string) string {
		values := map[string]any{"a": value, "b": value, "code": value, "s": true}
		return rendered(t, compiled, values, templates.DropMissing).HTML
	}
	harmless := fill("word")
	want := outline(harmless, "")
	if hostile != "" || !section.MatchString(template) {
		got := fill(hostile)
		if diff := cmp.Diff(want, outline(got, "")); diff != "" {
			t.Errorf("template %q\nwith %q is %q\n(-harmless +hostile):\n%s", template, hostile, got, diff)
		}
		if problem := dangers(harmless, got); problem != "" {
			t.Errorf("template %q\nwith %q is %q\n%s", template, hostile, got, problem)
		}
	}
	// What a parser makes of a text depends on whether it is white space.
	got := fill("w" + hostile)
	for _, scripting := range []bool{false, true} {
		if diff := cmp.Diff(tree(t, harmless, scripting), tree(t, got, scripting)); diff != "" {
			t.Errorf("template %q\nwith %q is %q\nparsed, scripting %v (-harmless +hostile):\n%s", template, "w"+hostile, got, scripting, diff)
		}
	}
	// What is missing does not change the structure either.
	kept := rendered(t, compiled, map[string]any{"s": true}, templates.KeepMissing).HTML
	if !section.MatchString(template) {
		if diff := cmp.Diff(want, outline(kept, "")); diff != "" {
			t.Errorf("template %q\nwithout values is %q\n(-harmless +missing):\n%s", template, kept, diff)
		}
	}
}

var section = regexp.MustCompile(`{{\s*[#^]\s*(a|b|code)`)

// outline lists a document's markup: tags with their attributes' names,
// comments, and the markup inside conditional comments.
func outline(doc, indent string) []string {
	var lines []string
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return lines
		case html.TextToken:
		case html.CommentToken:
			raw := string(z.Raw())
			lines = append(lines, indent+"comment")
			if inside, ok := conditional(raw); ok {
				lines = append(lines, outline(inside, indent+"  ")...)
			}
		case html.DoctypeToken:
			lines = append(lines, indent+"doctype")
		default:
			lines = append(lines, indent+tagLine(kind, z))
		}
	}
}

func tagLine(kind html.TokenType, z *html.Tokenizer) string {
	name, more := z.TagName()
	line := kind.String() + " " + string(name)
	for more {
		var key []byte
		key, _, more = z.TagAttr()
		line += " " + string(key)
	}
	return line
}

var condition = regexp.MustCompile(`(?is)^<!--\s*\[\s*if[^\]]*\]>(.*)-->$`)

func conditional(comment string) (inside string, ok bool) {
	m := condition.FindStringSubmatch(comment)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func tree(t *testing.T, doc string, scripting bool) []string {
	t.Helper()
	root, err := html.ParseWithOptions(strings.NewReader(doc), html.ParseOptionEnableScripting(scripting))
	if err != nil {
		return []string{err.Error()} // nested too deeply
	}
	var lines []string
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			line := n.Namespace + ":" + n.Data
			for _, a := range n.Attr {
				line += " " + a.Key
			}
			lines = append(lines, line)
		case html.CommentNode, html.DoctypeNode:
			lines = append(lines, fmt.Sprint(n.Type))
		}
	}
	return lines
}

// dangers looks for values where only words may be, and for URLs that run.
func dangers(harmless, hostile string) string {
	was := strings.Join(risks(harmless), "\n")
	for _, risk := range risks(hostile) {
		if strings.Contains(risk, skull) && !strings.HasPrefix(risk, "url:") {
			return "a value passed: " + risk
		}
		if dangerous.MatchString(risk) && !strings.Contains(was, risk) {
			return "a URL is a program: " + risk
		}
	}
	return ""
}

var (
	dangerous  = regexp.MustCompile(`(?i)^url:[\x00-\x20]*(j[\t\n\r]*a[\t\n\r]*v[\t\n\r]*a|v[\t\n\r]*b)[\t\n\r]*s[\t\n\r]*c[\t\n\r]*r[\t\n\r]*i[\t\n\r]*p[\t\n\r]*t[\t\n\r]*:|^url:[\x00-\x20]*d[\t\n\r]*a[\t\n\r]*t[\t\n\r]*a[\t\n\r]*:`)
	urls       = regexp.MustCompile(`^((.*:)?href|src|action|formaction|poster|cite|background|longdesc|data|srcset|ping)$`)
	wordsAlone = regexp.MustCompile(`^(style|on.*|srcdoc)$`)
)

// risks lists scripts, styles, comments and URLs.
func risks(doc string) []string {
	var found []string
	raw := ""
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return found
		case html.TextToken:
			if raw != "" {
				found = append(found, string(z.Raw()))
			}
		case html.CommentToken:
			if inside, ok := conditional(string(z.Raw())); ok {
				found = append(found, risks(inside)...)
			} else {
				found = append(found, string(z.Raw()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			raw = ""
			if wordElement.MatchString(token.Data) {
				raw = token.Data
			}
			for _, a := range token.Attr {
				switch {
				case wordsAlone.MatchString(a.Key):
					found = append(found, a.Val)
				case urls.MatchString(a.Key):
					found = append(found, "url:"+a.Val)
				}
			}
		case html.EndTagToken:
			raw = ""
		}
	}
}

var wordElement = regexp.MustCompile(`^(script|style|xmp|iframe|noembed|noframes|noscript|plaintext)$`)

var pieces = []string{
	"{{a}}", "{{b}}", "{{ a }}", "<<code>>", "{{#s}}", "{{/s}}", "{{^s}}", "{{a.b}}", "{{missing}}",
	"{{a}}", "{{b}}", "{{#a}}", "{{/a}}", "{{#b}}", "{{/b}}",
	"<", ">", "</", "<!", "<!--", "-->", "--!>", "-", "--", "!", "/", "=", "\"", "'", " ", "\n", "&", ";", "&#", ":", "#",
	"<p>", "</p>", "<a ", "<a href=", "<a href=\"", "<a href='", "\">", "'>", " title=\"", " title=", "<img src=\"",
	" style=\"", " onclick=\"", " srcset=\"", " href=\"", "href", "on", "style", "x", "java", "script", "data", "javascript:", "java&#115;cript",
	"<script>", "</script>", "<script", "<style>", "</style>", "</style", "<title>", "</title>", "</ti", "tle>", "<textarea>", "</textarea>",
	"<noscript>", "</noscript>", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "<noembed>", "<plaintext>", "<template>", "</template>",
	"<svg>", "</svg>", "<math>", "</math>", "<svg/>", "<foreignObject>", "<![CDATA[", "]]>", "<?", "<!DOCTYPE html>", "<select>", "</select>", "<option>",
	"<table>", "<tr>", "<td>", "</table>", "<!--[if mso]>", "<![endif]-->", "<!--[if !mso]><!-->", "<!--<![endif]-->", "<![if !mso]>", "<![endif]>",
	"<frameset>", "<frame>", "<body>", "<head>", "</head>", "<html>", "<br>", "<br/>", "<input value=", "<!---->", "<!-->", "<!--->",
	"<meta http-equiv=refresh content=\"0;url=", "<base href=\"", "<button>", "<form action=\"", "<listing>", "<pre>", "<mi>", "<desc>", "<colgroup>", "<noframes>", "</noframes>", "[if", "]>",
}

var attacks = []string{
	"", " ", "x", "-", "--", "-->", "--!>", ">", "<", "\"", "'", "/", "=", "!", "a b=c", "\x00", "\n", "\t",
	"script", "title", "style", "ipt", "tle", "svg", "doctype", "DOCTYPE html", "CDATA", "if", "if mso",
	"\"><script>alert(1)</script>", "' onclick='alert(1)", "</script><script>", "</title><b>", "</textarea><b>",
	"--><b>", "<![endif]--><b>", "]]><b>", "{{b}}", "{{a}}<b>", "&lt;b&gt;", "&quot;", "lt", "#60", "&#60;",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:x", "java\tscript:x", "java", "script:x", "javascript", "data:text/html,x", "vbscript:x",
	"\x01javascript:x", "javascript&colon;x", "javascript&#58;x", "https://example.com/?a=b&c=d", "\u2028", "\u00a0", "é<", "\xff<", "\u0085",
}

func randomTemplate(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(12) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestNoValueChangesTheStructureOfHTML(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range *rounds {
		checkStructure(t, randomTemplate(r), attacks[r.IntN(len(attacks))]+pick(r, skull))
		if t.Failed() {
			return
		}
	}
}

// Templates that once were, or easily are, understood wrongly.
func TestNoValueChangesTheStructureOfOddHTML(t *testing.T) {
	for _, template := range []string{
		`<!-- -{{a}}-> <b> -->`, `<!--{{a}}><b>-->`, `<!--{{a}}-><b>-->`, `<!-- --{{a}}!><b> -->`, `<!--{{a}}`,
		`<!--[if mso]>-{{a}}-><b>{{b}}<![endif]-->`, `<!--[if {{a}}]><b>{{b}}</b><![endif]-->`,
		`<!--[{{a}} mso]><b>{{b}}</b><![endif]-->`, `<!--{{a}}[if mso]><b>{{b}}</b><![endif]-->`,
		`<!--[if mso]><a title="{{a}}<![endif]-->{{b}}">`,
		`<title></{{a}}>{{b}}</title>`, `<title></ti{{a}}><b></title>`, `<textarea><{{a}}/textarea><b></textarea>`,
		`<style></{{a}}><b></style>`, `<script></scr{{a}}><b></script>`, `<script><!--<{{a}}></script><b></script>`,
		`<script><!--<script>-{{a}}-></script><b></script>`, `<script><!-{{a}}-<script></script><b></script>`,
		`<a title={{a}}">{{b}}</a>`, `<a title={{a}} href=x>`, `<a title={{a}}{{b}} href=x>`, `<a {{a}}="{{b}}">`,
		`<a href={{a}}:{{b}}>`, `<a href="{{a}}:{{b}}">`, `<a on{{a}}="{{b}}">`, `<{{a}}script>{{b}}</script>`, `<scr{{a}}ipt>{{b}}`,
		`</a {{a}}>`, `</{{a}}>`, `<!{{a}}>`, `<!doc{{a}}type html>`, `<?{{a}}>{{b}}`, `<![CDATA[{{a}}]]>`,
		`<svg><![CDATA[><!--]]><b {{a}}>-->`, `<svg><style><b {{a}}></style>`, `<svg><title><b {{a}}="</title>{{b}}">`,
		`<math><mi><style><{{a}}></style>`, `<select><style><{{a}}></style>`, `<frameset><noframes><{{a}}></noframes>`,
		`<noscript><{{a}}></noscript>`, `<noscript><a title="</noscript>{{b}}">`, `<xmp><{{a}}></xmp>{{b}}`,
		`<noscript><!--</noscript>{{a}}--><b>`, `<plaintext><{{a}}`, `<template><p title={{a}}></template>`,
		`{{#s}}<a href="{{/s}}{{a}}">`, `<{{#s}}b>{{/s}}{{a}}`, `{{#s}}<script>{{/s}}{{a}}</script>`, `{{#s}}<svg>{{/s}}<style><{{a}}></style>`,
		`{{#s}}<!--{{/s}}{{a}}-->`, `{{#s}}<!--[if mso]>{{/s}}{{a}}<![endif]-->`,
	} {
		for _, attack := range attacks {
			checkStructure(t, template, attack)
			checkStructure(t, template, attack+skull)
		}
	}
}

func pick(r *rand.Rand, s string) string {
	if r.IntN(2) == 0 {
		return s
	}
	return ""
}

func FuzzStructure(f *testing.F) {
	for _, attack := range attacks {
		f.Add(`<a href="{{a}}" title='{{b}}'>{{a}}{{#s}}<b>{{b}}</b>{{/s}}</a><!--[if mso]>{{a}}<![endif]-->`, attack)
	}
	f.Fuzz(func(t *testing.T, template, hostile string) {
		if strings.Contains(template, skull) || len(template) > 1000 {
			return
		}
		compiled, _ := templates.Compile(templates.Source{Content: template})
		out, err := compiled.Render(map[string]any{"a": hostile, "b": hostile, "code": hostile, "s": true}, templates.KeepMissing)
		if len(out.HTML) > templates.MaxRendered || err == nil && len(hostile) > templates.MaxValue && strings.Contains(out.HTML, hostile) {
			t.Errorf("template %q renders %d bytes from a value of %d", template, len(out.HTML), len(hostile))
		}
		if err != nil {
			return
		}
		checkStructure(t, template, hostile)
	})
}
