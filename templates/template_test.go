package templates_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
)

func TestVariablesOfAllFields(t *testing.T) {
	compiled, warnings := templates.Compile(templates.Source{
		Subject: "{{ code }}", Content: "<<code>>{{#user.name}}{{user.name}}{{/user.name}}{{^a}}{{/a}}",
		Text: "{{link}}", ReplyTo: "{{b}}", SendFrom: "{{organization.name}}",
	})
	want := []string{"code", "user.name", "a", "link", "b", "organization.name"}
	if diff := cmp.Diff(want, compiled.Variables()); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	compiled.Variables()[0] = "changed"
	if compiled.Variables()[0] != "code" {
		t.Error("a caller changed the variables")
	}
}

// What JavaScript's \s matches, and what it does not.
func TestWhiteSpaceInPlaceholders(t *testing.T) {
	values := map[string]any{"code": "1"}
	for _, r := range "\t\n\v\f\r \u00a0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000\ufeff" {
		compiled, _ := templates.Compile(templates.Source{Text: "{{" + string(r) + "code" + string(r) + "}}"})
		if got := rendered(t, compiled, values, templates.KeepMissing).Text; got != "1" {
			t.Errorf("%U gives %q", r, got)
		}
	}
	for _, r := range "\u0085\u180e\u200b\u2060\x1c" {
		compiled, _ := templates.Compile(templates.Source{Text: "{{" + string(r) + "code}}"})
		if got := rendered(t, compiled, values, templates.KeepMissing).Text; got == "1" {
			t.Errorf("%U is white space", r)
		}
	}
}

func TestPlainTextContentIgnoresText(t *testing.T) {
	src := templates.Source{Content: "{{code}} & <b>", ContentType: "text/plain", Text: "{{other}}"}
	compiled, warnings := templates.Compile(src)
	got := rendered(t, compiled, map[string]any{"code": "<i>"}, templates.KeepMissing)
	if diff := cmp.Diff(templates.Rendered{Text: "<i> & <b>"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []templates.Warning{{Field: "text", Detail: "is not used: the content is already plain text"}}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if compiled.Source() != src {
		t.Errorf("source is %+v", compiled.Source())
	}
}

func TestRenderConcurrently(t *testing.T) {
	compiled, _ := templates.Compile(newsletter(2000))
	values := sampleValues()
	want := rendered(t, compiled, values, templates.KeepMissing)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if diff := cmp.Diff(want, rendered(t, compiled, values, templates.KeepMissing)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	wg.Wait()
}

// A template of nothing but trouble must not take long to load.
func TestCompileIsBounded(t *testing.T) {
	const whole, part = 400_000, 40_000                // a part where the race detector takes long
	sized := func(size int, pieces ...string) string { // in equal parts, one after the other
		var b strings.Builder
		for _, piece := range pieces {
			b.WriteString(strings.Repeat(piece, size/len(pieces)/len(piece)))
		}
		return b.String()
	}
	repeated := func(pieces ...string) string { return sized(whole, pieces...) }
	for name, content := range map[string]string{
		"tags": repeated("<{{a}}"), "sections": repeated("{{#a}}"), "ends in tags": repeated("{{/a}}<"),
		"ends without sections": repeated("{{#a}}", "{{/b}}"), "sections without ends": repeated("{{#a}}", "{{#b}}", "{{/a}}"),
		"conditional comments": sized(part, "<!--[if a]>{{a}}"), "a comment": "<!--" + repeated("{{a}}") + "-->", "letters in a comment": "<!--" + repeated("x", "{{a}}") + "-->",
		"elements that are not HTML": repeated("<svg><style>"), "nested raw text": repeated("<noscript>"),
		"a title": "<title>" + repeated("{{a}}") + "</title>", "a script": "<script>" + repeated("{{a}}") + "</script>", "a script's slashes": "<script>" + repeated("/", "{{a}}") + "</script>",
		"a meta element": "<meta " + repeated(`a="{{a}}" `) + ">",
		"braces":         sized(part, "{{"), "braces and spaces": sized(part, "{{ "), "names": sized(part, `<p {{a}}="`),
		"long paths": repeated("{{#"+strings.Repeat("a", 25_000)+"}}", "{{#b}}{{c}}{{/b}}"),
	} {
		start := time.Now()
		templates.Compile(templates.Source{Content: content})
		// Many times what it takes, and a part of what its square would.
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

// newsletter is a template of about size bytes.
func newsletter(size int) templates.Source {
	content := "<html><head><title>{{application.name}}</title><style>p{margin:0}</style></head><body>"
	content += `<a href="{{link}}" title="{{user.name}}"><img src="{{application.branding.logoUrl}}" alt="{{application.name}}"></a>`
	for len(content) < size-200 {
		content += `<table role="presentation" width="100%" style="font-family:sans-serif"><tr><td>We are glad to see you.</td></tr></table>` + "\n"
	}
	content += `<a href="{{link}}">{{link}}</a>` + "<p>{{#user.name}}Hello {{user.name}}, {{/user.name}}your code is <b>{{code}}</b></p></body></html>"
	return templates.Source{Subject: "{{application.name}}", Content: content, Text: "Your code is {{code}}"}
}

func sampleValues() map[string]any {
	return map[string]any{
		"code": "038081", "link": "https://app.example.com/join?token=abc&x=1",
		"application": map[string]any{"name": "Tom & Jerry"}, "user": map[string]any{"name": "Alice Müller"},
	}
}

func BenchmarkRender(b *testing.B) {
	values := sampleValues()
	for name, size := range map[string]int{"300B": 300, "2KB": 2000, "12KB": 12000} {
		compiled, _ := templates.Compile(newsletter(size))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = compiled.Render(values, templates.KeepMissing)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	src := newsletter(12000)
	b.ReportAllocs()
	for b.Loop() {
		templates.Compile(src)
	}
}

// rendered renders what is not too large.
func rendered(t *testing.T, compiled *templates.Template, values map[string]any, missing templates.Missing) templates.Rendered {
	t.Helper()
	out, err := compiled.Render(values, missing)
	if err != nil {
		t.Error(err)
	}
	return out
}
