package templates

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A program is a compiled text: steps to be taken one after the other.
type program struct {
	steps []step
	size  int // of its literal parts
}

type step struct {
	do   action
	text string // the literal, or what stands for a variable that is missing
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

// A compiler collects what the fields of a template have in common.
type compiler struct {
	raw       bool
	field     string
	lines     lineCounter // of the field
	variables []string
	uses      []Use
	known     map[Use]bool // without lines, and variables without anything else
	warnings  []Warning
}

// begin turns to a field. A text that was folded has lost its lines.
func (c *compiler) begin(field, source string, folded bool) {
	c.field = field
	c.lines = lineCounter{text: source, line: 1, none: folded}
}

// warnField warns of a whole field.
func (c *compiler) warnField(field, detail string) { c.add(Warning{Field: field, Detail: detail}) }

// warn warns of a place in the field.
func (c *compiler) warn(at int, detail string) {
	c.add(Warning{Field: c.field, Line: c.lines.of(at), Detail: detail})
}

// add keeps the first of those that say the same.
func (c *compiler) add(w Warning) {
	same := func(other Warning) bool { return other.Field == w.Field && other.Detail == w.Detail }
	if len(c.warnings) < manyWarnings && !slices.ContainsFunc(c.warnings, same) {
		c.warnings = append(c.warnings, w)
	}
}

// plain compiles a text that is not HTML.
func (c *compiler) plain(field, source string, esc escape) program {
	folded := source
	if esc == escapeLine {
		folded = string(esc.append(nil, source))
	}
	c.begin(field, folded, folded != source)
	source = folded
	marks := parse(source)
	c.note(source, marks)
	if c.raw && esc == escapePlain {
		esc = escapeRaw
	}
	placed := make([]placement, len(marks))
	partner := pair(marks, func(int) bool { return false }, func(int, int) bool { return true })
	for i, m := range marks {
		placed[i].escape = esc
		placed[i].partner = partner[i]
		if m.kind != kindValue && partner[i] < 0 {
			c.warnUnpaired(source, m)
			placed[i].literal = true
		}
	}
	c.use(marks, placed)
	return link(source, marks, placed, nil)
}

// html compiles a text that is HTML.
func (c *compiler) html(field, source string) program {
	if c.raw {
		c.warnField(field, `does not escape values ("escape": "none"): whoever chooses a name can write HTML into the mail`)
		return c.plain(field, source, escapePlain)
	}
	c.begin(field, source, false)
	marks := parse(source)
	c.note(source, marks)
	a := newAnalysis(source, marks)
	a.run()
	c.warnPlaces(a)
	c.use(marks, a.placed)
	return link(source, marks, a.placed, a.values)
}

// note keeps the variables, and warns of what looks like a placeholder.
func (c *compiler) note(source string, marks []mark) {
	at := 0
	for _, m := range marks {
		if c.isNew(Use{Variable: m.path}) {
			c.variables = append(c.variables, m.path)
		}
		c.warnLiteral(source, at, m.start)
		at = m.end
	}
	c.warnLiteral(source, at, len(source))
}

func (c *compiler) isNew(use Use) bool {
	if c.known[use] {
		return false
	}
	c.known[use] = true
	return true
}

// maxUnder keeps sections in sections from costing their square.
const maxUnder = 8

// use keeps how the variables are used. What is left as written is no use.
func (c *compiler) use(marks []mark, placed []placement) {
	var open []string
	for i, m := range marks {
		switch {
		case placed[i].literal:
			continue
		case m.kind == kindEnd:
			open = open[:len(open)-1]
			continue
		}
		under := slices.DeleteFunc(slices.Clone(open[:min(len(open), maxUnder)]), func(path string) bool { return path == "" })
		use := Use{Variable: m.path, Field: c.field, Asks: m.kind != kindValue, Under: strings.Join(under, " ")}
		if c.isNew(use) {
			use.Line = c.lines.of(m.start)
			c.uses = append(c.uses, use)
		}
		switch m.kind {
		case kindSection:
			open = append(open, m.path)
		case kindInverted:
			open = append(open, "") // is shown without
		}
	}
}

// warnLiteral warns of braces in source[at:end] that are no placeholder.
func (c *compiler) warnLiteral(source string, at, end int) {
	text := source[at:end]
	for len(c.warnings) < manyWarnings {
		before, after, found := strings.Cut(text, "{{")
		if !found {
			return
		}
		place := end - len(text) + len(before)
		near := after[:min(len(after), 2*longExcerpt)]
		inside, _, closed := strings.Cut(near, "}}")
		text = after
		if closed && !strings.Contains(inside, "{{") {
			text = after[len(inside):]
			near = inside + "}}"
		}
		c.warn(place, excerpt("{{"+near)+" is not a placeholder and is left as written")
	}
}

// manyWarnings are more than anybody reads.
const manyWarnings = 100

const longExcerpt = 40

// excerpt keeps a warning short.
func excerpt(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= longExcerpt {
		return s
	}
	cut := longExcerpt
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func (c *compiler) warnUnpaired(source string, m mark) {
	c.warn(m.start, fmt.Sprintf("%s has no matching tag and is left as written", excerpt(source[m.start:m.end])))
}

// warnPlaces warns of marks that do not do in their place what they do in text.
func (c *compiler) warnPlaces(a *analysis) {
	for i, m := range a.marks {
		p := a.placed[i]
		written := excerpt(a.source[m.start:m.end])
		switch {
		case m.kind != kindValue && p.literal && p.where == "":
			c.warnUnpaired(a.source, m)
		case m.kind != kindValue && p.literal:
			c.warn(m.start, fmt.Sprintf("%s is in %s, where sections do not work, and is left as written", written, p.where))
		case m.kind == kindValue && p.escape == escapeNothing:
			c.warn(m.start, fmt.Sprintf("%s is in %s: its value is not shown there", written, p.where))
		case m.kind == kindValue && p.escape == escapeWord:
			c.warn(m.start, fmt.Sprintf("%s is in %s: only letters and digits of its value are shown there", written, p.where))
		}
	}
	for _, v := range a.values {
		if v.url != notURL && v.fixed {
			c.warn(v.start, fmt.Sprintf("%s begins with a scheme that is not allowed, and becomes #", v))
		}
	}
}

// link makes the program of a text from its marks and their places.
func link(source string, marks []mark, placed []placement, values []*attributeValue) program {
	b := builder{source: source, values: values, stepOf: make([]int, len(marks))}
	for i, m := range marks {
		p := placed[i]
		if p.literal {
			continue
		}
		b.literal(m.start)
		b.stepOf[i] = len(b.steps)
		switch m.kind {
		case kindValue:
			b.add(step{do: writeValue, text: missingText(source, m, p), variable: newVariable(m.path), escape: p.escape})
		case kindSection:
			b.add(step{do: showIfValue, variable: newVariable(m.path)})
		case kindInverted:
			b.add(step{do: showIfNone, variable: newVariable(m.path)})
		case kindEnd:
			b.steps[b.stepOf[p.partner]].next = len(b.steps)
		}
		b.at = m.end
	}
	b.literal(len(source))
	return program{b.steps, b.size}
}

// missingText returns what stands for a variable that the values do not carry:
// what is written, spelled so that it does not change its surroundings.
func missingText(source string, m mark, p placement) string {
	written := source[m.start:m.end]
	switch p.escape {
	case escapeNothing:
		return ""
	case escapeWord:
		return "{{" + m.path + "}}"
	case escapeHTML, escapeComment:
		return string(p.escape.append(nil, written))
	}
	return written
}

// A builder appends steps in the order of the source.
type builder struct {
	source string
	values []*attributeValue // not yet opened
	open   *attributeValue
	at     int // up to where the source is in steps
	steps  []step
	stepOf []int
	size   int
}

func (b *builder) add(s step) { b.steps = append(b.steps, s) }

// literal adds the source up to a place, and the ends of attribute values.
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
		b.size += to - b.at
		b.at = to
	}
}
