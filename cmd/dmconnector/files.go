package main

import (
	"fmt"
	"os"
	"path/filepath"

	"dmconnector/connector"
	"dmconnector/internal/registry"
)

// maxSecretFile bounds what a wrong path can load.
const maxSecretFile = 64 << 10

// A connectorFile is a connector with the id that its file's name gives it.
type connectorFile = registry.File

// readConnector reads one file. References to files in it are relative to its
// folder.
func readConnector(path string, opts connector.ParseOptions) (connectorFile, error) {
	return registry.ReadFile(path, opts, resolve)
}

// resolve looks up a reference of a connector's file.
func resolve(folder, kind, name string) (string, error) {
	if kind == "env" {
		value, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return value, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(folder, name)
	}
	data, err := registry.ReadLimited(name, maxSecretFile)
	return string(data), err
}

func readLimited(path string, limit int64) ([]byte, error) { return registry.ReadLimited(path, limit) }

// brokenConnectors returns one error with every error of every file, or nil.
func brokenConnectors(files []connectorFile) error { return registry.Errors(files) }
