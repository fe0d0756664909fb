package templates

import "strings"

// A lineCounter says in which line of a text a place is, fastest for places that
// come in order.
type lineCounter struct {
	text string
	at   int // a place before which lines are counted
	line int // its line
	none bool
}

// of returns a place's line, from 1 on, or 0 if there are none. A line ends as in
// editors: with LF, CR LF or CR. No place is between the two of CR LF.
func (l *lineCounter) of(at int) int {
	if l.none {
		return 0
	}
	if at < l.at {
		l.at, l.line = 0, 1
	}
	between := l.text[l.at:at]
	l.line += strings.Count(between, "\n") + strings.Count(between, "\r") - strings.Count(between, "\r\n")
	l.at = at
	return l.line
}
