package sandbox

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
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
		"a", "abbr", "b", "bdi", "bdo", "big", "code", "em", "font", "i", "kbd", "mark", "s",
		"samp", "small", "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
	}
)

// visibleText is the text of an HTML document without markup, comments, scripts
// and styles. An element that is not inline leaves a space behind. What a style
// hides is not known.
func visibleText(document string) string {
	var b strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(document))
	hidden := "" // the element that hides what follows
	for {
		kind := tokens.Next()
		tag, _ := tokens.TagName()
		name := string(tag)
		switch {
		case kind == html.ErrorToken:
			return b.String()
		case hidden != "":
			if kind == html.EndTagToken && name == hidden {
				hidden = ""
			}
		case kind == html.TextToken:
			b.Write(tokens.Text())
		case kind == html.CommentToken:
		case !slices.Contains(inline, name):
			b.WriteByte(' ')
			if kind == html.StartTagToken && slices.Contains(unseen, name) {
				hidden = name
			}
		}
	}
}
