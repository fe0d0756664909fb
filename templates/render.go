package templates

import (
	"slices"
	"sync"
)

// Missing says what stands for a variable that the values do not carry.
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
	buf := buffers.Get().(*[]byte)
	r.buf = *buf
	out := Rendered{
		Subject:  r.render(&t.subject),
		HTML:     r.render(&t.html),
		Text:     r.render(&t.text),
		ReplyTo:  r.render(&t.replyTo),
		SendFrom: r.render(&t.sender),
		Missing:  r.unknown,
		Notes:    r.notes,
	}
	if cap(r.buf) <= maxBuffer {
		*buf = r.buf
		buffers.Put(buf)
	}
	return out
}

const maxBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

type renderer struct {
	values  map[string]any
	missing Missing
	buf     []byte
	unknown []string
	notes   []string
}

func (r *renderer) render(p *program) string {
	if len(p.steps) == 0 {
		return ""
	}
	r.buf = slices.Grow(r.buf[:0], p.size)
	opened := 0
	for i := 0; i < len(p.steps); i++ {
		s := &p.steps[i]
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
