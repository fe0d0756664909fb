package parity

import (
	"fmt"
	"slices"
	"strings"

	"dmconnector/connector"
	"dmconnector/internal/logto"
	"dmconnector/templates"
)

// What Direct Mail takes, in characters.
const (
	maxAlias   = 15
	maxSubject = 256
)

// A pair is one request's two mails and how they came about.
type pair struct {
	payload map[string]any
	config  *connector.Config

	logto  Mail
	choice logto.Choice
	source logto.EmailTemplate // of Logto's mail
	kept   []string

	here       Mail
	hereSource connector.Template
	trace      connector.Trace
}

func (p *pair) composeLogto(from *logto.Connector, usageType string) {
	choice, ok := from.Choose(usageType, p.payload)
	if !ok {
		p.logto.Failure = "Logto has no template for it"
		return
	}
	p.choice, p.source = choice, from.Source(choice)
	p.logto.Template, p.logto.Why = nameOf(from, choice), []string{why(from, choice, usageType, p.payload)}
	mail, err := from.Compose(choice, p.payload)
	if err != nil {
		p.logto.Failure = "Logto answers with an error: " + err.Error()
		return
	}
	p.kept = mail.Kept
	p.logto.FromAlias, p.logto.Subject, p.logto.HTML = mail.FromAlias, mail.Subject, mail.HTMLBody
	for _, text := range []struct {
		what, text string
		most       int
	}{{"sender's name", mail.FromAlias, maxAlias}, {"subject", mail.Subject, maxSubject}} {
		if n := len([]rune(text.text)); n > text.most {
			p.logto.Failure = fmt.Sprintf("Direct Mail refuses it: the %s has %d characters and may have %d", text.what, n, text.most)
		}
	}
}

// why says by which of its rules Logto chose a template.
func why(from *logto.Connector, choice logto.Choice, usageType string, payload map[string]any) string {
	locale, _ := payload["locale"].(string)
	none := "has none for " + usageType + " in " + locale
	if locale == "" {
		none = "is told no language"
	}
	switch choice.Rule {
	case logto.ByLanguage:
		return "Logto has an email template for " + usageType + " in " + locale + "."
	case logto.ByFallbackLanguage:
		return "Logto " + none + " and takes the email template in the fallback language, " + from.FallbackLanguage + "."
	case logto.ByGeneric:
		return "Logto " + none + ", has none in the fallback language, and takes the email template for Generic in that, " + from.FallbackLanguage + ", before any of the config."
	case logto.ByConfig:
		return "Logto has no email template that counts, which must be in the very language or the fallback language, and takes the config's."
	default:
		return "Logto has no template for " + usageType + " and takes the config's for Generic."
	}
}

func (p *pair) composeHere(here *connector.Connector, usageType string) {
	mail, trace, err := here.Compose(connector.Message{To: "user@example.com", Type: usageType, Payload: p.payload})
	p.trace = trace
	p.here.Why = trace.Choice
	switch {
	case trace.Template >= 0:
		p.hereSource = p.config.Templates[trace.Template]
		p.here.Template = strings.TrimSpace(fmt.Sprintf("/templates/%d, %s %s", trace.Template, trace.UsageType, trace.LanguageTag))
	case trace.EmailTemplate != "":
		p.here.Template = "email template " + trace.UsageType + " " + trace.LanguageTag
		for _, t := range here.Shared() {
			if t.ID == trace.EmailTemplate {
				p.hereSource = t.Template
			}
		}
	}
	if err != nil {
		p.here.Failure = err.Error()
		return
	}
	p.here.FromAlias, p.here.ReplyAddress, p.here.Subject = mail.FromAlias, mail.ReplyAddress, mail.Subject
	p.here.HTML, p.here.Text = mail.HTMLBody, mail.TextBody
}

func (p *pair) differences() []Difference {
	var found []Difference
	add := func(field string, seen bool, logto, here string, reasons []Reason) {
		if len(reasons) == 0 {
			reasons = []Reason{{Other, "for no reason that is known"}}
		}
		found = append(found, Difference{field, seen, logto, here, reasons})
	}
	if p.logto.Failure != p.here.Failure {
		add("mail", true, p.logto.Failure, p.here.Failure, p.whyFailing())
	}
	if p.logto.Failure != "" && p.logto.Subject == "" || p.here.Failure != "" {
		return found // nothing to hold the rest against
	}
	if p.logto.FromAlias != p.here.FromAlias {
		add("from", true, p.logto.FromAlias, p.here.FromAlias, p.whyFrom())
	}
	if p.here.ReplyAddress != "" {
		add("replyTo", true, "", p.here.ReplyAddress, []Reason{{Reply, "Logto's connector sets no address for answers, also if the template has a replyTo"}})
	}
	if p.logto.Subject != p.here.Subject {
		add("subject", true, p.logto.Subject, p.here.Subject, p.whySubject())
	}
	if there, here := p.logto.HTML, p.here.HTML; there != here {
		seenThere, seenHere := p.logto.visible(), p.here.visible()
		seen := seenThere != seenHere || here != "" && !sameMarkup(there, here)
		if seenThere == seenHere && seen {
			seenThere, seenHere = canonical(there), canonical(here)
		}
		add("body", seen, seenThere, seenHere, p.whyBody())
	}
	return found
}

// notes are about what reads badly in both mails.
func (p *pair) notes() []string {
	var notes []string
	for _, path := range p.kept {
		if slices.Contains(p.trace.Missing, path) && p.config.OnMissing != "empty" {
			notes = append(notes, "{{"+path+"}} stays as written in both: the request does not carry it")
		}
	}
	return notes
}

// ours fills Logto's template in by the rules here.
func (p *pair) ours(escape string) templates.Rendered {
	t, _ := templates.Compile(templates.Source{
		Subject: p.source.Subject, Content: p.source.Content, ContentType: p.source.ContentType,
		SendFrom: p.source.SendFrom, ReplyTo: p.source.ReplyTo, Escape: escape,
	})
	return t.Render(p.payload, templates.KeepMissing)
}
