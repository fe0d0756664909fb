package sandbox

import (
	"cmp"
	"regexp"
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
	if c := cmp.Or(firstCode(subject), firstCode(text)); c != "" {
		return c
	}
	return firstCode(visibleText(htmlBody))
}

var digits = regexp.MustCompile("[0-9]+")

// firstCode is the first run of digits in s that stands by itself.
func firstCode(s string) string {
	for _, at := range digits.FindAllStringIndex(s, -1) {
		before, code, after := s[:at[0]], s[at[0]:at[1]], s[at[1]:]
		last, size := utf8.DecodeLastRuneInString(before)
		beforeLast, _ := utf8.DecodeLastRuneInString(before[:len(before)-size])
		next, size := utf8.DecodeRuneInString(after)
		afterNext, _ := utf8.DecodeRuneInString(after[size:])
		if 4 <= len(code) && len(code) <= 10 && !goesOn(last, beforeLast) && !goesOn(next, afterNext) {
			return code
		}
	}
	return ""
}

// goesOn reports whether a number goes on with the rune beside it, which another
// one follows. Digits on both sides of a dash, slash or dot are one thing:
// 2026-01-02, 1234.50. A comma does not join: 验证码1234,5分钟内有效 is usual. A word
// takes in the digits beside it, but not in scripts without spaces, as in Chinese or
// Korean.
func goesOn(beside, following rune) bool {
	if strings.ContainsRune("-/.", beside) {
		return unicode.IsDigit(following)
	}
	return beside == '_' || unicode.IsDigit(beside) || unicode.In(beside, unicode.Latin, unicode.Greek, unicode.Cyrillic)
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
