package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dmconnector/connector"
)

// A Draft is the connector that takes over from Logto's, as JSON for its file.
type Draft struct {
	Account
	DefaultLanguage string               `json:"defaultLanguage,omitempty"`
	Templates       []connector.Template `json:"templates"`

	// Shared are the email templates that are left to /api/email-templates.
	Shared  []connector.EmailTemplate `json:"-"`
	origins []Template                // of the templates
}

// NewDraft makes a connector that chooses like Logto's: where Logto has a
// template stand in for others, the connector has a copy of it. The email
// templates become the connector's own unless they are shared. escape is that
// of all templates: "none" puts values into HTML as Logto does.
func NewDraft(l *Logto, shared bool, escape string) *Draft {
	d := &Draft{Account: l.Account, DefaultLanguage: l.FallbackLanguage}
	own := Logto{FallbackLanguage: l.FallbackLanguage}
	var usageTypes []string
	for i, t := range l.Templates {
		t.Escape = escape
		if shared && t.LanguageTag != "" {
			d.Shared = append(d.Shared, connector.EmailTemplate{ID: fmt.Sprint(i), Template: t.Template})
			continue
		}
		own.Templates = append(own.Templates, t)
		if !slices.Contains(usageTypes, t.UsageType) {
			usageTypes = append(usageTypes, t.UsageType)
		}
	}
	for _, usageType := range usageTypes {
		for _, t := range own.Templates {
			if t.UsageType == usageType && t.LanguageTag != "" {
				d.Templates, d.origins = append(d.Templates, t.Template), append(d.origins, t)
			}
		}
		// Readers of all other languages get the template that Logto takes for them.
		// The type's own one in the fallback language needs no copy for that.
		if t := own.choose(usageType, ""); t.UsageType != "" && (t.LanguageTag == "" || t.UsageType != usageType) {
			d.origins = append(d.origins, t)
			t.UsageType, t.LanguageTag = usageType, ""
			d.Templates = append(d.Templates, t.Template)
		}
	}
	return d
}

// Connector prepares the connector. Warnings and errors name places in the two
// files that Logto's config and email templates were read from.
func (d *Draft) Connector(config, emailTemplates string) (c *connector.Connector, warnings []string, err error) {
	data, err := json.Marshal(d)
	if err != nil {
		return nil, nil, err
	}
	// References are looked up by the service, not here.
	resolve := func(string, string) (string, error) { return "reference", nil }
	cfg, report := connector.Check(data, connector.ParseOptions{Resolve: resolve, Loopback: true})
	lines := func(problems []connector.Problem, prefix string) (list []string) {
		for _, p := range problems {
			file := config
			var i int
			var field string
			if n, _ := fmt.Sscanf(p.Pointer, "/templates/%d%s", &i, &field); n > 0 {
				p.Pointer = d.origins[i].place + field
				if d.origins[i].LanguageTag != "" {
					file = emailTemplates
				}
			}
			// Copies of a template have the same problem.
			if line := file + ": " + prefix + p.String(); !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
		return list
	}
	warnings = lines(report.Warnings, "warning: ")
	if cfg == nil {
		return nil, warnings, errors.New(strings.Join(lines(report.Errors, ""), "\n  "))
	}
	return connector.New(cfg, d.Shared...), warnings, nil
}
