package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A tokenSource says where a kind of callers' token came from.
type tokenSource struct {
	values []string
	made   bool // this start made it: somebody must be told
}

// callersToken returns the tokens that the operator gave, else the one in the
// data folder, which is made at the first start. Without a folder it is made
// anew and forgotten at the end.
func callersToken(given, folder, name string) (tokenSource, error) {
	if given != "" {
		return givenTokens(given, name)
	}
	if folder == "" {
		return tokenSource{[]string{rand.Text()}, true}, nil
	}
	path := filepath.Join(folder, name)
	data, err := readLimited(path, maxSecretFile)
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text()
		return tokenSource{[]string{token}, true}, writeSecret(path, token)
	}
	if err != nil {
		return tokenSource{}, err
	}
	return givenTokens(string(data), path)
}

func givenTokens(list, origin string) (tokenSource, error) {
	var source tokenSource
	for token := range strings.SplitSeq(list, ",") {
		token = strings.TrimSpace(token)
		if len(token) < 16 {
			return tokenSource{}, fmt.Errorf("%s: a token must have at least 16 characters", origin)
		}
		source.values = append(source.values, token)
	}
	return source, nil
}

// writeSecret makes the file, and its folder, for its owner alone.
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
