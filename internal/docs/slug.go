package docs

import (
	"fmt"
	"strings"
	"unicode"
)

// A slugger makes the anchors of a page's headings by GitHub's rule.
type slugger map[string]int

// slug keeps letters, marks, digits, hyphens and what joins words such as _, in
// lower case, and makes spaces hyphens. What comes again gets a number.
func (s slugger) slug(heading string) string {
	base := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc):
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, heading)
	slug := base
	for {
		_, taken := s[slug]
		if !taken {
			s[slug] = 0
			return slug
		}
		s[base]++
		slug = fmt.Sprintf("%s-%d", base, s[base])
	}
}
