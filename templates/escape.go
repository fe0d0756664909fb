package templates

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// An escape says what of a value passes into its place, and how.
type escape uint8

const (
	escapeRaw     escape = iota // all
	escapeLine                  // into a header: one line
	escapePlain                 // into plain text
	escapeHTML                  // into HTML text and quoted attributes
	escapeComment               // the same, inside a conditional comment
	escapeWord                  // ASCII letters and digits alone
	escapeNothing
)

// append appends what passes of s.
func (e escape) append(dst []byte, s string) []byte {
	switch e {
	case escapeRaw:
		return append(dst, s...)
	case escapeNothing:
		return dst
	case escapeWord:
		for _, r := range s {
			if isAlnum(r) {
				dst = utf8.AppendRune(dst, r)
			}
		}
		return dst
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	from := 0
	for i, r := range s {
		replacement, replaced := e.replace(r)
		if !replaced {
			continue
		}
		dst = append(dst, s[from:i]...)
		// A run of line breaks is one space.
		if replacement != " " || from < i || !bytes.HasSuffix(dst, []byte(" ")) {
			dst = append(dst, replacement...)
		}
		from = i + utf8.RuneLen(r)
	}
	return append(dst, s[from:]...)
}

// replace returns what replaces a character, if anything does.
func (e escape) replace(r rune) (string, bool) {
	switch r {
	case '\t', '\n':
		return " ", e == escapeLine
	case '\r', '\v', '\f', 0x85, 0x2028, 0x2029:
		if e == escapeLine {
			return " ", true
		}
	}
	if r < ' ' || 0x7f <= r && r < 0xa0 {
		return "", true // control characters
	}
	if e != escapeHTML && e != escapeComment {
		return "", false
	}
	if r == '-' {
		return "&#45;", e == escapeComment
	}
	entity, ok := entities[r]
	return entity, ok
}

var entities = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&#34;", '\'': "&#39;"}
