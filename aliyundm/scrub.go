package aliyundm

import (
	_ "embed"
	"strings"
	"unicode/utf8"
)

const (
	maxMessage = 200 // characters
	omitted    = "[…]"
)

// scrub returns what may be shown of a provider's message. Direct Mail's
// messages repeat parts of the call, SignatureDoesNotMatch even all of it, in
// plain, encoded and twice encoded. So nothing is searched for and cut out:
// words pass that are common in such messages, and everything else is left out.
func scrub(message string) string {
	var (
		b      strings.Builder
		length int
		last   string
	)
	for word := range strings.FieldsSeq(message) {
		if !isCommon(word) {
			word = omitted
		}
		if word == omitted && last == omitted {
			continue
		}
		length += utf8.RuneCountInString(word) + 1
		if length > maxMessage {
			b.WriteString("…")
			break
		}
		if last != "" {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		last = word
	}
	return b.String()
}

// isCommon reports whether a word, less the punctuation around and within it,
// is in the vocabulary.
func isCommon(word string) bool {
	if len(word) > 60 {
		return false
	}
	for part := range strings.FieldsFuncSeq(word, isPunctuation) {
		if !vocabulary[strings.ToLower(strings.Trim(part, "'"))] {
			return false
		}
	}
	return true
}

// isPunctuation has no @, % or +: what has those is an address or encoded.
func isPunctuation(r rune) bool { return strings.ContainsRune(`.,:;!?()[]"-/_`, r) }

//go:embed vocabulary.txt
var words string

// vocabulary has the words of Direct Mail's and the gateway's known messages and
// their like, and the numbers that are limits.
var vocabulary = wordSet(words)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
