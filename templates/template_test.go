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
		if got := compiled.Render(values, templates.KeepMissing).Text; got != "1" {
			t.Errorf("%U gives %q", r, got)
		}
	}
	for _, r := range "\u0085\u180e\u200b\u2060\x1c" {
		compiled, _ := templates.Compile(templates.Source{Text: "{{" + string(r) + "code}}"})
		if got := compiled.Render(values, templates.KeepMissing).Text; got == "1" {
			t.Errorf("%U is white space", r)
		}
	}
}

func TestPlainTextContentIgnoresText(t *testing.T) {
	src := templates.Source{Content: "{{code}} & <b>", ContentType: "text/plain", Text: "{{other}}"}
	compiled, warnings := templates.Compile(src)
	got := compiled.Render(map[string]any{"code": "<i>"}, templates.KeepMissing)
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
	want := compiled.Render(values, templates.KeepMissing)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if diff := cmp.Diff(want, compiled.Render(values, templates.KeepMissing)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	wg.Wait()
}

// A template of nothing but trouble must not take long to load.
func TestCompileIsBounded(t *testing.T) {
	for _, piece := range []string{
		"<{{a}}", "{{#a}}", "{{/a}}<", "<!--[if a]>{{a}}", "<svg><style>", "<noscript>", "{{", "<p {{a}}=\"", "{{ ",
	} {
		start := time.Now()
		templates.Compile(templates.Source{Content: strings.Repeat(piece, 80_000/len(piece))})
		// A hundred times what it takes, and a tenth of what its square would.
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("many %q take %v", piece, took)
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
				compiled.Render(values, templates.KeepMissing)
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
