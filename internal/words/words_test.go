package words_test

import (
	"strings"
	"testing"
	"time"

	"dmconnector/internal/words"
)

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "0": 0, "250ms": 250 * time.Millisecond,
		"30d": 30 * day, "2w": 14 * day, "1d12h": 36 * time.Hour, "1w1d": 8 * day, "0.5d": 12 * time.Hour, " 1d ": day,
	} {
		if got, err := words.Duration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "30", "tomorrow", "10 minutes", "-1h", "-1d", "1d-1h", "1e3d", "d", "9999999999d", strings.Repeat("9", 400) + "w", "1y", "٣d"} {
		if got, err := words.Duration(text); err == nil || !strings.Contains(err.Error(), "30d") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"10m", "1d12h", "2w", "-3d", "9999999999w", "1.5d", "d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := words.Duration(text)
		if got < 0 || err != nil && got != 0 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if plain, plainErr := time.ParseDuration(text); plainErr == nil && plain >= 0 && (err != nil || got != plain) {
			t.Errorf("%q: %v, %v, and Go reads %v", text, got, err, plain)
		}
	})
}

func TestBool(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "TRUE": true, "Yes": true, "on": true, "1": true, "y": true, " on ": true,
		"false": false, "No": false, "OFF": false, "0": false, "n": false,
	} {
		if got, err := words.Bool(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "maybe", "2", "enabled"} {
		if _, err := words.Bool(text); err == nil {
			t.Errorf("%q is a boolean", text)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct{ text, want, problem string }{
		{"send", "send", ""},
		{" Admin", "admin", ""},
		{"sned", "", `use send or admin; did you mean "send"?`},
		{"root", "", "use send or admin"},
	} {
		got, err := words.Choose(tt.text, "send", "admin")
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if got != tt.want || problem != tt.problem {
			t.Errorf("%q: %q, %q", tt.text, got, problem)
		}
	}
}

func TestLevel(t *testing.T) {
	for text, want := range map[string]string{"INFO": "info", "Warning": "warn", "WARN": "warn", "debug": "debug"} {
		if got, err := words.Level(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := words.Level("eror"); err == nil || err.Error() != `use debug, info, warn or error; did you mean "error"?` {
		t.Error(err)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"SignIn", "Register", "Generic", "send"}
	for text, want := range map[string]string{
		"Sigin": "SignIn", "signin": "SignIn", "SingIn": "SignIn", "Genric": "Generic", "Geneirc": "Generic", "sned": "send",
		"": "", "Invoice": "", "x": "", "Registration": "",
	} {
		if got := words.Nearest(text, known); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
