package connector

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// DefaultCodeLifetime is how long Logto's codes are valid by default, and so the
// default of codeLifetime.
const DefaultCodeLifetime = 10 * time.Minute

// statedTime finds a number with a unit right behind it, in English, Chinese and
// Japanese. What must not be around it, inMiddle and endsTime say.
var statedTime = regexp.MustCompile(`(?i)` + number + `(?:` + minutes + `|(` + hours + `)(?:(?:[\s,]|and)*` + number + minutes + `)?)`)

const (
	number  = `([0-9０-９]+(?:[.．][0-9０-９]+)?)(?:\s|&nbsp;|[\x{a0}\x{3000}-])*`
	minutes = `(?:minutes?\b|mins?\b|分[钟鐘間]?)`
	hours   = `hours?\b|hrs?\b|[个個]?小[时時]|時間`
)

// A statedLife is a time that a text names.
type statedLife struct {
	written  string
	at       int
	duration time.Duration
}

// lintLifetimes warns where a text names a time that is not codeLifetime.
func lintLifetimes(cfg *Config, pointer string, t Template, report *Report) {
	lifetime, err := ParseLifetime(cmp.Or(cfg.CodeLifetime, DefaultCodeLifetime.String()))
	if err != nil {
		return // that is reported already
	}
	is := inWords(lifetime)
	if cfg.CodeLifetime == "" {
		is += " by default"
	}
	for _, field := range []struct{ name, text string }{{"subject", t.Subject}, {"content", t.Content}, {"text", t.Text}} {
		stated := statedLives(field.text)
		// Where the right time stands, others are about something else: when to ask
		// again, when somebody answers.
		if slices.ContainsFunc(stated, func(s statedLife) bool { return s.duration == lifetime }) {
			continue
		}
		told := make(map[time.Duration]bool)
		for _, s := range stated {
			if !told[s.duration] {
				told[s.duration] = true
				report.warnAt(pointer+"/"+field.name, lineAt(field.text, s.at),
					"says %q, but codeLifetime is %s; both must be the lifetime in Logto's verification code policy", s.written, is)
			}
		}
	}
}

func inWords(d time.Duration) string {
	switch {
	case d%time.Minute != 0:
		return d.String()
	case d == time.Minute:
		return "1 minute"
	}
	return fmt.Sprintf("%d minutes", d/time.Minute)
}

// statedLives lists the times that a text names.
func statedLives(text string) []statedLife {
	var found []statedLife
	for _, m := range statedTime.FindAllStringSubmatchIndex(text, -1) {
		start, end := m[0], m[1]
		if inMiddle(text[:start]) || !endsTime(text[:end], text[end:]) {
			continue
		}
		group := func(i int) string { return text[max(m[2*i], 0):max(m[2*i+1], 0)] }
		duration := times(group(1), time.Minute)
		if group(2) != "" {
			duration = times(group(1), time.Hour) + times(group(3), time.Minute)
		}
		found = append(found, statedLife{text[start:end], start, duration})
	}
	return found
}

// times multiplies a unit by a number in digits; none is 0.
func times(digits string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(width.Narrow.String(digits), 64)
	if err != nil || n > 1e6 {
		return 0
	}
	return time.Duration(n * float64(unit))
}

// inMiddle reports whether a number after the text would be a part of something.
func inMiddle(before string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	return last == '.' || last == ',' || last == '#' || last == '_' || last < utf8.RuneSelf && unicode.IsLetter(last)
}

// endsTime reports whether a unit is one in its place: neither CSS's min-width, nor
// 10分 with a word that only begins with that character.
func endsTime(stated, after string) bool {
	next, _ := utf8.DecodeRuneInString(after)
	if strings.HasSuffix(stated, "分") {
		return !unicode.Is(unicode.Han, next) || strings.ContainsRune("间以内內後后前有", next)
	}
	return next != '-' && next != '_'
}

// lineAt returns the line of a place in a text, from 1 on.
func lineAt(text string, at int) int {
	before := text[:at]
	return 1 + strings.Count(before, "\n") + strings.Count(before, "\r") - strings.Count(before, "\r\n")
}
