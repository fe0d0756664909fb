package main

import (
	"fmt"
	"os"
	"path/filepath"

	"dmconnector/connector"
	"dmconnector/internal/plaintext"
	"dmconnector/internal/registry"
)

// maxSecretFile bounds what a wrong path can load.
const maxSecretFile = 64 << 10

// readConnector reads one file. References to files in it are relative to its
// folder.
func readConnector(path string, opts connector.ParseOptions) (registry.File, error) {
	return registry.ReadFile(path, opts, resolve)
}

// resolve looks up a reference of a connector's file.
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
