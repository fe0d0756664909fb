package templates

import "slices"

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
	// once, in the order of their first use.
	Missing []string
	// Notes say what was changed for safety, and why; never a value.
	Notes []string
}

// Render fills in the template. The values are a decoded JSON object, with
// [encoding/json.Number] for numbers.
func (t *Template) Render(values map[string]any, missing Missing) Rendered {
	r := renderer{values: values, missing: missing}
	out := Rendered{
		Subject:  r.render(t.subject),
		HTML:     r.render(t.html),
		Text:     r.render(t.text),
		ReplyTo:  r.render(t.replyTo),
		SendFrom: r.render(t.sender),
	}
	out.Missing, out.Notes = r.unknown, r.notes
	return out
}

type renderer struct {
	values  map[string]any
	missing Missing
	buf     []byte
	unknown []string
	notes   []string
}

func (r *renderer) render(p program) string {
	r.buf = r.buf[:0]
	opened := 0
	for i := 0; i < len(p); i++ {
		s := &p[i]
		switch s.do {
		case writeText:
			r.buf = append(r.buf, s.text...)
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

func (r *renderer) value(s *step) {
	value, known := s.variable.lookup(r.values)
	if !known {
		if !slices.Contains(r.unknown, s.variable.path) {
			r.unknown = append(r.unknown, s.variable.path)
		}
		if r.missing == KeepMissing {
			r.buf = append(r.buf, s.text...)
		}
		return
	}
	r.buf = s.escape.append(r.buf, textOf(value))
}

// close looks at an attribute's whole value.
func (r *renderer) close(v *attributeValue, opened int) {
	value := r.buf[opened:]
	if scheme := v.check(value); scheme != "" {
		r.buf = append(r.buf[:opened], '#')
		note := v.String() + " became #: " + scheme + ": is not allowed"
		if !slices.Contains(r.notes, note) {
			r.notes = append(r.notes, note)
		}
		return
	}
	if v.unquoted && len(value) == 0 {
		r.buf = append(r.buf, `""`...) // else the next attribute became the value
	}
}
