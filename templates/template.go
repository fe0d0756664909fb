// Package templates is the language in which a connector's mails are written:
// Logto's, and beyond it sections, values escaped by their place in the HTML,
// and a choice by language. It knows nothing of how a mail is sent.
package templates

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Source is one template as it is written in a connector's JSON. The validate tags
// are rules of package connector.
type Source struct {
	// UsageType is what the mail is for, such as "SignIn"; "Generic" is used
	// for every type that has no template of its own.
	UsageType string `json:"usageType" validate:"required"`
	// LanguageTag is a BCP 47 tag, or empty for any language.
	LanguageTag string `json:"languageTag,omitempty" validate:"omitempty,language"`
	Subject     string `json:"subject" validate:"required,subject"`
	// Content is the body, in the form that ContentType names: "text/html",
	// also if empty, or "text/plain".
	Content     string `json:"content" validate:"required"`
	ContentType string `json:"contentType,omitempty" validate:"omitempty,oneof=text/html text/plain"`
	// Text is the plain-text body beside an HTML Content.
	Text     string `json:"text,omitempty"`
	ReplyTo  string `json:"replyTo,omitempty" validate:"omitempty,replyto"`
	SendFrom string `json:"sendFrom,omitempty"`
	// Escape is "html", also if empty, or "none": values as they are, as in
	// Logto.
	Escape string `json:"escape,omitempty" validate:"omitempty,oneof=html none"`
}

const (
	plainText  = "text/plain"
	escapeNone = "none"
)

// A Warning says what in a template is probably not meant.
type Warning struct {
	Field  string // "subject", "content", "text", "replyTo" or "sendFrom"
	Line   int    // in the field, from 1 on; 0 if it is about all of it
	Detail string
}

// A Use is a variable's use in a template, and the first place where it is used
// like that.
type Use struct {
	Variable string // as written, such as "user.name"
	Field    string // as in [Warning]
	Line     int    // as in [Warning]
	Asks     bool   // a section asks for it; else its value is shown
	Hidden   bool   // its value is where readers do not see it, or not all of them
	// Under names the variables without which it is not shown, as sections around
	// it ask for them: the outermost eight, apart by spaces.
	Under string
}

// A Template is a compiled [Source]. It is safe for concurrent use.
type Template struct {
	source  Source
	subject program
	html    program
	text    program
	replyTo program
	sender  program

	variables []string
	uses      []Use
}

// Compile prepares a template. It never fails: what is not a placeholder is text,
// as in Logto. The warnings are in the order of the fields.
func Compile(src Source) (*Template, []Warning) {
	t := &Template{source: src}
	c := compiler{raw: src.Escape == escapeNone, known: make(map[Use]bool)}
	t.subject = c.plain("subject", src.Subject, escapeLine)
	if src.ContentType == plainText {
		t.text = c.plain("content", src.Content, escapePlain)
		if src.Text != "" {
			c.warnField("text", "is not used: the content is already plain text")
		}
	} else {
		t.html = c.html("content", src.Content)
		t.text = c.plain("text", src.Text, escapePlain)
	}
	t.replyTo = c.plain("replyTo", src.ReplyTo, escapeLine)
	t.sender = c.plain("sendFrom", src.SendFrom, escapeLine)
	t.variables, t.uses = c.variables, c.uses
	return t, c.warnings
}

// Source returns what the template was compiled from.
func (t *Template) Source() Source { return t.source }

// Variables returns the variables that the template uses, in values and in
// sections, each once, as written: "code", "user.name". The slice is the
// caller's own.
func (t *Template) Variables() []string { return slices.Clone(t.variables) }

// Uses returns how and where the template uses its variables, field by field. The
// slice is the caller's own.
func (t *Template) Uses() []Use { return slices.Clone(t.uses) }

// A compiler collects what the fields of a template have in common.
type compiler struct {
	raw       bool
	variables []string
	uses      []Use
	known     map[Use]bool // without lines, and variables without anything else
	warnings  []Warning

	field, text string // the field that is being compiled
	at          int    // a place in text before which lines are counted
	line        int    // its line, or 0 if lines have no meaning
}

// plain compiles a text that is not HTML.
func (c *compiler) plain(field, source string, esc escape) program {
	text := source
	if esc == escapeLine {
		text = string(esc.append(nil, source))
	}
	if c.raw && esc == escapePlain {
		esc = escapeRaw
	}
	marks := c.begin(field, text, text != source, false)
	placed := make([]placement, len(marks))
	for i, m := range marks {
		placed[i] = placement{at: m.start, width: m.end - m.start, escape: esc}
	}
	pair(marks, placed)
	c.use(marks, placed)
	return link(text, marks, placed, nil)
}

// html compiles a text that is HTML.
func (c *compiler) html(field, source string) program {
	if c.raw {
		c.warnField(field, `does not escape values ("escape": "none"): whoever chooses a name can write HTML into the mail`)
		return c.plain(field, source, escapePlain)
	}
	marks := c.begin(field, source, false, true)
	a := &analysis{source: source, marks: marks, placed: make([]placement, len(marks))}
	a.run()
	c.use(marks, a.placed)
	for _, v := range a.values {
		if v.fixed {
			c.warn(v.written, fmt.Sprintf("%s begins with a scheme that is not allowed, and becomes #", v))
		}
	}
	return link(a.doc, marks, a.placed, a.values)
}

// begin turns to a field, of which the lines are lost if it was folded. It keeps the
// variables, and warns of what looks like a placeholder.
func (c *compiler) begin(field, text string, folded, markup bool) []mark {
	c.field, c.text, c.at, c.line = field, text, 0, 1
	if folded {
		c.line = 0
	}
	marks := parse(text)
	for _, m := range marks {
		if c.isNew(Use{Variable: m.path}) {
			c.variables = append(c.variables, m.path)
		}
	}
	c.warnNear(marks, markup)
	return marks
}

func (c *compiler) isNew(use Use) bool {
	known := c.known[use]
	c.known[use] = true
	return !known
}

// maxUnder bounds the cost of nested sections.
const maxUnder = 8

// use keeps how the variables are used, except in what is left as written. It warns of
// marks that do not do in their place what they do in text.
func (c *compiler) use(marks []mark, placed []placement) {
	var open []string
	for i, m := range marks {
		p := placed[i]
		switch {
		case p.literal && p.where == "":
			c.warn(m.start, excerpt(m.written)+" has no matching tag and is left as written")
			continue
		case p.literal:
			c.warn(m.start, fmt.Sprintf("%s is in %s, where sections do not work, and is left as written", excerpt(m.written), p.where))
			continue
		case m.kind == kindEnd:
			open = open[:len(open)-1]
			continue
		case m.kind == kindValue && p.escape == escapeNothing:
			c.warn(m.start, fmt.Sprintf("%s is in %s: its value is not shown there", excerpt(m.written), p.where))
		case m.kind == kindValue && p.escape == escapeWord:
			c.warn(m.start, fmt.Sprintf("%s is in %s: only letters and digits of its value are shown there", excerpt(m.written), p.where))
		}
		under := slices.DeleteFunc(slices.Clone(open[:min(len(open), maxUnder)]), func(path string) bool { return path == "" })
		use := Use{Variable: m.path, Field: c.field, Asks: m.kind != kindValue, Hidden: p.where != "" || p.escape == escapeComment, Under: strings.Join(under, " ")}
		if c.isNew(use) {
			use.Line = c.lineOf(m.start)
			c.uses = append(c.uses, use)
		}
		switch m.kind {
		case kindSection:
			open = append(open, m.path[:min(len(m.path), maxListedPath)])
		case kindInverted:
			open = append(open, "") // is shown without
		}
	}
}

// manyWarnings are more than anybody reads.
const manyWarnings = 100

// warn warns of a place in the field.
func (c *compiler) warn(at int, detail string) {
	c.add(Warning{Field: c.field, Line: c.lineOf(at), Detail: detail})
}

// warnField warns of a whole field.
func (c *compiler) warnField(field, detail string) { c.add(Warning{Field: field, Detail: detail}) }

// add keeps the first of those that say the same.
func (c *compiler) add(w Warning) {
	same := func(other Warning) bool { return other.Field == w.Field && other.Detail == w.Detail }
	if len(c.warnings) < manyWarnings && !slices.ContainsFunc(c.warnings, same) {
		c.warnings = append(c.warnings, w)
	}
}

// lineOf returns a place's line, from 1 on, or 0 if lines have no meaning; fastest for
// places that come in order. A line ends as in editors: with LF, CR LF or CR. No place
// is between the two of CR LF.
func (c *compiler) lineOf(at int) int {
	if c.line == 0 {
		return 0
	}
	if at < c.at {
		c.at, c.line = 0, 1
	}
	between := c.text[c.at:at]
	c.line += strings.Count(between, "\n") + strings.Count(between, "\r") - strings.Count(between, "\r\n")
	c.at = at
	return c.line
}

const longExcerpt = 40

// excerpt keeps a warning short, and shows what is invisible by its number.
func excerpt(s string) string {
	var visible strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if unicode.IsPrint(r) {
			visible.WriteRune(r)
		} else {
			fmt.Fprintf(&visible, "[%U]", r)
		}
	}
	s = visible.String()
	if len(s) <= longExcerpt {
		return s
	}
	cut := longExcerpt
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
