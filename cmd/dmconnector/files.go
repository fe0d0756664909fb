package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dmconnector/connector"
	"dmconnector/internal/httpapi"
)

// maxConnectorFile and maxSecretFile keep a wrong path from filling the memory.
const (
	maxConnectorFile = 64 << 20
	maxSecretFile    = 64 << 10
)

// A connectorFile is a connector with the id that its file's name gives it.
type connectorFile struct {
	ID, Path string
	Config   *connector.Config
	Report   connector.Report
}

// readConnectors reads a connector's file, or a folder of them. Problems of
// their content are in the reports.
func readConnectors(path string, opts connector.ParseOptions) ([]connectorFile, error) {
	paths, ids, err := connectorPaths(path)
	if err != nil {
		return nil, err
	}
	files := make([]connectorFile, len(paths))
	for i, path := range paths {
		if files[i], err = readConnector(path, opts); err != nil {
			return nil, err
		}
		files[i].ID = ids[i]
	}
	return files, nil
}

// connectorPaths returns the connectors' files and their ids: the file's name
// without .json, or "default" for a single file.
func connectorPaths(path string) (paths, ids []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		return []string{path}, []string{"default"}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		id, isJSON := strings.CutSuffix(entry.Name(), ".json")
		// Kubernetes and editors keep files of their own behind a dot.
		if !isJSON || strings.HasPrefix(id, ".") {
			continue
		}
		if err := checkID(id); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", filepath.Join(path, entry.Name()), err)
		}
		paths, ids = append(paths, filepath.Join(path, entry.Name())), append(ids, id)
	}
	if len(paths) == 0 {
		return nil, nil, fmt.Errorf("%s has no file that ends in .json", path)
	}
	return paths, ids, nil
}

func checkID(id string) error {
	if id == httpapi.FactoryID {
		return fmt.Errorf("the id %s is reserved: rename the file", id)
	}
	valid := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r)
	}
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return !valid(r) }) {
		return errors.New("the file's name must be at most 128 letters, digits, -, _ and . before .json")
	}
	return nil
}

// readConnector reads one file. References to files in it are relative to its
// folder.
func readConnector(path string, opts connector.ParseOptions) (connectorFile, error) {
	data, err := readLimited(path, maxConnectorFile)
	if err != nil {
		return connectorFile{}, err
	}
	opts.Resolve = func(kind, name string) (string, error) { return resolve(filepath.Dir(path), kind, name) }
	file := connectorFile{Path: path}
	file.Config, file.Report = connector.ParseConfig(data, opts)
	return file, nil
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
	data, err := readLimited(name, maxSecretFile)
	return string(data), err
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	err = errors.Join(err, f.Close())
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, nil
}

// brokenConnectors returns one error with every error of every file, or nil.
func brokenConnectors(files []connectorFile) error {
	var lines []string
	for _, file := range files {
		for _, p := range file.Report.Errors {
			lines = append(lines, fmt.Sprintf("%s: %s", file.Path, p))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New("the connectors have errors:\n  " + strings.Join(lines, "\n  "))
}
