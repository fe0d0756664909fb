// Package logto says what Logto 1.42 makes of a message with its own Aliyun
// Direct Mail connector: which template it takes, and how it fills it in. It
// sends nothing; it is what a move away from that connector is held against.
package logto

// Generic is the usage type that stands in for every other one.
const Generic = "Generic"

// DefaultFallbackLanguage is what the sign-in experience of a new tenant has.
const DefaultFallbackLanguage = "en"

// A Config is what Logto's connector reads of its config.
type Config struct {
	AccessKeyID, AccessKeySecret string
	RegionID                     string
	AccountName, FromAlias       string
	Templates                    []ConfigTemplate
}

// A ConfigTemplate is a template of a config. It is for every language.
type ConfigTemplate struct {
	UsageType, Subject, Content string
}

// An EmailTemplate is a template of Logto's /api/email-templates.
type EmailTemplate struct {
	LanguageTag, TemplateType string
	Subject, Content          string
	ContentType               string // Logto's connector does not look at it
	ReplyTo                   string // nor at this
	SendFrom                  string
}

// A Connector is Logto's connector with what its tenant has.
type Connector struct {
	Config           *Config
	EmailTemplates   []EmailTemplate
	FallbackLanguage string // of the sign-in experience
}

// A Mail is what Logto's connector hands to Direct Mail. The body is HTML,
// whatever the template says of itself.
type Mail struct {
	FromAlias, Subject, HTMLBody string
	// Kept are the placeholders' variables that stay as written, each once.
	Kept []string
}

// A Rule is the one by which Logto chose a template.
type Rule int

// The rules, in the order in which they are tried.
const (
	ByLanguage         Rule = iota // an email template for the type, in the reader's language
	ByFallbackLanguage             // an email template for the type, in the fallback language
	ByGeneric                      // an email template for Generic, in the fallback language
	ByConfig                       // the config's for the type
	ByConfigGeneric                // the config's for Generic
)

// A Choice is the template that Logto takes.
type Choice struct {
	Rule  Rule
	Index int // among the email templates, or in the config
}

// Shared reports whether the template is one of the email templates.
func (c Choice) Shared() bool { return c.Rule <= ByGeneric }

// Choose returns the template for a message; false if there is none.
func (c *Connector) Choose(usageType string, payload map[string]any) (Choice, bool) {
	if choice, ok := c.chooseEmailTemplate(usageType, payload["locale"]); ok {
		return choice, true
	}
	for _, step := range []struct {
		rule      Rule
		usageType string
	}{{ByConfig, usageType}, {ByConfigGeneric, Generic}} {
		for i, t := range c.Config.Templates {
			if t.UsageType == step.usageType {
				return Choice{step.rule, i}, true
			}
		}
	}
	return Choice{}, false
}

func (c *Connector) chooseEmailTemplate(usageType string, locale any) (Choice, bool) {
	switch locale.(type) {
	case map[string]any, []any:
		return Choice{}, false // the query fails, and the failure is swallowed
	}
	tag, _ := textOf(locale)
	steps := []struct {
		rule                   Rule
		usageType, languageTag string
	}{
		{ByLanguage, usageType, tag},
		{ByFallbackLanguage, usageType, c.FallbackLanguage},
		{ByGeneric, Generic, c.FallbackLanguage},
	}
	for _, step := range steps {
		for i, t := range c.EmailTemplates {
			if step.languageTag != "" && t.TemplateType == step.usageType && t.LanguageTag == step.languageTag {
				return Choice{step.rule, i}, true
			}
		}
	}
	return Choice{}, false
}

// Source returns a chosen template as an email template, which one of a config
// is without a language.
func (c *Connector) Source(choice Choice) EmailTemplate {
	if choice.Shared() {
		return c.EmailTemplates[choice.Index]
	}
	t := c.Config.Templates[choice.Index]
	return EmailTemplate{TemplateType: t.UsageType, Subject: t.Subject, Content: t.Content}
}

// Compose fills the chosen template in. An error means that Logto sends nothing
// and answers with an error, too.
func (c *Connector) Compose(choice Choice, payload map[string]any) (Mail, error) {
	source := c.Source(choice)
	f := filler{payload: payload}
	mail := Mail{FromAlias: c.Config.FromAlias}
	if source.SendFrom != "" {
		mail.FromAlias = f.fill(source.SendFrom)
	}
	mail.Subject = f.fill(source.Subject)
	mail.HTMLBody = f.fill(source.Content)
	mail.Kept = f.kept
	return mail, f.err
}

// Replace fills in one text: connector-kit's replaceSendMessageHandlebars.
// Numbers are of type encoding/json.Number.
func Replace(template string, payload map[string]any) (string, error) {
	f := filler{payload: payload}
	text := f.fill(template)
	return text, f.err
}
