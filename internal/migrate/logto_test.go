package migrate_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
	"dmconnector/internal/migrate"
)

func template(usageType, language, subject, content string) migrate.Template {
	return migrate.Template{Template: connector.Template{UsageType: usageType, LanguageTag: language, Subject: subject, Content: content}}
}

func TestChoose(t *testing.T) {
	l := migrate.Logto{
		Templates: []migrate.Template{
			template("SignIn", "", "first", ""), template("Generic", "", "", ""), template("SignIn", "", "second", ""),
			template("SignIn", "zh-TW", "", ""), template("Register", "de", "", ""), template("Register", "ja", "", ""),
		},
		FallbackLanguage: "de",
	}
	withGeneric := l
	withGeneric.Templates = append(slices.Clone(l.Templates), template("Generic", "de", "", ""))
	tests := map[string]struct {
		logto                   migrate.Logto
		usageType, locale, want string
	}{
		"the very language":                    {l, "Register", "ja", "email template Register ja "},
		"no close one":                         {l, "SignIn", "zh-HK", "config template SignIn first"},
		"nor another spelling":                 {l, "SignIn", "zh-tw", "config template SignIn first"},
		"the fallback language":                {l, "Register", "fr", "email template Register de "},
		"without a language":                   {l, "Register", "", "email template Register de "},
		"the config's Generic":                 {l, "BindMfa", "de", "config template Generic "},
		"Generic before the config's own type": {withGeneric, "SignIn", "fr", "email template Generic de "},
		"the language before Generic":          {withGeneric, "SignIn", "zh-TW", "email template SignIn zh-TW "},
		"none at all":                          {migrate.Logto{}, "SignIn", "en", "config template  "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.logto.Choose(tt.usageType, tt.locale); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

const config = `{"accessKeyId": "key", "accessKeySecret": "hunter2", "accountName": "a@b.example", "extra": 1, "templates": [
	{"usageType": "Register", "subject": "r", "content": "c", "languageTag": "en"}, {"usageType": "SignIn", "subject": "s", "content": "c"},
	{"usageType": "ForgotPassword", "subject": "f", "content": "c"}, {"usageType": "Generic", "subject": "g", "content": "c"}]}`

func TestReadConfig(t *testing.T) {
	wrapped := `{"id": "x", "connectorId": "aliyun-direct-mail", "config": ` + config + `}`
	for name, text := range map[string]string{
		"a config": config, "a connector": wrapped,
		"a list": `[{"connectorId": "google", "config": {}}, ` + wrapped + `]`,
	} {
		var l migrate.Logto
		if err := l.ReadConfig([]byte(text)); err != nil || l.AccessKeySecret != "hunter2" || len(l.Templates) != 4 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Logto does not read the language.
		if diff := cmp.Diff(connector.Template{UsageType: "Register", Subject: "r", Content: "c"}, l.Templates[0].Template); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	tests := map[string]struct{ text, want string }{
		"no JSON":         {`{`, "is not JSON"},
		"a key twice":     {`{"accessKeyId": "hunter2", "accessKeyId": "hunter2"}`, "is not JSON"},
		"another kind":    {`{"connectorId": "simple-mail", "config": {}}`, "has 0 connectors with the connectorId aliyun-direct-mail"},
		"no object":       {`"hunter2"`, "must be a JSON object"},
		"two of them":     {`[` + wrapped + `,` + wrapped + `]`, "has 2 connectors"},
		"none of them":    {`[]`, "has 0 connectors"},
		"no config":       {`{"connectorId": "aliyun-direct-mail"}`, "has 0 connectors"},
		"a number":        {`{"accessKeySecret": 31337}`, "/accessKeySecret: must be a string"},
		"no list":         {`{"templates": {}}`, "/templates: must be a list"},
		"a text too much": {`{"templates": [{"subject": ["hunter2"]}]}`, "/templates/0/subject: must be a string"},
	}
	for name, tt := range tests {
		err := new(migrate.Logto).ReadConfig([]byte(tt.text))
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
		var l migrate.Logto
		switch e.About {
		case "read one", "list":
			if err := l.ReadConfig(e.Response.Body); err != nil || l.AccessKeyID == "" {
				t.Errorf("%s: %v", e.About, err)
			}
			read++
		case "templates: all", "templates: none":
			err := l.ReadEmailTemplates(e.Response.Body)
			if want := map[string]int{"templates: all": 3}[e.About]; err != nil || len(l.Templates) != want {
				t.Errorf("%s: %d templates, %v", e.About, len(l.Templates), err)
			}
			read++
		}
	}
	if read != 4 {
		t.Errorf("%d of 4 recordings were found", read)
	}
}

func TestReadEmailTemplates(t *testing.T) {
	var l migrate.Logto
	err := l.ReadEmailTemplates([]byte(`{"templates": [{"languageTag": "en", "templateType": "SignIn",
		"details": {"subject": "s", "content": "c", "contentType": "text/html", "replyTo": "r", "sendFrom": "x", "text": "t", "escape": "none", "more": 1}}]}`))
	if err != nil || len(l.Templates) != 1 {
		t.Fatalf("%d templates, %v", len(l.Templates), err)
	}
	want := connector.Template{UsageType: "SignIn", LanguageTag: "en", Subject: "s", Content: "c", ContentType: "text/html", ReplyTo: "r", SendFrom: "x"}
	if diff := cmp.Diff(want, l.Templates[0].Template); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		`{}`:  "must be a list",
		`[1]`: "/0: must be a JSON object",
		`[{"languageTag": "en", "templateType": "SignIn", "details": 1}]`:         "/0/details: must be a JSON object",
		`[{"templateType": "SignIn", "details": {}}]`:                             "/0/languageTag: must be a language tag",
		`[{"languageTag": "not a tag", "templateType": "SignIn", "details": {}}]`: "/0/languageTag: must be a language tag",
	} {
		if err := new(migrate.Logto).ReadEmailTemplates([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
