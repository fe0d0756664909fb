package parity

import (
	"slices"
	"strings"
	"unicode"
)

// maxCells bounds the time and memory of a diff.
const maxCells = 4_000_000

// Words returns a diff word by word, in git's manner: [-what Logto has-]
// {+what is here+}. Lines without a difference are left out.
func Words(logto, here string) []string {
	var b strings.Builder
	for _, part := range diff(tokens(logto), tokens(here)) {
		if part.same {
			b.WriteString(part.a)
			continue
		}
		if part.a != "" {
			b.WriteString("[-" + oneLine(part.a) + "-]")
		}
		if part.b != "" {
			b.WriteString("{+" + oneLine(part.b) + "+}")
		}
	}
	var lines []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if strings.Contains(line, "[-") || strings.Contains(line, "{+") {
			lines = append(lines, line)
		}
	}
	return lines
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "↵") }

// tokens splits a text into words, spaces and everything else by the character.
func tokens(text string) []string {
	var list []string
	last := tokenOther
	for _, r := range text {
		kind := kindOf(r)
		if kind != tokenOther && kind == last {
			list[len(list)-1] += string(r)
		} else {
			list = append(list, string(r))
		}
		last = kind
	}
	return list
}

type tokenKind int

const (
	tokenOther tokenKind = iota
	tokenWord
	tokenSpace
)

func kindOf(r rune) tokenKind {
	switch {
	case r == ' ' || r == '\t':
		return tokenSpace
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
		return tokenOther // written without spaces
	case unicode.IsLetter(r), unicode.IsDigit(r), r == '_':
		return tokenWord
	}
	return tokenOther
}

// A part is a stretch of two texts: the same, or a in place of b.
type part struct {
	same bool
	a, b string
}

func diff(a, b []string) []part {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	parts := []part{{true, strings.Join(a[:start], ""), ""}}
	parts = append(parts, middle(a[start:len(a)-end], b[start:len(b)-end])...)
	return append(parts, part{true, strings.Join(a[len(a)-end:], ""), ""})
}

// middle finds a longest common subsequence.
func middle(a, b []string) []part {
	if len(a)*len(b) > maxCells {
		return []part{{false, strings.Join(a, ""), strings.Join(b, "")}}
	}
	width := len(b) + 1
	longest := make([]int32, (len(a)+1)*width)
	for i, there := range slices.Backward(a) {
		for j, here := range slices.Backward(b) {
			if there == here {
				longest[i*width+j] = longest[(i+1)*width+j+1] + 1
			} else {
				longest[i*width+j] = max(longest[(i+1)*width+j], longest[i*width+j+1])
			}
		}
	}
	var m merger
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			m.add(part{true, a[i], ""})
			i, j = i+1, j+1
		case longest[(i+1)*width+j] >= longest[i*width+j+1]:
			m.add(part{false, a[i], ""})
			i++
		default:
			m.add(part{false, "", b[j]})
			j++
		}
	}
	m.add(part{false, strings.Join(a[i:], ""), strings.Join(b[j:], "")})
	return m.parts
}

// A merger joins neighbours of a kind, and what only a space is between.
type merger struct{ parts []part }

func (m *merger) add(p part) {
	n := len(m.parts)
	switch {
	case n > 0 && m.parts[n-1].same == p.same:
		m.parts[n-1].a += p.a
		m.parts[n-1].b += p.b
	case n > 1 && !p.same && m.parts[n-1].a == " ":
		m.parts[n-2].a += " " + p.a
		m.parts[n-2].b += " " + p.b
		m.parts = m.parts[:n-1]
	default:
		m.parts = append(m.parts, p)
	}
}
