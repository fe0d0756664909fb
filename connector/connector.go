// Package connector knows what a connector is: the JSON that holds the
// credentials, the sender and the templates for Aliyun Direct Mail, the rules
// that this JSON must keep, and how a [Message] becomes a mail by it.
//
// The package is pure: it reads no clock, no file, no environment and no
// network. A mail is composed in three steps and sent by package aliyundm:
//
//	cfg, err := connector.Parse(data, connector.ParseOptions{})
//	if err != nil {
//		return err
//	}
//	mail, trace, err := connector.New(cfg).Compose(message)
//	if err != nil {
//		return err
//	}
//	client, err := aliyundm.NewClient(cfg.ClientOptions())
//	if err != nil {
//		return err
//	}
//	receipt, err := client.SingleSendMail(ctx, mail)
package connector

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"dmconnector/aliyundm"
	"dmconnector/internal/words"
	"dmconnector/templates"
)

// ErrTemplateNotFound says that a connector has no template for a message's
// usage type, nor one for Generic. A config from [Parse] always has one.
var ErrTemplateNotFound = errors.New("no template for the usage type, nor for Generic")

// A MissingVariablesError says that a message lacks variables of its template, and
// that the connector's onMissing is "refuse".
type MissingVariablesError struct {
	Variables []string // as written in the template, such as "user.name"
}

func (e *MissingVariablesError) Error() string {
	return "the message does not carry " + strings.Join(e.Variables, ", ")
}

// A TooLargeError says that a value or the whole mail is too large.
type TooLargeError = templates.TooLargeError

// A Trace says how a mail came about. It holds nothing of the message's values.
type Trace struct {
	Template      int      `json:"template"`                // the chosen template's place in the connector's list; -1 if it is not from there
	EmailTemplate string   `json:"emailTemplate,omitempty"` // the chosen template's id, if it is one of the shared ones
	UsageType     string   `json:"usageType"`               // of the chosen template
	LanguageTag   string   `json:"languageTag,omitempty"`   // of the chosen template
	Choice        []string `json:"choice"`                  // why it was chosen, a sentence each
	Missing       []string `json:"missing,omitempty"`       // variables that the message does not carry
	Notes         []string `json:"notes,omitempty"`         // what was changed to keep the mail safe or acceptable

	// What operators count.
	Generic   bool `json:"-"` // a template for Generic is used for a usage type that has none
	Unmatched bool `json:"-"` // the message asks for languages, and the chosen template is in none of them
}

// An EmailTemplate is a template that several connectors share.
type EmailTemplate struct {
	ID string
	Template
}

// A Connector composes mails by one config. It is safe for concurrent use.
type Connector struct {
	config  *Config
	shared  []EmailTemplate
	set     *templates.Set
	missing templates.Missing
}

// New prepares the config's templates, and shared ones, which at each step of
// the choice come after the config's own. Neither may change afterwards.
func New(cfg *Config, shared ...EmailTemplate) *Connector {
	var own, others []*templates.Template
	for _, t := range cfg.Templates {
		compiled, _ := templates.Compile(t)
		own = append(own, compiled)
	}
	for _, t := range shared {
		compiled, _ := templates.Compile(t.Template)
		others = append(others, compiled)
	}
	c := &Connector{config: cfg, shared: shared, set: templates.NewSet(own, others, cfg.DefaultLanguage)}
	if cfg.OnMissing == "empty" {
		c.missing = templates.DropMissing
	}
	return c
}

// Config returns the config that the connector was made of.
func (c *Connector) Config() *Config { return c.config }

// Shared returns the shared templates that the connector was made of.
func (c *Connector) Shared() []EmailTemplate { return c.shared }

// CheckUsageType returns an error for a usage type that neither Logto sends nor a
// template is for. [Connector.Compose] takes it for Generic, which hides a misspelt one.
func (c *Connector) CheckUsageType(usageType string) error {
	known := UsageTypes()
	for _, t := range c.config.Templates {
		known = append(known, t.UsageType)
	}
	for _, t := range c.shared {
		known = append(known, t.UsageType)
	}
	if _, ok := FindUsageType(usageType); ok || slices.Contains(known, usageType) {
		return nil
	}
	return fmt.Errorf("use %s, or a type that the connector has a template for%s", strings.Join(UsageTypes(), ", "), words.DidYouMean(usageType, known))
}

// Compose picks the template for the message and fills it in. It does not check
// the recipient: see [ParseAddress]. The error is [ErrTemplateNotFound],
// a [*MissingVariablesError] or a [*TooLargeError]; the trace is as complete as it got.
func (c *Connector) Compose(m Message) (*aliyundm.Mail, Trace, error) {
	choice, ok := c.set.Choose(m.Type, m.preference("locale"), m.preference("uiLocales"))
	if !ok {
		return nil, Trace{Template: -1, Choice: choice.Steps}, ErrTemplateNotFound
	}
	source := choice.Template.Source()
	out, err := choice.Template.Render(m.Payload, c.missing)
	trace := Trace{
		Template: choice.Index, UsageType: source.UsageType, LanguageTag: source.LanguageTag,
		Choice: choice.Steps, Missing: out.Missing, Notes: out.Notes,
		Generic: choice.Generic, Unmatched: choice.Unmatched,
	}
	if choice.Shared {
		trace.Template, trace.EmailTemplate = -1, c.shared[choice.Index].ID
	}
	if err != nil {
		return nil, trace, err
	}
	if len(out.Missing) > 0 && c.config.OnMissing == "refuse" {
		return nil, trace, &MissingVariablesError{out.Missing}
	}
	return &aliyundm.Mail{
		AccountName:  c.config.AccountName,
		FromAlias:    trace.cut("the sender's name", cmp.Or(out.SendFrom, c.config.FromAlias), maxAlias),
		To:           m.To,
		Subject:      trace.cut("the subject", out.Subject, maxSubject),
		HTMLBody:     out.HTML,
		TextBody:     out.Text,
		ReplyAddress: trace.replyAddress(out.ReplyTo, c.config.ReplyAddress),
		TagName:      c.config.TagName,
	}, trace, nil
}

// cut shortens a rendered text to what Direct Mail takes: a long organization
// name must not cost its reader the code.
func (t *Trace) cut(what, text string, limit int) string {
	length := utf8.RuneCountInString(text)
	if length <= limit {
		return text
	}
	t.Notes = append(t.Notes, fmt.Sprintf("%s had %d characters and was cut to %d", what, length, limit))
	return strings.TrimSpace(string([]rune(text)[:limit]))
}

// replyAddress returns the rendered address if it is one, else the connector's.
func (t *Trace) replyAddress(rendered, fallback string) string {
	if rendered == "" {
		return fallback
	}
	address, err := ParseAddress(rendered)
	if err != nil {
		t.Notes = append(t.Notes, "the template's replyTo did not become one mail address; the connector's replyAddress is used")
		return fallback
	}
	return address
}
