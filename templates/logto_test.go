package templates_test

import (
	"encoding/json"
	"testing"

	"dmconnector/templates"
)

// The tests against Logto's own package hold the same for random texts.
func TestRenderAsLogto(t *testing.T) {
	values := map[string]any{
		"code": "038081", "tag": "<b>\n\x07", "n": json.Number("0"), "big": json.Number("1e21"), "huge": json.Number("-1e400"),
		"small": json.Number("0.0000001"), "yes": true, "nul": nil, "list": []any{"a", "b", nil}, "obj": map[string]any{"x": map[string]any{}},
	}
	tests := map[string]struct{ text, want string }{
		"white space":          {"{{ code }}{{\u00a0code\ufeff}}{{\vcode}}", "038081038081038081"},
		"a third brace":        {"{{{code}}}", "{038081}"},
		"missing variables":    {"{{Code}} {{missing}} {{missing.x}} {{missing}}", "{{Code}} {{missing}} {{missing.x}} {{missing}}"},
		"an empty first key":   {"{{.code}} {{.}}", "{{.code}} {{.}}"},
		"no placeholders":      {"{{code-x}} {{#if code}} {{}}", "{{code-x}} {{#if code}} {{}}"},
		"sections are text":    {"{{#code}}{{code}}{{/code}}{{^nul}}", "{{#code}}038081{{/code}}{{^nul}}"},
		"<<code>> is text":     {"<<code>>", "<<code>>"},
		"nothing is escaped":   {"<p>\n{{tag}}</p>", "<p>\n<b>\n\x07</p>"},
		"null and nested null": {"[{{nul}}{{obj.nope}}{{code.x}}{{code.}}{{obj..x}}]", "[]"},
		"numbers and booleans": {"{{n}} {{big}} {{huge}} {{small}} {{yes}}", "0 1e+21 -Infinity 1e-7 true"},
		"lists":                {"{{list}} {{list.0}} {{list.length}} {{list.9}}", "a,b, a 3 "},
		"objects":              {"{{obj}} {{obj.x}}", "[object Object] [object Object]"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := templates.RenderAsLogto(tt.text, values); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
