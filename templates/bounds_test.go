package templates_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"dmconnector/templates"
)

func TestNamesAreCut(t *testing.T) {
	long := func(character string) string { return strings.Repeat(character, 70) }
	const family = "👩\u200d👩\u200d👧"
	tests := map[string]struct{ variable, value, want string }{
		"whole":              {"user.name", strings.Repeat("é", 64), strings.Repeat("é", 64)},
		"too long":           {"user.name", strings.Repeat("é", 65), strings.Repeat("é", 64)},
		"huge":               {"organization.name", strings.Repeat("长", 1_000_000), strings.Repeat("长", 64)},
		"of a profile":       {"inviter.profile.preferredUsername", long("a"), strings.Repeat("a", 64)},
		"of an application":  {"application.displayName", long("a"), strings.Repeat("a", 64)},
		"a mark":             {"user.name", strings.Repeat("a", 63) + "e\u0301\u0302 and more", strings.Repeat("a", 63)},
		"a family":           {"user.name", strings.Repeat("a", 60) + family + long("b"), strings.Repeat("a", 60)},
		"a skin tone":        {"user.name", strings.Repeat("a", 63) + "👋🏽 and more", strings.Repeat("a", 63)},
		"a flag":             {"user.name", strings.Repeat("a", 63) + "🇩🇪 and more", strings.Repeat("a", 63)},
		"nothing but marks":  {"user.name", "e" + long("\u0301"), "e" + strings.Repeat("\u0301", 63)},
		"a list":             {"user.name", "", strings.Repeat("a", 64)},
		"a code":             {"code", long("1"), long("1")},
		"a link":             {"link", long("l"), long("l")},
		"not a person's":     {"project.name", long("a"), long("a")},
		"an address":         {"user.primaryEmail", long("a"), long("a")},
		"an organization id": {"organization.id", long("a"), long("a")},
	}
	for name, tt := range tests {
		var value any = tt.value
		if name == "a list" {
			value = []any{long("a"), "b"}
		}
		keys := strings.Split(tt.variable, ".")
		for _, key := range slices.Backward(keys[1:]) {
			value = map[string]any{key: value}
		}
		compiled, _ := templates.Compile(templates.Source{Content: "x", Text: "{{" + tt.variable + "}}"})
		got := rendered(t, compiled, map[string]any{keys[0]: value}, templates.KeepMissing)
		if got.Text != tt.want {
			t.Errorf("%s: %q, want %q", name, got.Text, tt.want)
		}
		if cut := tt.want != tt.value; (len(got.Notes) == 1 && strings.HasPrefix(got.Notes[0], tt.variable+" was longer than 64 characters")) != cut {
			t.Errorf("%s: notes %q", name, got.Notes)
		}
	}
}

func TestLongValuesAreRejected(t *testing.T) {
	text := strings.Repeat("&", templates.MaxValue)
	deep := any(text + "&")
	for range 60 {
		deep = []any{deep}
	}
	tests := map[string]struct {
		content string
		value   any
		reject  bool
	}{
		"as long as it may be": {"{{code}}", text, false},
		"too long":             {"{{code}}", text + "&", true},
		"a number":             {"{{code}}", json.Number(strings.Repeat("1", 1000) + "e-999"), false},
		"a list":               {"{{code}}", []any{text, ""}, true},
		"an endless list":      {"{{code}}", make([]any, 1_000_000), true},
		"a deep list":          {"{{code}}", deep, true},
		"nothing of it passes": {`<p style="{{code}}">`, text + "&", true},
		"in a section":         {"{{#code}}a{{/code}}", text + "&", false},
		"unused":               {"{{other}}", text + "&", false},
	}
	for name, tt := range tests {
		compiled, _ := templates.Compile(templates.Source{Content: tt.content})
		out, err := compiled.Render(map[string]any{"code": tt.value}, templates.KeepMissing)
		tooLarge, rejected := errors.AsType[*templates.TooLargeError](err)
		if rejected != tt.reject {
			t.Errorf("%s: %v", name, err)
		}
		if rejected && (tooLarge.Variable != "code" || out.HTML != "" || !strings.Contains(err.Error(), "{{code}}") || len(err.Error()) > 200) {
			t.Errorf("%s: variable %q, %d bytes of HTML, %q", name, tooLarge.Variable, len(out.HTML), err)
		}
	}
}

// What is rendered is bounded while it is rendered, and with it the memory.
func TestRenderedMailIsBounded(t *testing.T) {
	value := strings.Repeat("&", templates.MaxValue)
	for name, content := range map[string]string{
		"escaped values":         strings.Repeat("{{code}}", 50_000),
		"values that do not fit": strings.Repeat(`<p style="{{code}}">`, 20_000),
		"addresses replaced":     strings.Repeat(`<a href="javascript:{{code}}">`, 13_000),
		"nothing but text":       strings.Repeat("x", templates.MaxRendered+1),
	} {
		compiled, _ := templates.Compile(templates.Source{Subject: "{{code}}", Content: content})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := compiled.Render(map[string]any{"code": value}, templates.KeepMissing)
		runtime.ReadMemStats(&after)
		if tooLarge, ok := errors.AsType[*templates.TooLargeError](err); !ok || tooLarge.Variable != "" || out.HTML != "" {
			t.Errorf("%s: %d bytes, %v", name, len(out.HTML), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 12<<20 {
			t.Errorf("%s: rendering takes %d bytes", name, used)
		}
	}
	compiled, _ := templates.Compile(templates.Source{Content: strings.Repeat("x", templates.MaxRendered)})
	if out := rendered(t, compiled, nil, templates.KeepMissing); len(out.HTML) != templates.MaxRendered {
		t.Errorf("%d bytes", len(out.HTML))
	}
}

func TestListsOfATraceAreBounded(t *testing.T) {
	var content strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&content, "{{a%d%s}}", i, strings.Repeat("b", 200))
	}
	compiled, _ := templates.Compile(templates.Source{Text: content.String()[:400_000]})
	out := rendered(t, compiled, nil, templates.DropMissing)
	if len(out.Missing) != 50 || len(out.Missing[0]) != 100 || len(out.Notes) != 1 || !strings.HasPrefix(out.Notes[0], "there are more") {
		t.Errorf("%d missing, %q", len(out.Missing), out.Notes)
	}
	content.Reset()
	for i := range 10_000 {
		fmt.Fprintf(&content, `<a%d href="{{code}}">`, i)
	}
	compiled, _ = templates.Compile(templates.Source{Content: content.String()})
	if out = rendered(t, compiled, map[string]any{"code": "javascript:x"}, templates.DropMissing); len(out.Notes) != 51 {
		t.Errorf("%d notes", len(out.Notes))
	}
}
