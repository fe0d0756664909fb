package parity

import (
	"fmt"
	"regexp"
	"strings"

	"dmconnector/internal/logto"
)

// A Reason says why two mails differ.
type Reason struct {
	Code Code   `json:"code"`
	Text string `json:"text"`
}

// A Code is a reason for programs.
type Code string

// The reasons.
const (
	Escaping  Code = "escaping"      // values in HTML
	Language  Code = "language"      // another template of the same type
	Standin   Code = "generic"       // one of the two has Generic stand in, or something else for it
	Syntax    Code = "syntax"        // sections, <<code>>
	Inherited Code = "javascript"    // names that every JavaScript object has
	Lines     Code = "one_line"      // subjects and names are kept to a line
	Cut       Code = "cut"           // to what Direct Mail takes
	EmptyName Code = "empty_name"    // a sendFrom that becomes nothing
	PlainText Code = "plain_text"    // Logto sends it as HTML
	Reply     Code = "reply_address" // Logto sets none
	Missing   Code = "missing"       // onMissing
	Failing   Code = "failing"       // Logto, of a value
	Setting   Code = "setting"       // the connectors' own
	Other     Code = "other"
)

// chosen is the reason if the two templates differ in a field. Then there is no
// other: what the rules here would make of Logto's template is not to be seen.
func (p *pair) chosen(there, here string) []Reason {
	if there == here {
		return nil
	}
	code := Language
	if p.source.TemplateType != p.hereSource.UsageType {
		code = Standin
	}
	return []Reason{{code, strings.Join(append(append([]string{}, p.logto.Why...), "Here: "+strings.Join(p.here.Why, " ")), " ")}}
}

func (p *pair) whyFailing() []Reason {
	switch {
	case p.here.Failure != "":
		return []Reason{{Missing, "the connector's onMissing refuses it"}}
	case strings.Contains(p.logto.Failure, "Direct Mail refuses"):
		return []Reason{{Cut, "what is too long for Direct Mail is cut here"}}
	}
	return []Reason{{Failing, "a value that JavaScript cannot make text of is [object Object] here"}}
}

func (p *pair) whyFrom() []Reason {
	if reasons := p.chosen(p.source.SendFrom, p.hereSource.SendFrom); reasons != nil {
		return reasons
	}
	if p.source.SendFrom == "" {
		return []Reason{{Setting, "the two connectors have another fromAlias"}}
	}
	ours := p.ours("").SendFrom
	reasons := p.whyLine(p.source.SendFrom, p.logto.FromAlias, ours)
	if p.logto.FromAlias == "" && p.source.SendFrom != "" {
		reasons = append(reasons, Reason{EmptyName, "the template's sendFrom becomes nothing; here the connector's fromAlias stands in"})
	}
	return append(reasons, whyCut("name", p.logto.FromAlias, maxAlias)...)
}

func (p *pair) whySubject() []Reason {
	if reasons := p.chosen(p.source.Subject, p.hereSource.Subject); reasons != nil {
		return reasons
	}
	reasons := p.whyLine(p.source.Subject, p.logto.Subject, p.ours("").Subject)
	return append(reasons, whyCut("subject", p.logto.Subject, maxSubject)...)
}

// whyLine says why one line of Logto's template comes out otherwise here.
func (p *pair) whyLine(source, there, ours string) []Reason {
	reasons := p.whyMissing()
	if there == ours {
		return reasons
	}
	reasons = append(reasons, whySyntax(source)...)
	if strings.ContainsFunc(there, isControl) {
		reasons = append(reasons, Reason{Lines, "line breaks and control characters become a space or nothing"})
	}
	return reasons
}

func isControl(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 }

func whyCut(what, text string, most int) []Reason {
	if n := len([]rune(text)); n > most {
		return []Reason{{Cut, fmt.Sprintf("the %s has %d characters and is cut to the %d that Direct Mail takes", what, n, most)}}
	}
	return nil
}

func (p *pair) whyBody() []Reason {
	if reasons := p.chosen(p.source.Content+p.source.ContentType, p.hereSource.Content+p.hereSource.ContentType); reasons != nil {
		return reasons
	}
	reasons := p.whyMissing()
	if p.source.ContentType == "text/plain" {
		reasons = append(reasons, Reason{PlainText, "Logto's connector sends plain text as HTML, which has no line breaks and takes < for a tag"})
		if p.ours("none").Text != p.logto.HTML {
			reasons = append(reasons, whySyntax(p.source.Content)...)
		}
		return reasons
	}
	raw := p.ours("none").HTML
	if raw != p.logto.HTML {
		reasons = append(reasons, whySyntax(p.source.Content)...)
	}
	if p.ours(p.hereSource.Escape).HTML != raw {
		reasons = append(reasons, Reason{Escaping, "Logto puts values into HTML as they are; here they pass as their place allows"})
	}
	return reasons
}

// whyMissing is the reason if a connector treats missing variables unlike Logto.
func (p *pair) whyMissing() []Reason {
	if len(p.trace.Missing) == 0 || p.config.OnMissing != "empty" {
		return nil
	}
	return []Reason{{Missing, "{{" + strings.Join(p.trace.Missing, "}}, {{") + "}}: the connector's onMissing leaves out what the request does not carry"}}
}

var (
	section = regexp.MustCompile(`\{\{\s*[#^/]`)
	paths   = regexp.MustCompile(`[\w.]+`)
)

// whySyntax says what in a template means something else to Logto.
func whySyntax(source string) []Reason {
	var reasons []Reason
	if section.MatchString(source) {
		reasons = append(reasons, Reason{Syntax, "{{#…}}, {{^…}} and {{/…}} are text in Logto and sections here"})
	}
	if strings.Contains(source, "<<code>>") {
		reasons = append(reasons, Reason{Syntax, "<<code>> is text in Logto and the code here"})
	}
	for _, path := range paths.FindAllString(source, -1) {
		for key := range strings.SplitSeq(path, ".") {
			if logto.Inherited(key) {
				return append(reasons, Reason{Inherited, "{{" + path + "}} shows insides of JavaScript in Logto"})
			}
		}
	}
	return reasons
}
