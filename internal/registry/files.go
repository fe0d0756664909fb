package registry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/plaintext"
)

const (
	pollFiles = 2 * time.Second
	maxFile   = 64 << 20  // bytes: a wrong path must not fill the memory
	defaultID = "default" // of a single file's connector
)

// A Resolver looks up ${env:NAME} and ${file:PATH}; folder is that of the file
// with the reference.
type Resolver func(folder, kind, name string) (string, error)

// A File is a connector's file with what was found in it.
type File struct {
	Path   string
	Config *connector.Config // nil if there are errors
	Report connector.Report

	text    string
	changed []func() bool // whether the file, or a reference in it, gives something else now
}

// ReadFile reads one connector's file, and reports all that is wrong with its
// content.
func ReadFile(path string, parse connector.ParseOptions, resolve Resolver) (File, error) {
	f := File{Path: path}
	err := f.parse(func() (string, error) {
		text, err := plaintext.ReadFile(path, maxFile)
		return string(text), err
	}, parse, resolve)
	return f, err
}

// parse returns an error if the file cannot be read.
func (f *File) parse(read func() (string, error), parse connector.ParseOptions, resolve Resolver) (err error) {
	if f.text, err = f.take(read); err != nil {
		f.Report.Errors = []connector.Problem{{Detail: "cannot be read: " + err.Error()}}
		return err
	}
	parse.Loopback = true // the file is the operator's
	if resolve != nil {
		parse.Resolve = func(kind, name string) (string, error) {
			return f.take(func() (string, error) { return resolve(filepath.Dir(f.Path), kind, name) })
		}
	}
	f.Config, f.Report = connector.Check([]byte(f.text), parse)
	return nil
}

// take reads the file, or a reference in it, and remembers what that gave.
func (f *File) take(read func() (string, error)) (string, error) {
	value, err := read()
	f.changed = append(f.changed, func() bool {
		now, nowErr := read()
		return now != value || fmt.Sprint(nowErr) != fmt.Sprint(err)
	})
	return value, err
}

// Errors returns one error with every error in the files, or nil.
func Errors(files []File) error {
	var lines []string
	for _, file := range files {
		for _, p := range file.Report.Errors {
			lines = append(lines, fmt.Sprintf("\n  %s: %s", file.Path, p))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New("the connectors have errors:" + strings.Join(lines, ""))
}

// A file is a connector's file as it is. It does not change.
type file struct {
	File
	loaded *loaded // the last good version if there was one; nil if the file's name is no id
}

// Reload polls the files now, as after SIGHUP.
func (r *Registry) Reload(ctx context.Context) {
	if r.opts.Path == "" {
		return
	}
	r.filesMu.Lock()
	defer r.filesMu.Unlock()
	trouble := ""
	files, err := r.scan(r.files)
	if err != nil {
		files, r.missing, trouble = r.files, nil, "cannot be read: "+err.Error()
	}
	if err != nil && trouble != r.trouble {
		r.opts.Log.ErrorContext(ctx, "cannot read connector files, those loaded last stay active", "path", r.opts.Path, "error", err)
	}
	if err == nil && r.trouble != "" {
		r.opts.Log.InfoContext(ctx, "connector files can be read again", "path", r.opts.Path)
	}
	r.logFiles(ctx, r.files, files)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files, r.trouble = files, trouble
	r.activate(ctx)
}

// scan reads the files. Those that have not changed stay the same. A missing one
// stays until the next scan, since editors and mounts replace files in steps; if
// all are missing, the folder may not be ready.
func (r *Registry) scan(known map[string]*file) (map[string]*file, error) {
	paths, err := r.list()
	if single := known[defaultID]; err != nil && single != nil && single.Path == r.opts.Path {
		paths = map[string]string{defaultID: r.opts.Path} // reading it gives the error
	} else if err != nil {
		return nil, err
	}
	files, missing := make(map[string]*file, len(paths)), make(map[string]bool)
	for id, path := range paths {
		files[id] = r.readFile(id, path, known[id])
	}
	for id, f := range known {
		if len(paths) == 0 && f.loaded != nil && f.loaded.Active {
			return nil, fmt.Errorf("%s has no file that ends in .json any more", r.opts.Path)
		}
		if files[id] == nil && !r.missing[id] {
			files[id], missing[id] = f, true
		}
	}
	r.missing = missing
	return files, nil
}

// list returns the paths of connectors' files by id: the only one, or those in the
// folder.
func (r *Registry) list() (map[string]string, error) {
	path, paths := r.opts.Path, make(map[string]string)
	if path == "" && r.opts.Example != nil {
		paths[defaultID] = "example connector"
	}
	if path == "" {
		return paths, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return map[string]string{defaultID: path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		id, isJSON := strings.CutSuffix(entry.Name(), ".json")
		// Kubernetes and editors have files of their own behind a dot.
		if isJSON && !strings.HasPrefix(id, ".") {
			paths[id] = filepath.Join(path, entry.Name())
		}
	}
	return paths, nil
}

// readFile reads a file, unless nothing has changed in it and behind its
// references. While it has errors, its last good version stays.
func (r *Registry) readFile(id, path string, known *file) *file {
	var former *loaded
	if known != nil {
		changed := slices.ContainsFunc(known.changed, func(changed func() bool) bool { return changed() })
		if known.Path == path && !changed {
			return known
		}
		former = known.loaded
	}
	f := &file{File: File{Path: path}}
	if refused := r.checkID(id); refused != nil {
		f.Report.Errors = []connector.Problem{{Detail: "rename the file: " + refused.Detail}}
		return f
	}
	if r.opts.Path == "" {
		_ = f.parse(func() (string, error) { return string(r.opts.Example), nil }, r.parseOptions(), r.opts.Resolve)
	} else {
		f.File, _ = ReadFile(path, r.parseOptions(), r.opts.Resolve) // the error is in its report
	}
	sum := sha256.Sum256([]byte(f.text)) // so that replicas have the same version
	stored := StoredConnector{ID: id, Version: int64(binary.BigEndian.Uint64(sum[:]) >> 1), Metadata: json.RawMessage("{}")}
	f.loaded = r.load(Connector{StoredConnector: stored, Source: FromFile}, []byte(f.text), f.Config, f.Report, former)
	f.Report.Errors = f.loaded.Problems
	if !f.loaded.Active && former != nil && former.Active {
		last := *former
		last.Problems = f.Report.Errors
		f.loaded = &last
	}
	return f
}

func (r *Registry) logFiles(ctx context.Context, known, now map[string]*file) {
	for id, f := range now {
		if f == known[id] {
			continue
		}
		log := r.opts.Log.With("connector", id, "path", f.Path)
		for _, p := range f.Report.Warnings {
			log.LogAttrs(ctx, slog.LevelWarn, "connector file has a warning", place(p)...)
		}
		active := f.loaded != nil && f.loaded.Active
		for _, p := range f.Report.Errors {
			if active {
				log.LogAttrs(ctx, slog.LevelError, "cannot use connector file, its last good version stays active", place(p)...)
			} else {
				log.LogAttrs(ctx, slog.LevelError, "cannot use connector file", place(p)...)
			}
		}
		if len(f.Report.Errors) == 0 {
			log.InfoContext(ctx, "connector file loaded")
		}
	}
	for id, f := range known {
		if now[id] == nil {
			r.opts.Log.InfoContext(ctx, "connector file is gone", "connector", id, "path", f.Path)
		}
	}
}

func place(p connector.Problem) []slog.Attr {
	attrs := []slog.Attr{slog.String("pointer", p.Pointer), slog.String("detail", p.Detail)}
	if p.Line > 0 {
		attrs = append(attrs, slog.Int("line", p.Line))
	}
	return attrs
}
