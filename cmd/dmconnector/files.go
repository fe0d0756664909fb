package main

import (
	"fmt"
	"os"
	"path/filepath"

	"dmconnector/internal/plaintext"
)

// maxSecretFile bounds what a wrong path can load.
const maxSecretFile = 64 << 10

// resolve looks up a reference of a connector's file in the folder.
func resolve(folder, kind, name string) (string, error) {
	if kind == "env" {
		value := os.Getenv(name)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is not set, or empty", name)
		}
		return value, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	data, err := plaintext.ReadFile(name, maxSecretFile)
	return string(data), err
}
