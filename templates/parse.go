package templates

import (
	"regexp"
	"strings"
	"unicode"
)

// A mark is a placeholder or a section's tag in a template.
type mark struct {
	start, end int    // its bytes in the template
	written    string // these bytes
	kind       byte   // one of the kinds below
	path       string // the variable, such as "user.name"
}

const (
	kindValue    = '='
	kindSection  = '#' // shown if the variable has a value
	kindInverted = '^' // shown if it has none
	kindEnd      = '/'
)

// codeSpelling is another way to write {{code}}, and the only one.
const codeSpelling = "<<code>>"

// parse finds the marks of a template. For values it is
// /{{\s*([\w.]+)\s*}}/g, as in Logto.
func parse(s string) []mark {
	var marks []mark
	for at := 0; at < len(s); {
		next := strings.IndexAny(s[at:], "{<")
		if next < 0 {
			break
		}
		at += next
		m, ok := parseMark(s, at)
		if !ok {
			at++
			continue
		}
		marks = append(marks, m)
		at = m.end
	}
	return marks
}

const spaces = `[\t\n\v\f\r\p{Z}\x{FEFF}]*` // JavaScript's \s*

// markPattern is a mark at the beginning of a text.
var markPattern = regexp.MustCompile(`^(?:<<code>>|\{\{` + spaces + `(?:([#^/])` + spaces + `)?([\w.]+)` + spaces + `\}\})`)

func parseMark(s string, at int) (mark, bool) {
	found := markPattern.FindStringSubmatch(s[at:])
	if found == nil {
		return mark{}, false
	}
	m := mark{start: at, end: at + len(found[0]), written: found[0], kind: kindValue, path: found[2]}
	switch {
	case m.written == codeSpelling:
		m.path = "code"
	case found[1] != "":
		m.kind = found[1][0]
	}
	return m, true
}

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// isSpace says what \s matches in JavaScript (ECMA-262, WhiteSpace and
// LineTerminator).
func isSpace(r rune) bool { return r == 0xFEFF || r != 0x85 && unicode.IsSpace(r) }

// A placement says what becomes of a mark in its place.
type placement struct {
	at, width int // in the text in which it was placed
	escape    escape
	where     string // what is there, for a warning, if it is not an ordinary place
	literal   bool   // a section's tag that is left as written
	partner   int    // of a section's tag
	region    int    // the HTML text around a section's tag, or -1
}

// pair matches sections' tags of the same region. Tags without a partner become
// literal; it reports whether there were any.
func pair(marks []mark, placed []placement) bool {
	type kin struct {
		path   string
		region int
	}
	var open []int
	openOf := make(map[kin]int) // how many of them are open
	for i, m := range marks {
		p := &placed[i]
		p.partner = -1
		if m.kind == kindValue || p.literal {
			continue
		}
		this := kin{m.path, p.region}
		if m.kind != kindEnd {
			open = append(open, i)
			openOf[this]++
			continue
		}
		for openOf[this] > 0 && p.partner < 0 {
			j := open[len(open)-1]
			open = open[:len(open)-1] // those in between have no end
			last := kin{marks[j].path, placed[j].region}
			openOf[last]--
			if last == this {
				p.partner, placed[j].partner = j, i
			}
		}
	}
	changed := false
	for i, m := range marks {
		if p := &placed[i]; m.kind != kindValue && !p.literal && p.partner < 0 {
			p.literal, p.where = true, ""
			changed = true
		}
	}
	return changed
}
