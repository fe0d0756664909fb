package migrate

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"dmconnector/connector"
	"dmconnector/templates"
)

//go:embed flows.json
var flowsJSON []byte

// A Flow is a mail request that was recorded from a real Logto.
type Flow struct {
	Name    string         `json:"name"`
	Type    string         `json:"type"`
	Payload map[string]any `json:"payload"`
}

func (f Flow) locale() string {
	locale, _ := f.Payload["locale"].(string)
	return locale
}

// Flows returns the recorded requests, by their names.
func Flows() []Flow {
	var flows []Flow
	dec := json.NewDecoder(bytes.NewReader(flowsJSON))
	dec.UseNumber()
	if err := dec.Decode(&flows); err != nil {
		panic(fmt.Sprintf("flows.json: %v", err)) // it is part of the program
	}
	return flows
}

// Languages returns those worth comparing: of Logto's sign-in page and of the
// email templates, and the fallback language.
func Languages(l *Logto) []string {
	list := []string{
		"ar", "cs", "de", "en", "es", "es-MX", "fa-IR", "fr", "it", "ja", "ko", "pl-PL", "pt-PT", "pt-BR", "ru", "th",
		"tr-TR", "uk-UA", "zh-CN", "zh-HK", "zh-TW", l.FallbackLanguage,
	}
	for _, t := range l.Templates {
		if t.LanguageTag != "" {
			list = append(list, t.LanguageTag)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// A Mail is what Logto or the connector here makes of a request.
type Mail struct {
	Template string `json:"template"`          // the chosen one
	Why      string `json:"why,omitempty"`     // the connector here chose it
	Failure  string `json:"failure,omitempty"` // why there is no mail
	From     string `json:"from,omitempty"`    // the sender's name
	ReplyTo  string `json:"replyTo,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Body     string `json:"body,omitempty"`

	source connector.Template
}

// A Result compares the two mails of one request.
type Result struct {
	Flow
	Differences []Difference `json:"differences"`
	Logto       Mail         `json:"logto"`
	Here        Mail         `json:"here"`
}

// A Difference is one between two mails that a reader sees.
type Difference struct {
	Field   string   `json:"field"` // mail, from, replyTo, subject or body
	Logto   string   `json:"logto"`
	Here    string   `json:"here"`
	Reasons []string `json:"reasons"` // keys of Reasons
}

// Reasons explains the codes.
var Reasons = map[string]string{
	"language":      "Logto takes a template in exactly the reader's language, else in the fallback language; here a close language and the reader's other ones count too",
	"generic":       "only one of the two takes a template for Generic",
	"syntax":        "{{#…}}, {{^…}}, {{/…}} and <<code>> are text in Logto and have a meaning here",
	"missing":       "the connector's onMissing leaves out or rejects variables that the request lacks",
	"one_line":      "line breaks and control characters in a subject or name become a space or nothing here",
	"escaping":      "Logto puts values into HTML as they are; here they are escaped as their place demands",
	"plain_text":    "Logto's connector sends plain text as HTML, which swallows line breaks and tags",
	"cut":           "Direct Mail accepts sender's names up to 15 and subjects up to 256 characters: it rejects Logto's mail, and here they are cut",
	"reply_address": "Logto's connector sets no address for answers, even if the template has a replyTo",
	"from_alias":    "the connector's fromAlias is not Logto's, or stands in for a sendFrom that becomes nothing",
}

// Compare composes every recorded request on both sides. A request that names a
// language is also composed in each of the given ones.
func Compare(l *Logto, here *connector.Connector, languages []string) []Result {
	var results []Result
	for _, flow := range Flows() {
		results = append(results, compare(l, here, flow))
		for _, language := range languages {
			if flow.locale() == "" || flow.locale() == language {
				continue
			}
			other := flow
			other.Payload = maps.Clone(flow.Payload)
			other.Payload["locale"] = language
			delete(other.Payload, "uiLocales") // the recorded locale was taken from it
			results = append(results, compare(l, here, other))
		}
	}
	return results
}

func compare(l *Logto, here *connector.Connector, flow Flow) Result {
	there, ours := l.Compose(flow), composeHere(here, flow)
	r := Result{Flow: flow, Differences: []Difference{}, Logto: there, Here: ours}
	add := func(field, there, ours string, reasons ...string) {
		if there != ours {
			r.Differences = append(r.Differences, Difference{field, there, ours, reasons})
		}
	}
	if ours.Failure != "" {
		add("mail", "sent", ours.Failure, "missing")
		return r
	}
	t := ours.source
	chosen, missing := "language", templates.KeepMissing
	if there.source.UsageType != t.UsageType {
		chosen = "generic"
	}
	if here.Config().OnMissing == "empty" {
		missing = templates.DropMissing
	}
	render := func(source connector.Template, missing templates.Missing) templates.Rendered {
		compiled, _ := templates.Compile(source)
		rendered, _ := compiled.Render(flow.Payload, missing) // here.Compose has said if it fails
		return rendered
	}
	rendered := render(t, missing)
	// explain goes from Logto's text to the one here step by step. Each step renders
	// one more thing in the way used here and explains what changes by that.
	explain := func(sourceThere, source, placed, ours, place, last string) (reasons []string) {
		text := templates.RenderAsLogto(sourceThere, flow.Payload)
		raw := connector.Template{Content: source, Escape: "none"}
		for _, step := range []struct{ text, reason string }{
			{templates.RenderAsLogto(source, flow.Payload), chosen},
			{render(raw, templates.KeepMissing).HTML, "syntax"},
			{render(raw, missing).HTML, "missing"},
			{placed, place},
			{ours, last},
		} {
			if step.text != text {
				reasons = append(reasons, step.reason)
			}
			text = step.text
		}
		return reasons
	}

	last := "cut"
	if rendered.SendFrom == "" {
		last = "from_alias"
	}
	add("from", there.From, ours.From, explain(there.source.SendFrom, t.SendFrom, rendered.SendFrom, ours.From, "one_line", last)...)
	add("replyTo", "", ours.ReplyTo, "reply_address")
	add("subject", there.Subject, ours.Subject, explain(there.source.Subject, t.Subject, rendered.Subject, ours.Subject, "one_line", "cut")...)
	if t.ContentType != "text/plain" {
		add("body", markup(there.Body), markup(ours.Body), explain(there.source.Content, t.Content, ours.Body, ours.Body, "escaping", "")...)
		return r
	}
	reasons := append(explain(there.source.Content, t.Content, ours.Body, ours.Body, "plain_text", ""), "plain_text")
	shown := strings.Join(strings.Fields(tag.ReplaceAllString(there.Body, "")), " ") // HTML swallows line breaks and tags
	add("body", shown, strings.TrimSpace(ours.Body), slices.Compact(reasons)...)
	return r
}

var tag = regexp.MustCompile(`<[^>]*>`)

// markup returns an HTML body with its characters written in one way only: no
// reader sees the difference between & and &amp;.
func markup(body string) string {
	var b strings.Builder
	for z := html.NewTokenizer(strings.NewReader(body)); z.Next() != html.ErrorToken; {
		b.WriteString(z.Token().String())
	}
	return b.String()
}

func composeHere(here *connector.Connector, flow Flow) Mail {
	composed, trace, err := here.Compose(connector.Message{To: "user@example.com", Type: flow.Type, Payload: flow.Payload})
	mail := Mail{Why: strings.Join(trace.Choice, " ")}
	if trace.Template >= 0 {
		mail.source = here.Config().Templates[trace.Template]
		mail.Template = strings.TrimSpace(fmt.Sprintf("/templates/%d, %s %s", trace.Template, trace.UsageType, trace.LanguageTag))
	}
	for _, t := range here.Shared() {
		if t.ID == trace.EmailTemplate {
			mail.source, mail.Template = t.Template, Template{Template: t.Template}.String()
		}
	}
	if err != nil {
		mail.Failure = err.Error()
		return mail
	}
	mail.From, mail.ReplyTo, mail.Subject = composed.FromAlias, composed.ReplyAddress, composed.Subject
	mail.Body = cmp.Or(composed.HTMLBody, composed.TextBody)
	return mail
}
