package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		if len(token) < 16 {
			return tokenSource{}, fmt.Errorf("%s: a token needs at least 16 characters", origin)
		}
		source.values = append(source.values, token)
	}
	return source, nil
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
