// Package words reads the words that people write in settings, the way people mean them.
package words

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Choose returns the known word that text is, in any case. The error says what to use.
func Choose(text string, known ...string) (string, error) {
	for _, word := range known {
		if strings.EqualFold(strings.TrimSpace(text), word) {
			return word, nil
		}
	}
	return "", errors.New("use " + List(known) + DidYouMean(text, known))
}

// List is words as in "send or admin".
func List(known []string) string {
	last := len(known) - 1
	if last < 1 {
		return strings.Join(known, "")
	}
	return strings.Join(known[:last], ", ") + " or " + known[last]
}

// DidYouMean is the end of an error about an unknown word, or "".
func DidYouMean(text string, known []string) string {
	if near := Nearest(text, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// Level returns debug, info, warn or error.
func Level(text string) (string, error) {
	if strings.EqualFold(strings.TrimSpace(text), "warning") {
		return "warn", nil
	}
	return Choose(text, "debug", "info", "warn", "error")
}

// Bool reads true, yes, on or 1, and false, no, off or 0.
func Bool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "on", "1", "t", "y":
		return true, nil
	case "false", "no", "off", "0", "f", "n":
		return false, nil
	}
	return false, errors.New("use true, false, yes, no, on, off, 1 or 0")
}

var daysAndWeeks = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)([dw])`)

// Duration reads a time such as 90s, 10m, 24h, 30d, 2w or 1d12h. A day has 24 hours.
func Duration(text string) (time.Duration, error) {
	inHours := daysAndWeeks.ReplaceAllStringFunc(strings.TrimSpace(text), func(part string) string {
		hours := map[byte]float64{'d': 24, 'w': 7 * 24}[part[len(part)-1]]
		count, _ := strconv.ParseFloat(part[:len(part)-1], 64) // what does not fit is too much in hours, too
		return strconv.FormatFloat(count*hours, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(inHours)
	if err != nil || d < 0 {
		return 0, errors.New("use a number with a unit: s, m, h, d or w, such as 90s, 10m, 24h, 30d or 1d12h")
	}
	return d, nil
}

// Nearest returns the known word that text was probably meant to be, or "".
func Nearest(text string, known []string) string {
	best, least := "", 3 // three slips and more are another word
	for _, word := range known {
		a, b := []rune(strings.ToLower(text)), []rune(strings.ToLower(word))
		if max(len(a), len(b))-min(len(a), len(b)) >= least {
			continue
		}
		if d := slips(a, b); d < least && d < len(word)/2 {
			best, least = word, d
		}
	}
	return best
}

// slips counts the letters to insert, delete, replace or swap with their neighbour to
// make b from a.
func slips(a, b []rune) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			replaced := row[j]
			if a[i] != b[j] {
				replaced++
			}
			next[j+1] = min(replaced, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
