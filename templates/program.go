package templates

import (
	"fmt"
	"slices"
)

// A program is a compiled text: steps to be taken one after the other.
type program []step

type step struct {
	do   action
	text string // the literal, or what is shown for a missing variable
	// variable is set for values and sections.
	variable variable
	escape   escape
	// next is where a hidden section ends.
	next int
	// value is set for the ends of attribute values.
	value *attributeValue
}

type action uint8

const (
	writeText action = iota
	writeValue
	showIfValue   // else go to next
	showIfNone    // else go to next
	openAttribute // remember where an attribute's value begins
	closeAttribute
)

// link makes the program of the text in which the marks were placed.
func link(text string, marks []mark, placed []placement, values []*attributeValue) program {
	b := builder{source: text, values: values}
	stepOf := make([]int, len(marks))
	for i, m := range marks {
		p := placed[i]
		if p.literal {
			continue
		}
		b.literal(p.at)
		stepOf[i] = len(b.steps)
		switch m.kind {
		case kindValue:
			b.add(step{do: writeValue, text: missingText(m, p.escape), variable: newVariable(m.path), escape: p.escape})
		case kindSection:
			b.add(step{do: showIfValue, variable: newVariable(m.path)})
		case kindInverted:
			b.add(step{do: showIfNone, variable: newVariable(m.path)})
		case kindEnd:
			b.steps[stepOf[p.partner]].next = len(b.steps)
		}
		b.at = p.at + p.width
	}
	b.literal(len(text))
	return b.steps
}

// missingText returns what is shown for a variable that the values do not carry:
// what is written, spelled so that it does not change its surroundings.
func missingText(m mark, esc escape) string {
	switch esc {
	case escapeNothing:
		return ""
	case escapeWord:
		return "{{" + m.path + "}}"
	case escapeHTML, escapeComment:
		return string(esc.append(nil, m.written))
	}
	return m.written
}

// A builder appends steps in the order of a text.
type builder struct {
	source string
	values []*attributeValue // not yet opened
	open   *attributeValue
	at     int // up to where the text is in steps
	steps  program
}

func (b *builder) add(s step) { b.steps = append(b.steps, s) }

// literal adds the text up to a place, and the ends of attribute values.
func (b *builder) literal(to int) {
	for {
		switch {
		case b.open != nil && b.open.end <= to:
			b.text(b.open.end)
			b.add(step{do: closeAttribute, value: b.open})
			b.open = nil
		case b.open == nil && len(b.values) > 0 && b.values[0].start <= to:
			b.open, b.values = b.values[0], b.values[1:]
			b.text(b.open.start)
			b.add(step{do: openAttribute})
		default:
			b.text(to)
			return
		}
	}
}

func (b *builder) text(to int) {
	if b.at < to {
		b.add(step{do: writeText, text: b.source[b.at:to]})
		b.at = to
	}
}

// Missing says what is shown for a variable that the values do not carry.
type Missing int

// The ways to show a variable that is missing.
const (
	KeepMissing Missing = iota // as it is written in the template, as in Logto
	DropMissing                // nothing
)

// A Rendered is a template filled in.
type Rendered struct {
	Subject  string
	HTML     string // empty for a template in plain text
	Text     string
	ReplyTo  string
	SendFrom string
	// Missing are the variables that the values do not carry, as written, each
	// once, in the order of their first use. Notes tell if there are more than fifty.
	Missing []string
	// Notes say what was changed for safety, and why; never a value.
	Notes []string
}

const (
	// MaxRendered is how long the fields of a rendered template may be together, in
	// bytes.
	MaxRendered = 512 << 10
	// MaxValue is how long a value may be, in bytes, unless it is a name.
	MaxValue = 4 << 10

	maxName       = 64 // characters
	maxListed     = 50 // missing variables and notes
	maxListedPath = 100
)

// A TooLargeError says that a template was not rendered because of its size.
type TooLargeError struct {
	// Variable is the one whose value is longer than [MaxValue], or empty if the mail
	// is longer than [MaxRendered].
	Variable string
}

func (e *TooLargeError) Error() string {
	if e.Variable == "" {
		return fmt.Sprintf("Shorten the template or its values: the mail is longer than %d bytes", MaxRendered)
	}
	return fmt.Sprintf("Send a shorter value for {{%s}}: it is longer than %d bytes", e.Variable, MaxValue)
}

// Render fills in the template. The values are a decoded JSON object, with
// [encoding/json.Number] for numbers. Names are cut to 64 characters. The error is a
// [*TooLargeError]; what the template does not use may have any size.
func (t *Template) Render(values map[string]any, missing Missing) (Rendered, error) {
	r := renderer{values: values, missing: missing, left: MaxRendered}
	out := Rendered{
		Subject:  r.render(t.subject),
		HTML:     r.render(t.html),
		Text:     r.render(t.text),
		ReplyTo:  r.render(t.replyTo),
		SendFrom: r.render(t.sender),
	}
	out.Missing, out.Notes = r.unknown, r.notes
	if r.failure != nil {
		return Rendered{Missing: r.unknown, Notes: r.notes}, r.failure
	}
	return out, nil
}

type renderer struct {
	values  map[string]any
	missing Missing
	buf     []byte
	left    int // what may still be written
	failure error
	unknown []string
	notes   []string
}

func (r *renderer) render(p program) string {
	r.buf = r.buf[:0]
	opened := 0
	for i := 0; i < len(p) && r.failure == nil; i++ {
		s := &p[i]
		switch s.do {
		case writeText:
			r.text(s.text)
		case writeValue:
			r.value(s)
		case showIfValue, showIfNone:
			value, _ := s.variable.lookup(r.values)
			if hasValue(value) != (s.do == showIfValue) {
				i = s.next - 1
			}
		case openAttribute:
			opened = len(r.buf)
		case closeAttribute:
			r.close(s.value, opened)
		}
	}
	return string(r.buf)
}

// spend counts bytes against the bound before they are written.
func (r *renderer) spend(bytes int) bool {
	r.left -= bytes
	if r.left < 0 && r.failure == nil {
		r.failure = &TooLargeError{}
	}
	return r.failure == nil
}

func (r *renderer) text(text string) {
	if r.spend(len(text)) {
		r.buf = append(r.buf, text...)
	}
}

func (r *renderer) value(s *step) {
	value, known := s.variable.lookup(r.values)
	if !known {
		r.list(&r.unknown, s.variable.shown())
		if r.missing == KeepMissing {
			r.text(s.text)
		}
		return
	}
	text, whole := textOf(value)
	switch {
	case s.variable.name:
		cut := cutName(text)
		if len(cut) < len(text) {
			r.note(fmt.Sprintf("%s was longer than %d characters and was cut", s.variable.shown(), maxName))
		}
		text = cut
	case !whole:
		r.failure = &TooLargeError{Variable: s.variable.shown()}
		return
	}
	// What does not pass costs time as well.
	if !r.spend(len(text)) {
		return
	}
	before := len(r.buf)
	r.buf = s.escape.append(r.buf, text)
	r.spend(max(0, len(r.buf)-before-len(text)))
}

// close looks at an attribute's whole value.
func (r *renderer) close(v *attributeValue, opened int) {
	value := r.buf[opened:]
	if scheme := v.check(value); scheme != "" {
		r.buf = append(r.buf[:opened], '#')
		r.note(v.String() + " became #: " + scheme + ": is not allowed")
		return
	}
	if v.unquoted && len(value) == 0 {
		r.text(`""`) // else the next attribute became the value
	}
}

func (r *renderer) note(note string) { r.list(&r.notes, note) }

// list adds what a list does not have yet, unless the list is full.
func (r *renderer) list(list *[]string, element string) {
	switch {
	case slices.Contains(*list, element):
	case len(*list) < maxListed:
		*list = append(*list, element)
	case !slices.Contains(r.notes, andMore):
		r.notes = append(r.notes, andMore)
	}
}

const andMore = "there are more missing variables or notes than are listed"
