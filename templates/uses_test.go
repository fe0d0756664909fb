package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
)

func TestWarningsStandInTheirLine(t *testing.T) {
	tests := map[string]struct {
		source templates.Source
		want   string // field and line of each
	}{
		"no placeholder":           {templates.Source{Content: "{{code}}\n\n{{a-b}} {{code}} {{c-d}}\n{{"}, "content 3, content 3, content 4"},
		"the first of several":     {templates.Source{Content: "a\n{{a-b}}\n{{a-b}}"}, "content 2"},
		"line breaks of all kinds": {templates.Source{Text: "\r\n\r\n\r\r\n\n{{a-b}}"}, "text 6"},
		"no counterpart":           {templates.Source{Content: "<p>\n{{#code}}</p>\n"}, "content 2"},
		"a section in a tag":       {templates.Source{Content: "<p>\n<b\n{{#code}}>{{/code}}"}, "content 3, content 3"},
		"a style":                  {templates.Source{Content: "<style>\np{color:\n{{color}}}</style>"}, "content 3"},
		"a tag's name":             {templates.Source{Content: "\n<{{name}}>"}, "content 2"},
		"a scheme":                 {templates.Source{Content: "{{code}}\n<a\nhref=\"javascript:{{link}}\">"}, "content 3"},
		"as it is":                 {templates.Source{Content: "a\n{{a-b}}", Escape: "none"}, "content 0, content 2"},
		"plain text":               {templates.Source{Content: "\n{{a-b}}", ContentType: "text/plain", Text: "x"}, "content 2, text 0"},
		"a subject":                {templates.Source{Subject: "{{a-b}}", SendFrom: "{{/x}}", ReplyTo: "{{ }}"}, "subject 1, replyTo 1, sendFrom 1"},
		"a folded subject":         {templates.Source{Subject: "a\n{{a-b}}"}, "subject 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, warnings := templates.Compile(tt.source)
			var places []string
			for _, w := range warnings {
				places = append(places, fmt.Sprint(w.Field, " ", w.Line))
			}
			if diff := cmp.Diff(tt.want, strings.Join(places, ", ")); diff != "" {
				t.Errorf("(-want +got)\n%s%v", diff, warnings)
			}
		})
	}
}

func TestUsesTellWhatSectionsAsk(t *testing.T) {
	compiled, _ := templates.Compile(templates.Source{
		Subject: "{{code}}",
		Content: "{{#user}}\n{{^a}}{{user.name}}{{#code}}{{user.name}}{{/code}}{{/a}}\n{{/user}}{{user.name}}{{user.name}}<p {{x}} title='{{#y}}'>",
		Text:    "{{#z}} {{/code}}",
	})
	want := []templates.Use{
		{Variable: "code", Field: "subject", Line: 1},
		{Variable: "user", Field: "content", Line: 1, Asks: true},
		{Variable: "a", Field: "content", Line: 2, Asks: true, Under: "user"},
		{Variable: "user.name", Field: "content", Line: 2, Under: "user"},
		{Variable: "code", Field: "content", Line: 2, Asks: true, Under: "user"},
		{Variable: "user.name", Field: "content", Line: 2, Under: "user code"},
		{Variable: "user.name", Field: "content", Line: 3},
		{Variable: "x", Field: "content", Line: 3, Hidden: true},
	}
	if diff := cmp.Diff(want, compiled.Uses()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	compiled.Uses()[0].Line = 7
	if compiled.Uses()[0].Line != 1 {
		t.Error("a caller changed the uses")
	}
}

// Neither many variables nor deep sections cost their square.
func TestUsesAreBounded(t *testing.T) {
	var many, deep, ends strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, "{{x%d}}\n", i)
		fmt.Fprintf(&deep, "{{#x%d}}{{^y%[1]d}}", i)
	}
	for i := 19_999; i >= 0; i-- {
		fmt.Fprintf(&ends, "{{/y%d}}{{/x%[1]d}}", i)
	}
	compiled, _ := templates.Compile(templates.Source{Content: many.String(), Text: deep.String() + ends.String()})
	longest := 0
	for _, use := range compiled.Uses() {
		longest = max(longest, len(use.Under))
	}
	if n := len(compiled.Uses()); n != 60_000 || longest > 8*len("x0000") {
		t.Errorf("%d uses, the longest under %d bytes", n, longest)
	}
}
