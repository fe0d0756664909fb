// Package migrate moves from Logto's own Aliyun Direct Mail connector to a
// connector of this project: it reads what Logto exports, drafts the connector
// that takes over, and reports which mails will differ and why. It sends nothing.
package migrate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/language"

	"dmconnector/connector"
	"dmconnector/internal/strictjson"
	"dmconnector/templates"
)

// factoryID is the connectorId of Logto's Aliyun Direct Mail connector.
const factoryID = "aliyun-direct-mail"

// An Account is what a config of Logto's connector has besides its templates.
type Account struct {
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
	RegionID        string `json:"regionId,omitempty"`
	AccountName     string `json:"accountName"`
	FromAlias       string `json:"fromAlias,omitempty"`
}

// A Logto is all that decides what Logto's connector sends.
type Logto struct {
	Account
	// Templates are the config's, which have no language, and the email templates,
	// which have one.
	Templates        []Template
	FallbackLanguage string // of the sign-in experience
}

// A Template is one of Logto's.
type Template struct {
	connector.Template
	place string // JSON pointer to its texts in the file that it was read from
}

func (t Template) String() string {
	if t.LanguageTag == "" {
		return "config template " + t.UsageType
	}
	return "email template " + t.UsageType + " " + t.LanguageTag
}

// ReadConfig reads a config of Logto's connector: the bare config, a connector
// of GET /api/connectors, or that whole list.
func (l *Logto) ReadConfig(data []byte) error {
	type exported struct {
		ConnectorID *string        `json:"connectorId"`
		Config      jsontext.Value `json:"config"`
	}
	list := make([]exported, 1)
	if err := decode(data, &list[0], &list); err != nil {
		return err
	}
	if len(list) == 1 && list[0].ConnectorID == nil {
		list[0] = exported{new(factoryID), data}
	}
	list = slices.DeleteFunc(list, func(e exported) bool { return e.ConnectorID == nil || *e.ConnectorID != factoryID || e.Config == nil })
	if len(list) != 1 {
		return fmt.Errorf("has %d connectors with the connectorId %s and a config, and must have one", len(list), factoryID)
	}
	var config struct {
		Account
		Templates []connector.Template `json:"templates"`
	}
	if err := decode(list[0].Config, &config, &config); err != nil {
		return err
	}
	l.Account = config.Account
	for i, t := range config.Templates {
		read := connector.Template{UsageType: t.UsageType, Subject: t.Subject, Content: t.Content} // Logto reads no more
		l.Templates = append(l.Templates, Template{read, fmt.Sprintf("/templates/%d", i)})
	}
	return nil
}

// ReadEmailTemplates reads what GET /api/email-templates answers, or a body for
// its PUT.
func (l *Logto) ReadEmailTemplates(data []byte) error {
	var body struct {
		Templates []struct {
			LanguageTag  string             `json:"languageTag"`
			TemplateType string             `json:"templateType"`
			Details      connector.Template `json:"details"`
		} `json:"templates"`
	}
	if err := decode(data, &body, &body.Templates); err != nil {
		return err
	}
	if body.Templates == nil {
		return errors.New("must be a list of email templates, as GET /api/email-templates answers")
	}
	for i, t := range body.Templates {
		if _, err := language.Parse(t.LanguageTag); err != nil || t.LanguageTag == "" {
			return fmt.Errorf("/%d/languageTag: must be a language tag, such as zh-CN", i)
		}
		t.Details.LanguageTag, t.Details.UsageType = t.LanguageTag, t.TemplateType
		t.Details.Text, t.Details.Escape = "", "" // Logto has none
		l.Templates = append(l.Templates, Template{t.Details, fmt.Sprintf("/%d/details", i)})
	}
	return nil
}

// decode reads JSON into one of the two. Errors name values by their place alone,
// as they may be secrets.
func decode(data []byte, object, list any) error {
	if _, err := strictjson.Decode(data); err != nil {
		return fmt.Errorf("is not JSON: %w", err)
	}
	into := object
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		into = list
	}
	err := json.Unmarshal(data, into)
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		name := map[reflect.Kind]string{reflect.String: "string", reflect.Pointer: "string", reflect.Slice: "list", reflect.Struct: "JSON object"}
		return fmt.Errorf("%s: must be a %s", wrong.JSONPointer, name[wrong.GoType.Kind()])
	}
	return err
}

// choose returns the template that Logto takes for a message. locale is empty if
// the message names no language.
func (l *Logto) choose(usageType, locale string) Template {
	for _, wanted := range []struct{ usageType, language string }{
		{usageType, cmp.Or(locale, l.FallbackLanguage)},
		{usageType, l.FallbackLanguage},
		{connector.Generic, l.FallbackLanguage},
		{usageType, ""},
		{connector.Generic, ""},
	} {
		for _, t := range l.Templates {
			if t.UsageType == wanted.usageType && t.LanguageTag == wanted.language {
				return t
			}
		}
	}
	return Template{}
}

// Compose returns the mail that Logto's connector hands to Direct Mail. The body
// is always sent as HTML, and without an address for answers.
func (l *Logto) Compose(flow Flow) Mail {
	t := l.choose(flow.Type, flow.locale())
	mail := Mail{
		Template: t.String(), From: l.FromAlias, source: t.Template,
		Subject: templates.RenderAsLogto(t.Subject, flow.Payload), Body: templates.RenderAsLogto(t.Content, flow.Payload),
	}
	if t.SendFrom != "" {
		mail.From = templates.RenderAsLogto(t.SendFrom, flow.Payload)
	}
	return mail
}
