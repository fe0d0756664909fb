package parity_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/parity"
)

func TestWords(t *testing.T) {
	tests := []struct {
		logto, here string
		want        []string
	}{
		{"same", "same", nil},
		{"Your code is 123456", "Your pin is 123456", []string{"Your [-code-]{+pin+} is 123456"}},
		{"a\nb\nc", "a\nx\nc", []string{"[-b-]{+x+}"}},
		{"a b c d", "a x y d", []string{"a [-b c-]{+x y+} d"}},
		{"验证码", "驗證碼", []string{"[-验证码-]{+驗證碼+}"}},
		{"", "new", []string{"{+new+}"}},
		{"one two", "one\n\ntwo", []string{"one[- -]{+↵↵+}two"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, parity.Words(tt.logto, tt.here)); diff != "" {
			t.Errorf("%q, %q (-want +got):\n%s", tt.logto, tt.here, diff)
		}
	}
}

var (
	removed = regexp.MustCompile(`\[-(.*?)-\]`)
	added   = regexp.MustCompile(`\{\+(.*?)\+\}`)
)

// Of a diff of one line, either side can be had again.
func TestWordsHoldBothSides(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	line := func() string {
		var words []string
		for range 1 + random.IntN(8) {
			words = append(words, pick(random, "a", "b", "c", "code", "123", "验", "."))
		}
		return strings.Join(words, pick(random, " ", "", "  "))
	}
	for range 5000 {
		there, here := line(), line()
		if there == here {
			continue
		}
		diff := strings.Join(parity.Words(there, here), "\n")
		if got := added.ReplaceAllString(removed.ReplaceAllString(diff, "$1"), ""); got != there {
			t.Fatalf("%q, %q: %q has %q of Logto", there, here, diff, got)
		}
		if got := added.ReplaceAllString(removed.ReplaceAllString(diff, ""), "$1"); got != here {
			t.Fatalf("%q, %q: %q has %q of here", there, here, diff, got)
		}
	}
}

// A body of any size is compared in bounded time and memory.
func TestWordsOfLongTexts(t *testing.T) {
	there, here := strings.Repeat("a b ", 20_000), strings.Repeat("c d ", 20_000)
	if lines := parity.Words(there, here); len(lines) != 1 {
		t.Errorf("%d lines", len(lines))
	}
}
