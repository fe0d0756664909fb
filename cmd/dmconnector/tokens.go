package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"dmconnector/internal/plaintext"
	"dmconnector/internal/store"
)

// A tokenSource is the tokens of one scope.
type tokenSource struct {
	values []string
	made   bool // created by this start, so it must be shown
}

// callersToken returns the operator's tokens, else the one in the data folder, which the
// first start creates. Without a folder each start creates another one.
func callersToken(given, folder, name string) (tokenSource, error) {
	if given != "" {
		return givenTokens(given, "--"+name)
	}
	if folder == "" {
		return tokenSource{[]string{rand.Text()}, true}, nil
	}
	path := filepath.Join(folder, name)
	data, err := plaintext.ReadFile(path, maxSecretFile)
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text()
		return tokenSource{[]string{token}, true}, store.ExplainAccess(writeSecret(path, token), folder, path)
	}
	if err != nil {
		return tokenSource{}, store.ExplainAccess(err, folder, path)
	}
	return givenTokens(string(data), path)
}

func givenTokens(list, origin string) (tokenSource, error) {
	var source tokenSource
	for token := range strings.SplitSeq(list, ",") {
		token, err := plaintext.Secret(strings.Trim(token, " \t")) // people write a blank after a comma
		if err != nil {
			return tokenSource{}, fmt.Errorf("%s: copy token %d again: %w", origin, len(source.values)+1, err)
		}
		if reason := guessable(token); reason != "" {
			return tokenSource{}, fmt.Errorf("%s: token %d can be guessed: %s; make one with openssl rand -hex 32", origin, len(source.values)+1, reason)
		}
		source.values = append(source.values, token)
	}
	return source, nil
}

// sampleText is what examples, placeholders and the worst passwords have. Nothing random
// has it.
var sampleText = regexp.MustCompile(`(?i)change.?me|replace.?me|your.?(own|send|admin|token|secret)|example|passw|12345678|87654321|abcdefgh|qwerty`)

// guessable returns why a token is too easy to guess, or "". It is meant for mistakes: only
// a random token is good.
func guessable(token string) string {
	distinct := make(map[rune]bool)
	for _, c := range token {
		distinct[c] = true
	}
	switch {
	case len(token) < 16:
		return "it has fewer than 16 characters"
	case len(distinct) < 6:
		return "it has fewer than 6 different characters"
	case strings.Contains((token + token)[1:2*len(token)-1], token):
		return "it repeats a shorter text"
	case sampleText.MatchString(token):
		return "it has the text of an example or a common password"
	default:
		return ""
	}
}

// writeSecret creates the file, and its folder, readable by their owner only.
func writeSecret(path, secret string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(secret + "\n")
	return errors.Join(err, f.Close())
}
