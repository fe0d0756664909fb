// Package plaintext reads text as people save and paste it. It drops what is surely
// not meant, such as a byte order mark, and says where a text has what no eye sees.
package plaintext

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

const byteOrderMark = "\uFEFF"

// ReadFile reads a text file of at most limit bytes, as [Decode] does.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	if data, err = Decode(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// Decode returns UTF-8 text without its byte order mark. UTF-16 and UTF-32 are
// errors, with and without a mark; other broken UTF-8 is left to the reader.
func Decode(data []byte) ([]byte, error) {
	encoding := ""
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")):
		encoding = "UTF-32"
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		encoding = "UTF-16"
	// Text begins with an ASCII character, and has none that is zero.
	case len(data) >= 4 && (data[0] == 0) != (data[3] == 0) && data[1] == 0 && data[2] == 0:
		encoding = "UTF-32"
	case len(data) >= 2 && (data[0] == 0) != (data[1] == 0):
		encoding = "UTF-16"
	default:
		return bytes.TrimPrefix(data, []byte(byteOrderMark)), nil
	}
	return nil, fmt.Errorf("save it as UTF-8: it is %s (in PowerShell, use Set-Content -Encoding utf8)", encoding)
}

// Line returns the one line of a text without its byte order mark and line end. The
// error says what else is there that cannot be meant, and never repeats the text.
func Line(text string) (string, error) {
	data, err := Decode([]byte(text))
	if err != nil {
		return "", err
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if line == "" {
		return "", errors.New("it is empty")
	}
	first, _ := utf8.DecodeRuneInString(line)
	last, _ := utf8.DecodeLastRuneInString(line)
	switch {
	case strings.ContainsAny(line, "\r\n"):
		return "", errors.New("it has more than one line")
	case utf8.RuneCountInString(line) > 1 && isQuote(first) && isQuote(last):
		return "", errors.New("it is in quotation marks")
	case first == ' ' || first == '\t':
		return "", errors.New("it starts with a blank")
	case last == ' ' || last == '\t':
		return "", errors.New("it ends with a blank")
	}
	return line, check(line, func(r rune) bool { return r == ' ' || r != utf8.RuneError && unicode.IsPrint(r) })
}

// Secret returns a key or token without its byte order mark and line end. The error
// says what else it has besides printable ASCII, without blanks and quotes, and never
// repeats a visible character of it.
func Secret(text string) (string, error) {
	line, err := Line(text)
	if err != nil {
		return "", err
	}
	return line, check(line, func(r rune) bool { return r > ' ' && r < unicode.MaxASCII && !isQuote(r) })
}

func isQuote(r rune) bool {
	return strings.ContainsRune("\"'`", r) || unicode.Is(unicode.Quotation_Mark, r)
}

// check returns an error that describes the first character that is not ok.
func check(text string, ok func(rune) bool) error {
	number := 0 // of the character, from 1
	for _, r := range text {
		if number++; !ok(r) {
			return fmt.Errorf("character %d is %s", number, describe(r))
		}
	}
	return nil
}

// confusing are the characters that come along most when text is copied.
var confusing = map[rune]string{
	'\t':           "a tab",
	'\u00A0':       "a no-break space",
	'\u00AD':       "a soft hyphen",
	'\u200B':       "a zero width space",
	'\u200C':       "a zero width non-joiner",
	'\u200D':       "a zero width joiner",
	'\u2060':       "a word joiner",
	'\u3000':       "a full-width space",
	'\uFEFF':       "a byte order mark",
	utf8.RuneError: "not UTF-8, or was lost in a conversion",
}

// describe names an invisible character by its number, and of a visible one only its
// kind.
func describe(r rune) string {
	switch name := confusing[r]; {
	case name != "" && r != utf8.RuneError && r != '\t':
		return fmt.Sprintf("%s (%U)", name, r)
	case name != "":
		return name
	case r == ' ':
		return "a blank"
	case isQuote(r):
		return "a quotation mark"
	case unicode.Is(unicode.Bidi_Control, r):
		return fmt.Sprintf("an invisible mark of the text's direction (%U)", r)
	case unicode.IsControl(r):
		return fmt.Sprintf("a control character (%U)", r)
	case unicode.IsSpace(r):
		return fmt.Sprintf("an unusual space (%U)", r)
	case !unicode.IsPrint(r) || unicode.IsMark(r):
		return fmt.Sprintf("an invisible character (%U)", r)
	case '\uFF01' <= r && r <= '\uFF5E':
		return "a full-width character"
	case unicode.Is(unicode.Dash, r):
		return "a dash other than the hyphen of the keyboard"
	case unicode.IsLetter(r):
		return "a letter outside of ASCII"
	default:
		return "a character outside of ASCII"
	}
}
