package seal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"dmconnector/internal/seal"
)

func ring(t *testing.T, keys ...[]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealedIsOpenedForItsPurposeOnly(t *testing.T) {
	r := ring(t, seal.NewKey())
	text := []byte("424242")
	sealed := r.Seal("message/1", text)
	if bytes.Contains(sealed, text) || bytes.Equal(sealed, r.Seal("message/1", text)) {
		t.Error("the text shows")
	}
	if got, err := r.Open("message/1", sealed); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := r.Open("message/2", sealed); !errors.Is(err, seal.ErrBroken) {
		t.Errorf("for another purpose: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := r.Open("message/1", changed); err == nil {
			t.Errorf("byte %d changed, and nobody noticed", i)
		}
	}
	for n := range sealed {
		if _, err := r.Open("message/1", sealed[:n]); err == nil {
			t.Errorf("cut to %d bytes, and nobody noticed", n)
		}
	}
}

func TestRingOfSeveralKeys(t *testing.T) {
	older, newer := seal.NewKey(), seal.NewKey()
	before, during, after := ring(t, older), ring(t, newer, older), ring(t, newer)
	sealed := before.Seal("x", []byte("text"))
	if got, err := during.Open("x", sealed); err != nil || string(got) != "text" || during.Current(sealed) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := after.Open("x", sealed); !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("without its key: %v", err)
	}
	again := during.Seal("x", []byte("text"))
	if got, err := after.Open("x", again); err != nil || string(got) != "text" || !after.Current(again) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestKeysAsOperatorsWriteThem(t *testing.T) {
	one, two := seal.NewKey(), seal.NewKey()
	text := seal.FormatKeys(one, two)
	for _, written := range []string{text, strings.ReplaceAll(strings.TrimSpace(text), "\n", ","), " " + strings.ReplaceAll(text, "\n", " \r\n"), "\ufeff" + text} {
		keys, err := seal.ParseKeys(written)
		if err != nil || len(keys) != 2 || !bytes.Equal(keys[0], one) || !bytes.Equal(keys[1], two) {
			t.Errorf("%d keys, %v", len(keys), err)
		}
	}
	for _, bad := range []string{"", " ,", "c2hvcnQ=", "no base64 at all", text[:40]} {
		if _, err := seal.ParseKeys(bad); err == nil || bad != "" && strings.Contains(err.Error(), strings.TrimSpace(bad)) && len(bad) > 4 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	first, _, _ := strings.Cut(text, "\n")
	for bad, want := range map[string]string{
		`"` + first + `"`:          "copy key 1 again: it is in quotation marks",
		first + "\n\u200b" + first: "copy key 2 again: character 1 is a zero width space (U+200B)",
		"\xff\xfek\x00":            "save it as UTF-8: it is UTF-16",
	} {
		if _, err := seal.ParseKeys(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", bad, err, want)
		}
	}
	if _, err := seal.NewRing([]byte("short")); err == nil {
		t.Error("a short key passes")
	}
	if _, err := seal.NewRing(); err == nil {
		t.Error("no key passes")
	}
}
