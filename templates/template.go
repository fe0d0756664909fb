// Package templates is the language in which a connector's mails are written:
// Logto's, and beyond it sections, values escaped by their place in the HTML,
// and a choice by language. It knows nothing of how a mail is sent.
package templates

import (
	"slices"
)

// A Source is one template as it is written in a connector's JSON.
type Source struct {
	// UsageType is what the mail is for, such as "SignIn"; "Generic" stands in
	// for every type that has no template of its own.
	UsageType string `json:"usageType"`
	// LanguageTag is a BCP 47 tag, or empty for any language.
	LanguageTag string `json:"languageTag,omitempty"`
	Subject     string `json:"subject"`
	// Content is the body, in the form that ContentType names: "text/html",
	// also if empty, or "text/plain".
	Content     string `json:"content"`
	ContentType string `json:"contentType,omitempty"`
	// Text is the plain-text body beside an HTML Content.
	Text     string `json:"text,omitempty"`
	ReplyTo  string `json:"replyTo,omitempty"`
	SendFrom string `json:"sendFrom,omitempty"`
	// Escape is "html", also if empty, or "none": values as they are, as in
	// Logto.
	Escape string `json:"escape,omitempty"`
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

// Compile prepares a template. It never fails: what is no placeholder is text,
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
