package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestGuessableTokensAreRefused(t *testing.T) {
	tests := map[string]string{
		"k7Qm2xT9vB4nR1s":            "it has fewer than 16 characters",
		"aaaaaaaaaaaaaaaaaaaaaaaa":   "it has fewer than 6 different characters",
		"aabbaacddccbbaaeabcde":      "it has fewer than 6 different characters",
		"hunter2-hunter2-hunter2-":   "it repeats a shorter text",
		"Logto2026Logto2026":         "it repeats a shorter text",
		"passwordpassword":           "it repeats a shorter text",
		"change-me-change-me-please": "it has the text of an example or a common password",
		"CHANGEME_in_production":     "it has the text of an example or a common password",
		"your-send-token-goes-here":  "it has the text of an example or a common password",
		"send-token-0123456789":      "it has the text of an example or a common password",
		"MyPassw0rdForLogto!":        "it has the text of an example or a common password",
		"abcdefghijklmnopqrstuvwxyz": "it has the text of an example or a common password",
		"token.of.example.com":       "it has the text of an example or a common password",
		"k7Qm2xT9vB4nR1sW":           "",
		"f3a9c1d27b604e58":           "",
		"M3QZ5PXR7TBYKNA2VHCWJDE6LU": "",
		"prod-send-f3a9c1d27b604e58": "",
	}
	for token, reason := range tests {
		want := ""
		if reason != "" {
			want = "--send-token: token 1 can be guessed: " + reason + "; make one with openssl rand -hex 32"
		}
		got := ""
		if _, err := givenTokens(token, "--send-token"); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", token, got, want)
		}
	}
	if _, err := givenTokens("k7Qm2xT9vB4nR1sW, hunter2", "file"); err == nil || !strings.HasPrefix(err.Error(), "file: token 2 can be guessed") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("the second: %v", err)
	}
}

func TestScopesNeedDifferentTokens(t *testing.T) {
	for send, want := range map[string]bool{"f3a9c1d27b604e58,k7Qm2xT9vB4nR1sW": false, "f3a9c1d27b604e58": true} {
		s := &service{opts: serveOptions{sendTokens: send, adminTokens: "c05be7132fd86a94,k7Qm2xT9vB4nR1sW"}, log: slog.New(slog.DiscardHandler)}
		err := s.readTokens()
		if ok := err == nil; ok != want || !ok && strings.Contains(err.Error(), "k7Qm2xT9vB4nR1sW") {
			t.Errorf("%s: %v", send, err)
		}
	}
}
