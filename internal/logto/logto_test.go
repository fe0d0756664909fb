package logto_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/logto"
)

func TestReplace(t *testing.T) {
	payload := map[string]any{
		"code": "038081", "n": json.Number("0"), "big": json.Number("1e21"), "huge": json.Number("-1e400"), "small": json.Number("0.0000001"),
		"yes": true, "nul": nil, "list": []any{"a", "b", nil}, "obj": map[string]any{"x": map[string]any{}},
	}
	tests := []struct{ template, want string }{
		{"{{ code }}{{\u00a0code\ufeff}}{{\vcode}}", "038081038081038081"},
		{"{{{code}}}", "{038081}"},
		{"{{Code}} {{missing}} {{missing.x}} {{.code}} {{.}} {{code-x}} {{#if code}} <<code>>", "{{Code}} {{missing}} {{missing.x}} {{.code}} {{.}} {{code-x}} {{#if code}} <<code>>"},
		{"[{{nul}}{{obj.nope}}{{code.x}}{{code.}}{{obj..x}}]", "[]"},
		{"{{n}} {{big}} {{huge}} {{small}} {{yes}}", "0 1e+21 -Infinity 1e-7 true"},
		{"{{list}} {{list.0}} {{list.length}} {{list.9}}", "a,b, a 3 "},
		{"{{obj}} {{obj.x}}", "[object Object] [object Object]"},
		{"{{constructor}} {{__proto__}} [{{__proto__.__proto__}}] [{{list.__proto__}}]", "function Object() { [native code] } [object Object] [] []"},
		{"{{constructor.name}}|{{list.map}}|{{list.hasOwnProperty}}", "|function map() { [native code] }|function hasOwnProperty() { [native code] }"},
	}
	for _, tt := range tests {
		got, err := logto.Replace(tt.template, payload)
		if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v; want %q", tt.template, got, err, tt.want)
		}
	}
	if _, err := logto.Replace("{{obj}}", map[string]any{"obj": map[string]any{"toString": nil}}); err == nil {
		t.Error("an object with a toString of its own became text")
	}
}

func TestChoose(t *testing.T) {
	c := logto.Connector{
		Config: &logto.Config{Templates: []logto.ConfigTemplate{{UsageType: "SignIn"}, {UsageType: "Generic"}, {UsageType: "SignIn"}}},
		EmailTemplates: []logto.EmailTemplate{
			{TemplateType: "SignIn", LanguageTag: "zh-TW"}, {TemplateType: "Register", LanguageTag: "de"}, {TemplateType: "Register", LanguageTag: "ja"},
		},
		FallbackLanguage: "de",
	}
	withGeneric := c
	withGeneric.EmailTemplates = append([]logto.EmailTemplate{{TemplateType: "Generic", LanguageTag: "de"}}, c.EmailTemplates...)
	tests := map[string]struct {
		connector logto.Connector
		usageType string
		locale    any
		want      logto.Choice
	}{
		"the very language":                     {c, "Register", "ja", logto.Choice{Rule: logto.ByLanguage, Index: 2}},
		"no close one":                          {c, "SignIn", "zh-HK", logto.Choice{Rule: logto.ByConfig, Index: 0}},
		"nor another spelling":                  {c, "SignIn", "zh-tw", logto.Choice{Rule: logto.ByConfig, Index: 0}},
		"the fallback language":                 {c, "Register", "fr", logto.Choice{Rule: logto.ByFallbackLanguage, Index: 1}},
		"without a language":                    {c, "Register", nil, logto.Choice{Rule: logto.ByFallbackLanguage, Index: 1}},
		"an empty language":                     {c, "Register", "", logto.Choice{Rule: logto.ByFallbackLanguage, Index: 1}},
		"the config's Generic":                  {c, "BindMfa", "de", logto.Choice{Rule: logto.ByConfigGeneric, Index: 1}},
		"Generic before the config's own type":  {withGeneric, "SignIn", "fr", logto.Choice{Rule: logto.ByGeneric, Index: 0}},
		"the language before Generic":           {withGeneric, "SignIn", "zh-TW", logto.Choice{Rule: logto.ByLanguage, Index: 1}},
		"a locale that is no text fails softly": {withGeneric, "SignIn", map[string]any{}, logto.Choice{Rule: logto.ByConfig, Index: 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			payload := map[string]any{}
			if tt.locale != nil {
				payload["locale"] = tt.locale
			}
			got, ok := tt.connector.Choose(tt.usageType, payload)
			if !ok || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, ok, tt.want)
			}
		})
	}
	if _, ok := (&logto.Connector{Config: &logto.Config{}}).Choose("SignIn", nil); ok {
		t.Error("a template out of nothing")
	}
}

const config = `{"accessKeyId": "key", "accessKeySecret": "hunter2", "accountName": "a@b.example", "extra": 1, "templates": [
	{"usageType": "Register", "subject": "r", "content": "c", "languageTag": "en"}, {"usageType": "SignIn", "subject": "s", "content": "c"},
	{"usageType": "ForgotPassword", "subject": "f", "content": "c"}, {"usageType": "Generic", "subject": "g", "content": "c"}]}`

func TestReadConfig(t *testing.T) {
	connector := `{"id": "x", "connectorId": "aliyun-direct-mail", "config": ` + config + `}`
	for name, text := range map[string]string{
		"a config": config, "a connector": connector,
		"a list": `[{"connectorId": "google", "config": {}}, ` + connector + `]`,
	} {
		cfg, ignored, err := logto.ReadConfig([]byte(text))
		if err != nil || cfg.AccessKeySecret != "hunter2" || len(cfg.Templates) != 4 {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"/templates/0/languageTag", "/extra"}, ignored); diff != "" {
			t.Errorf("%s: ignored (-want +got):\n%s", name, diff)
		}
	}
	tests := map[string]struct{ text, want string }{
		"no JSON":          {`{`, "is not JSON"},
		"another kind":     {`{"connectorId": "simple-mail", "config": {}}`, "connectorId must be aliyun-direct-mail"},
		"no object":        {`"hunter2"`, "a JSON object"},
		"two of them":      {`[` + connector + `,` + connector + `]`, "has 2 connectors"},
		"none of them":     {`[]`, "has 0 connectors"},
		"wrong types":      {`{"accessKeySecret": 31337, "templates": [1, {}]}`, "/accessKeySecret: must be a string"},
		"missing template": {strings.Replace(config, "SignIn", "Signin", 1), "/templates: has none for SignIn"},
	}
	for name, tt := range tests {
		_, _, err := logto.ReadConfig([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "31337") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The recorded answers of a real Logto can be read.
func TestReadRecordedAnswers(t *testing.T) {
	data, err := os.ReadFile("../../testdata/logto-management/exchanges.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Exchanges []struct {
			About    string
			Response struct{ Body json.RawMessage }
		}
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range recorded.Exchanges {
		switch e.About {
		case "read one", "list":
			cfg, _, err := logto.ReadConfig(e.Response.Body)
			if err != nil || cfg.AccessKeyID == "" {
				t.Errorf("%s: %v", e.About, err)
			}
			read++
		case "templates: all", "templates: none":
			list, err := logto.ReadEmailTemplates(e.Response.Body)
			if want := map[string]int{"templates: all": 3}[e.About]; err != nil || len(list) != want {
				t.Errorf("%s: %d templates, %v", e.About, len(list), err)
			}
			read++
		}
	}
	if read != 4 {
		t.Errorf("%d of 4 recordings were found", read)
	}
}

func TestReadEmailTemplates(t *testing.T) {
	list, err := logto.ReadEmailTemplates([]byte(`{"templates": [{"languageTag": "en", "templateType": "SignIn", "details": {"subject": "s", "content": "c", "sendFrom": "x"}}]}`))
	want := []logto.EmailTemplate{{LanguageTag: "en", TemplateType: "SignIn", Subject: "s", Content: "c", SendFrom: "x"}}
	if diff := cmp.Diff(want, list); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	one := `{"languageTag": "en", "templateType": "SignIn", "details": {"subject": "s", "content": "c"}}`
	for text, want := range map[string]string{
		`{}`:                        "must be a list",
		`[1]`:                       "/0: must be an object",
		`[{"languageTag": "en"}]`:   "/0/details: must be an object",
		`[` + one + `,` + one + `]`: "/1: is for the same type and language as /0",
	} {
		if _, err := logto.ReadEmailTemplates([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
