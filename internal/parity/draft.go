// Package parity holds the mails of Logto's own Aliyun Direct Mail connector
// against those of a connector here: for recorded requests, in every language,
// difference by difference, with the reason.
package parity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"dmconnector/connector"
	"dmconnector/internal/logto"
)

// maxLanguageTag is what /api/email-templates takes, here as in Logto.
const maxLanguageTag = 16

// DraftOptions say how a connector is made of Logto's.
type DraftOptions struct {
	// Shared leaves the email templates to /api/email-templates. Else they become
	// the connector's own.
	Shared bool
	// Escape is the templates' escape: "none" puts values into HTML as Logto does.
	Escape string
}

// A Draft is the connector that takes over from Logto's, as JSON for its file.
type Draft struct {
	AccessKeyID     string               `json:"accessKeyId"`
	AccessKeySecret string               `json:"accessKeySecret"`
	RegionID        string               `json:"regionId,omitempty"`
	AccountName     string               `json:"accountName"`
	FromAlias       string               `json:"fromAlias,omitempty"`
	DefaultLanguage string               `json:"defaultLanguage,omitempty"`
	Templates       []connector.Template `json:"templates"`

	origins []logto.Choice // where each of the templates is from
	shared  []connector.EmailTemplate
	leftOut []string
}

// NewDraft makes a connector that chooses like Logto's as far as the rules here
// allow it: where Logto has a template stand in for others, so has it.
func NewDraft(from *logto.Connector, opts DraftOptions) *Draft {
	d := &Draft{
		AccessKeyID: from.Config.AccessKeyID, AccessKeySecret: from.Config.AccessKeySecret,
		RegionID: from.Config.RegionID, AccountName: from.Config.AccountName, FromAlias: from.Config.FromAlias,
		DefaultLanguage: from.FallbackLanguage,
	}
	for _, usageType := range usageTypes(from) {
		if opts.Shared {
			d.addOfConfig(from, usageType, opts)
			continue
		}
		d.addEmailTemplates(from, usageType, opts)
		d.addStandIn(from, usageType, opts)
	}
	for i, t := range from.EmailTemplates {
		if why := unusable(t, opts); why != "" {
			d.leftOut = append(d.leftOut, fmt.Sprintf("email template %s %q: %s", t.TemplateType, t.LanguageTag, why))
		} else if opts.Shared {
			d.shared = append(d.shared, connector.EmailTemplate{ID: fmt.Sprint(i), Template: template(t, t.TemplateType, t.LanguageTag, opts)})
		}
	}
	return d
}

// usageTypes are those that the config or an email template is for.
func usageTypes(from *logto.Connector) []string {
	var list []string
	add := func(usageType string) {
		if !slices.Contains(list, usageType) {
			list = append(list, usageType)
		}
	}
	for _, t := range from.Config.Templates {
		add(t.UsageType)
	}
	for _, t := range from.EmailTemplates {
		add(t.TemplateType)
	}
	return list
}

func template(t logto.EmailTemplate, usageType, languageTag string, opts DraftOptions) connector.Template {
	return connector.Template{
		UsageType: usageType, LanguageTag: languageTag, Subject: t.Subject, Content: t.Content, ContentType: t.ContentType,
		ReplyTo: t.ReplyTo, SendFrom: t.SendFrom, Escape: opts.Escape,
	}
}

// unusable says why an email template cannot be taken over.
func unusable(t logto.EmailTemplate, opts DraftOptions) string {
	switch _, err := language.Parse(t.LanguageTag); {
	case t.LanguageTag == "" || err != nil:
		return "its languageTag is not one: Logto uses it only for a locale that is written the same"
	case opts.Shared && len(t.LanguageTag) > maxLanguageTag:
		return fmt.Sprintf("its languageTag has more than %d characters", maxLanguageTag)
	case opts.Shared && !slices.Contains(connector.UsageTypes(), t.TemplateType):
		return "its templateType is none of Logto's"
	}
	return ""
}

func (d *Draft) add(t connector.Template, origin logto.Choice) {
	d.Templates = append(d.Templates, t)
	d.origins = append(d.origins, origin)
}

// addOfConfig adds the config's template for a type: the first one, as Logto
// looks at no other.
func (d *Draft) addOfConfig(from *logto.Connector, usageType string, opts DraftOptions) {
	for i, t := range from.Config.Templates {
		if t.UsageType == usageType {
			choice := logto.Choice{Rule: logto.ByConfig, Index: i}
			d.add(template(from.Source(choice), usageType, "", opts), choice)
			return
		}
	}
}

func (d *Draft) addEmailTemplates(from *logto.Connector, usageType string, opts DraftOptions) {
	for i, t := range from.EmailTemplates {
		if t.TemplateType == usageType && unusable(t, opts) == "" {
			d.add(template(t, usageType, t.LanguageTag, opts), logto.Choice{Rule: logto.ByLanguage, Index: i})
		}
	}
}

// addStandIn adds what Logto takes for readers of all other languages, unless it
// is the type's own template in the fallback language, which stands in by being
// in the default language.
func (d *Draft) addStandIn(from *logto.Connector, usageType string, opts DraftOptions) {
	choice, ok := from.Choose(usageType, nil)
	if !ok {
		return
	}
	source := from.Source(choice)
	if choice.Shared() && source.TemplateType == usageType && unusable(source, opts) == "" {
		return
	}
	d.add(template(source, usageType, "", opts), choice)
}

// nameOf names a template of Logto's.
func nameOf(from *logto.Connector, choice logto.Choice) string {
	source := from.Source(choice)
	if choice.Shared() {
		return "email template " + source.TemplateType + " " + source.LanguageTag
	}
	return "config template " + source.TemplateType
}

// LeftOut says which email templates were not taken over, and why.
func (d *Draft) LeftOut() []string { return d.leftOut }

// Shared are the email templates that are left to /api/email-templates.
func (d *Draft) Shared() []connector.EmailTemplate { return d.shared }

// Connector prepares the connector. It is nil if there are errors. The reports
// name the places in Logto's config and in its email templates.
func (d *Draft) Connector() (c *connector.Connector, ofConfig, ofEmailTemplates connector.Report) {
	data, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings can always be written
	}
	// References are looked up by the service, not here.
	reference := func(string, string) (string, error) { return "reference", nil }
	cfg, report := connector.Check(data, connector.ParseOptions{Resolve: reference})
	for _, p := range report.Errors {
		d.sort(p, &ofConfig.Errors, &ofEmailTemplates.Errors)
	}
	for _, p := range report.Warnings {
		d.sort(p, &ofConfig.Warnings, &ofEmailTemplates.Warnings)
	}
	if cfg == nil {
		return nil, ofConfig, ofEmailTemplates
	}
	return connector.New(cfg, d.shared...), ofConfig, ofEmailTemplates
}

// sort puts a problem where its template is from, once if that has become
// several.
func (d *Draft) sort(p connector.Problem, ofConfig, ofEmailTemplates *[]connector.Problem) {
	list := ofConfig
	for i, origin := range d.origins {
		field, found := strings.CutPrefix(p.Pointer+"/", fmt.Sprintf("/templates/%d/", i))
		if !found {
			continue
		}
		place := fmt.Sprintf("/templates/%d/", origin.Index)
		if origin.Shared() {
			list = ofEmailTemplates
			place = fmt.Sprintf("/%d/details/", origin.Index)
		}
		p.Pointer = strings.TrimSuffix(place+field, "/")
		break
	}
	if !slices.Contains(*list, p) {
		*list = append(*list, p)
	}
}
