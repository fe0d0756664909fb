package sandbox

import (
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// code is the verification code of a mail: the first run of 4 to 10 ASCII digits
// in its subject, its text or the visible text of its HTML, in this order. It is
// empty when there is none.
func code(subject, text, htmlBody string) string {
	for _, s := range []string{subject, text} {
		if c := firstCode(s); c != "" {
			return c
		}
	}
	if htmlBody == "" {
		return ""
	}
	return firstCode(visibleText(htmlBody))
}

// firstCode is the first run of digits in s that stands by itself.
func firstCode(s string) string {
	for start := 0; start < len(s); start++ {
		if !isDigit(s[start]) {
			continue
		}
		end := start
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if n := end - start; 4 <= n && n <= 10 && endsWord(s[:start]) && startsWord(s[end:]) {
			return s[start:end]
		}
		start = end
	}
	return ""
}

// endsWord reports whether a number may begin after s: neither a letter or digit
// goes on there, nor a date, a decimal or the like.
func endsWord(s string) bool {
	last, size := utf8.DecodeLastRuneInString(s)
	if joins(last) {
		before, _ := utf8.DecodeLastRuneInString(s[:len(s)-size])
		return !unicode.IsDigit(before)
	}
	return !isWord(last)
}

// startsWord is the mirror of endsWord.
func startsWord(s string) bool {
	next, size := utf8.DecodeRuneInString(s)
	if joins(next) {
		after, _ := utf8.DecodeRuneInString(s[size:])
		return !unicode.IsDigit(after)
	}
	return !isWord(next)
}

// joins reports whether digits on both sides of r are one thing: 2026-01-02,
// 2026/01/02, 1234.50. A comma does not: 验证码1234,5分钟内有效 is usual.
func joins(r rune) bool { return r == '-' || r == '/' || r == '.' }

// isWord reports whether r belongs to a word that a digit next to it belongs to
// too. In scripts without spaces, as in Chinese or Korean, words do not take in
// the digits beside them.
func isWord(r rune) bool {
	return r == '_' || unicode.IsDigit(r) || unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic)
}

// Elements whose contents nobody sees, and elements that do not end a word.
var (
	unseen = []string{"script", "style", "title", "template", "noscript"}
	inline = []string{
		"!--", "a", "abbr", "b", "bdi", "bdo", "big", "code", "em", "font", "i", "kbd", "mark", "s",
		"samp", "small", "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
	}
)

// visibleText is the text of an HTML document without markup, comments, scripts
// and styles. An element that is not inline leaves a space behind. It is no HTML
// parser: it does not know what a style hides.
func visibleText(s string) string {
	var b strings.Builder
	for s != "" {
		text, tag := cutText(s)
		b.WriteString(text)
		if tag == "" {
			break
		}
		var name string
		name, s = cutTag(tag)
		if !slices.Contains(inline, strings.TrimPrefix(name, "/")) {
			b.WriteByte(' ')
		}
		if slices.Contains(unseen, name) {
			s = afterElement(s, name)
		}
	}
	return html.UnescapeString(b.String())
}

// cutText cuts the text before the first tag or comment off.
func cutText(s string) (text, rest string) {
	for i := range len(s) - 1 {
		if s[i] == '<' && (isLetter(s[i+1]) || strings.IndexByte("/!?", s[i+1]) >= 0) {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// cutTag cuts the tag or comment at the beginning of s off, and returns its name
// in lower case, with the slash of an end tag.
func cutTag(s string) (name, rest string) {
	if strings.HasPrefix(s, "<!--") {
		_, rest, _ = strings.Cut(s[len("<!--"):], "-->")
		return "!--", rest
	}
	end := 1
	for end < len(s) && (isLetterOrDigit(s[end]) || s[end] == '/' && end == 1) {
		end++
	}
	name = strings.ToLower(s[1:end])
	var quote byte
	for ; end < len(s); end++ {
		switch c := s[end]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return name, s[end+1:]
		}
	}
	return name, ""
}

// afterElement is s from the end tag of the element on.
func afterElement(s, name string) string {
	for at := 0; at < len(s); at++ {
		if s[at] == '<' && len(s) > at+len(name)+1 && s[at+1] == '/' && strings.EqualFold(s[at+2:at+2+len(name)], name) {
			return s[at:]
		}
	}
	return ""
}
