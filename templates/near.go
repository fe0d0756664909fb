package templates

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What people, editors and other programs write in place of a brace: in full width or
// another script's form, as an entity, percent-encoded once or twice, quoted-printable,
// or escaped.
const (
	openingBrace = `(?:[{｛﹛❴⦃]|&(?:#0*123|#[xX]0*7[bB]|lbrace|lcub);|%(?:25)*7[bB]|=7[bB]|\\u007[bB])`
	closingBrace = `(?:[}｝﹜❵⦄]|&(?:#0*125|#[xX]0*7[dD]|rbrace|rcub);|%(?:25)*7[dD]|=7[dD]|\\u007[dD])`
	// between braces there may be what nobody sees: space, also encoded, tags,
	// comments, and backslashes.
	unseen = `(?:[\s\x{A0}\x{AD}\x{200B}-\x{200F}\x{2060}\x{FEFF}\\]|%20|&(?:nbsp|shy|zwnj|zwj|#160|#8203);|<!--.{0,80}?-->|</?[A-Za-z][^<>]{0,200}>)*`
	// sign is what other template languages write before or after a name.
	sign = `[#^/$!%@&=~*|\-]{0,2}`
	// logtoName is one of Logto's variables. In other signs than braces, other words
	// are likely to be text.
	logtoName = `(?:code|link|locale|uiLocales|(?:user|inviter|application|organization)(?:\.\w+)*)`
)

var (
	// nearBraces is a name in braces.
	nearBraces = regexp.MustCompile(`^[$#%@]?(?:` + openingBrace + unseen + `){1,3}` +
		sign + unseen + `[\pL\pN_.]+` + unseen + sign +
		`(?:` + unseen + closingBrace + `){1,3}`)

	// nearSigns is one of Logto's variables between other signs.
	nearSigns = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`(?:\[{1,2}|\({2}|<%[=-]?|\*\||[«‹《〈【〖『「〔＜［]{1,2})\s*\.?` + logtoName + `\s*(?:\]{1,2}|\){2}|[=-]?%>|\|\*|[»›》〉】〗』」〕＞］]{1,2})`,
		`(?:&lt;){1,2}` + logtoName + `(?:&gt;){1,2}`,
		`&lt;%[=-]?\s*` + logtoName + `\s*[=-]?%&gt;`,
		`%{1,2}` + logtoName + `%{1,2}`,
		`%\(` + logtoName + `\)s\b`,
		`__` + logtoName + `__\b`,
		`@@` + logtoName + `@@`,
		`\$` + logtoName + `\b`,
	}, "|") + `)`)

	// nearTags is the like in a text in which there are no tags.
	nearTags = regexp.MustCompile(`(?i)^<{1,2}\s*` + logtoName + `\s*>{1,2}`)
)

// warnNear warns of what was probably meant as a placeholder, in the order of the text.
// markup says that the text is HTML, in which <code> is a tag.
func (c *compiler) warnNear(marks []mark, markup bool) {
	at := 0
	for _, m := range marks {
		literal := strings.TrimRight(c.text[at:m.start], "{")
		c.warnLiteral(at, at+len(literal), markup)
		at = m.end
		before, after := c.text[:m.start], c.text[m.end:]
		switch {
		case m.kind != kindValue:
		case strings.HasSuffix(before, "{") && strings.HasPrefix(after, "}"):
			c.warn(m.start, fmt.Sprintf("%s is in one more pair of braces, which the mail shows", excerpt(m.written)))
		case m.path == "code" && (strings.HasSuffix(before, "{") || strings.HasSuffix(before, "$") || strings.HasPrefix(after, "}")):
			c.warn(m.start, fmt.Sprintf("%s is next to another brace or sign, which the mail shows", excerpt(m.written)))
		}
	}
	c.warnLiteral(at, len(c.text), markup)
}

// longNear is more than anything that is like a placeholder has.
const longNear = 500

// warnLiteral warns of what is like a placeholder in text[at:end], which has none.
func (c *compiler) warnLiteral(at, end int, markup bool) {
	patterns := []*regexp.Regexp{nearBraces, nearSigns, nearTags}
	if markup {
		patterns = patterns[:2]
	}
	begun := at
	for at < end && len(c.warnings) < manyWarnings {
		text := c.text[at:min(end, at+longNear)]
		found := ""
		if mayBegin(text, markup) {
			for i := 0; i < len(patterns) && found == ""; i++ {
				found = patterns[i].FindString(text)
			}
		}
		if found == "" {
			at++
			continue
		}
		c.warnBraces(begun, at)
		c.warn(at, excerpt(found)+" is left as written; a placeholder looks like {{code}}: two plain braces on each side, and only the name between them")
		at += len(found)
		begun = at
	}
	c.warnBraces(begun, end)
}

// mayBegin reports whether one of the patterns could match at the beginning of a text.
// It is there for the speed: few places of a mail are worth a pattern.
func mayBegin(text string, markup bool) bool {
	next := byte(0)
	if len(text) > 1 {
		next = text[1]
	}
	switch text[0] {
	case '{', '[', '\\':
		return true
	case '<':
		return !markup || next == '%'
	case '&':
		return next == '#' || next == 'l'
	case '(', '_':
		return next == text[0]
	case '*':
		return next == '|'
	case '=':
		return next == '7'
	case '#', '@':
		return next == text[0] || next == '{'
	case '%', '$':
		return next == '(' || next == text[0] || next == '{' || isAlnum(rune(next)) || next >= utf8.RuneSelf
	}
	first, _ := utf8.DecodeRuneInString(text)
	return first >= utf8.RuneSelf && strings.ContainsRune("｛﹛❴⦃«‹《〈【〖『「〔＜［", first)
}

// warnBraces warns of other double braces in text[at:end].
func (c *compiler) warnBraces(at, end int) {
	text := c.text[at:end]
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
