package plaintext_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"dmconnector/internal/plaintext"
)

const mark = "\uFEFF"

// utf16Of and utf32Of encode ASCII text.
func utf16Of(order binary.AppendByteOrder, text string) (data []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		data = order.AppendUint16(data, unit)
	}
	return data
}

func utf32Of(order binary.AppendByteOrder, text string) (data []byte) {
	for _, r := range text {
		data = order.AppendUint32(data, uint32(r))
	}
	return data
}

func TestDecodeDropsTheMarkAndNamesTheEncoding(t *testing.T) {
	for _, text := range []string{"", "{", "ab", "{\r\n}", "验证码", "a\ufeffb"} {
		for _, given := range []string{text, mark + text} {
			if got, err := plaintext.Decode([]byte(given)); err != nil || string(got) != text {
				t.Errorf("%q: %q, %v", given, got, err)
			}
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, given := range []string{text, mark + text} {
				if given == "" || given == "验证码" {
					continue // without a mark only ASCII at the beginning tells
				}
				if _, err := plaintext.Decode(utf16Of(order, given)); err == nil || !strings.Contains(err.Error(), "save it as UTF-8: it is UTF-16") {
					t.Errorf("%q in UTF-16, %v: %v", given, order, err)
				}
				if _, err := plaintext.Decode(utf32Of(order, given)); err == nil || !strings.Contains(err.Error(), "save it as UTF-8: it is UTF-32") {
					t.Errorf("%q in UTF-32, %v: %v", given, order, err)
				}
			}
		}
	}
}

func TestReadFileIsBoundedAndDecoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for content, want := range map[string]string{
		mark + "1234567": "1234567",
		"12345678901":    "is larger than 10 bytes",
		string(utf16Of(binary.LittleEndian, "1")): "save it as UTF-8",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := plaintext.ReadFile(path, 10)
		if err == nil && string(got) != want || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	if _, err := plaintext.ReadFile(path+"-missing", 10); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	for _, given := range []string{"key=", "key=\n", "key=\r\n", mark + "key=\n"} {
		if got, err := plaintext.Secret(given); err != nil || got != "key=" {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]string{
		"":                   "it is empty",
		mark + "\n":          "it is empty",
		"key\n\n":            "it has more than one line",
		"key\rmore":          "it has more than one line",
		`"key"`:              "it is in quotation marks",
		"“key”":              "it is in quotation marks",
		"「key」":              "it is in quotation marks",
		"`key`\n":            "it is in quotation marks",
		" key":               "it starts with a blank",
		"key \n":             "it ends with a blank",
		"\tkey":              "it starts with a blank",
		"k y":                "character 2 is a blank",
		"k\ty":               "character 2 is a tab",
		`k"y`:                "character 2 is a quotation mark",
		"key\u200b":          "character 4 is a zero width space (U+200B)",
		"k\u00a0y":           "character 2 is a no-break space (U+00A0)",
		"k\u00ady":           "character 2 is a soft hyphen (U+00AD)",
		mark + mark + "key":  "character 1 is a byte order mark (U+FEFF)",
		"\u202ekey":          "character 1 is an invisible mark of the text's direction (U+202E)",
		"k\u2009y":           "character 2 is an unusual space (U+2009)",
		"k\u0301y":           "character 2 is an invisible character (U+0301)",
		"k\U000e0041y":       "character 2 is an invisible character (U+E0041)",
		"key\x00":            "character 4 is a control character (U+0000)",
		"k\x7fy":             "character 2 is a control character (U+007F)",
		"kｅy":                "character 2 is a full-width character",
		"k–y":                "character 2 is a dash other than the hyphen of the keyboard",
		"kеy":                "character 2 is a letter outside of ASCII",
		"k€y":                "character 2 is a character outside of ASCII",
		"k\xffy":             "character 2 is not UTF-8, or was lost in a conversion",
		"\xff\xfek\x00e\x00": "save it as UTF-8: it is UTF-16 (in PowerShell, use Set-Content -Encoding utf8)",
	} {
		if got, err := plaintext.Secret(given); err == nil || err.Error() != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
}

func TestLineTakesAddressesAndPaths(t *testing.T) {
	for _, given := range []string{"sqlite:/a b/数据.db", "postgres://u:p'w@db/x"} {
		if got, err := plaintext.Line(mark + given + "\r\n"); err != nil || got != given {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
	for given, want := range map[string]string{
		"'x'": "it is in quotation marks", "a\nb": "it has more than one line", "x\u200b": "character 2 is a zero width space (U+200B)",
		"x\u00a0y": "character 2 is a no-break space (U+00A0)", " x": "it starts with a blank", "\xff": "character 1 is not UTF-8, or was lost in a conversion",
	} {
		if got, err := plaintext.Line(given); err == nil || err.Error() != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range [][]byte{nil, []byte(mark + "{}"), utf16Of(binary.BigEndian, mark+"{}"), utf32Of(binary.LittleEndian, "{}"), {0, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := plaintext.Decode(data)
		if err != nil {
			return
		}
		if string(got) != strings.TrimPrefix(string(data), mark) {
			t.Errorf("%q became %q", data, got)
		}
	})
}

func FuzzSecret(f *testing.F) {
	for _, seed := range []string{"key", mark + "key\r\n", "“k”", "k\u200b", " k", "a\nb", "kｅy", "\xff\xfek\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := plaintext.Secret(text)
		if err == nil {
			if got == "" || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\'' || r == '`' }) {
				t.Errorf("%q became %q", text, got)
			}
			if again, err := plaintext.Secret(got); err != nil || again != got {
				t.Errorf("%q became %q, then %q (%v)", text, got, again, err)
			}
			return
		}
		// With every visible character replaced, the error is the same: it repeats none.
		masked := []byte(text)
		for i, c := range masked {
			if c > ' ' && c < 0x7f && !strings.ContainsRune("\"'`", rune(c)) {
				masked[i] = 'x'
			}
		}
		if _, other := plaintext.Secret(string(masked)); other == nil || other.Error() != err.Error() {
			t.Errorf("%q: %v; masked: %v", text, err, other)
		}
	})
}
