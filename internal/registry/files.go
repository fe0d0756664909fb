package registry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dmconnector/connector"
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
	ID, Path string
	Config   *connector.Config // nil if there are errors
	Report   connector.Report

	text     string
	modified time.Time
	inputs   []input
}

// An input is what one of a file's sources gave: the file itself, or a reference
// in it.
type input struct {
	read         func() (string, error)
	value, fault string
}

func (f *File) take(read func() (string, error)) (string, error) {
	value, err := read()
	f.inputs = append(f.inputs, input{read, value, fmt.Sprint(err)})
	return value, err
}

func (i input) changed() bool {
	value, err := i.read()
	return value != i.value || fmt.Sprint(err) != i.fault
}

// ReadLimited reads a file of at most limit bytes.
func ReadLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, nil
}

// ReadFile reads one connector's file, and reports all that is wrong with its
// content.
func ReadFile(path string, parse connector.ParseOptions, resolve Resolver) (File, error) {
	f := File{ID: defaultID, Path: path}
	err := f.parse(func() (string, error) {
		text, err := ReadLimited(path, maxFile)
		return string(text), err
	}, parse, resolve)
	return f, err
}

// parse returns an error if the file cannot be read.
func (f *File) parse(read func() (string, error), parse connector.ParseOptions, resolve Resolver) (err error) {
	if info, err := os.Stat(f.Path); err == nil {
		f.modified = info.ModTime()
	}
	if f.text, err = f.take(read); err != nil {
		f.Report.Errors = []connector.Problem{{Detail: "cannot be read: " + err.Error()}}
		return err
	}
	if resolve != nil {
		parse.Resolve = func(kind, name string) (string, error) {
			return f.take(func() (string, error) { return resolve(filepath.Dir(f.Path), kind, name) })
		}
	}
	f.Config, f.Report = connector.Check([]byte(f.text), parse)
	return nil
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

// A fileSet is what is known of the operator's files. It does not change.
type fileSet struct {
	files   map[string]*file // by id
	missing map[string]bool  // those that the last scan did not find
	trouble string           // why the last scan failed
}

// A file is a connector's file as it is, and the version that could last be used.
type file struct {
	File
	now, good *loaded // good is nil if there is none yet
}

// followFiles polls, which notices every change: of links, in replaced folders
// and on network file systems.
func (r *Registry) followFiles(ctx context.Context) {
	poll := time.NewTicker(pollFiles)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			r.Reload(ctx)
		}
	}
}

// Reload polls the files now, as after SIGHUP.
func (r *Registry) Reload(ctx context.Context) {
	if r.opts.Path == "" {
		return
	}
	r.filesMu.Lock()
	defer r.filesMu.Unlock()
	known := r.files
	next, err := r.scan(known)
	switch {
	case err != nil:
		next = fileSet{files: known.files, trouble: "cannot be read: " + err.Error()}
		if next.trouble != known.trouble {
			r.opts.Log.ErrorContext(ctx, "cannot read connector files, those loaded last stay active", "path", r.opts.Path, "error", err)
		}
	case known.trouble != "":
		r.opts.Log.InfoContext(ctx, "connector files can be read again", "path", r.opts.Path)
	}
	r.logFiles(ctx, known.files, next.files)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = next
	if next.trouble != known.trouble || !maps.Equal(next.files, known.files) {
		r.activate(ctx)
	}
}

// scan reads the files. Those that have not changed stay the same. A missing one
// stays until the next scan, since editors and mounts replace files in steps; if
// all are missing, the folder may not be ready.
func (r *Registry) scan(known fileSet) (fileSet, error) {
	if r.opts.Path == "" {
		return r.example(), nil
	}
	paths, err := list(r.opts.Path)
	if single := known.files[defaultID]; err != nil && single != nil && single.Path == r.opts.Path {
		paths = map[string]string{defaultID: r.opts.Path} // reading it gives the error
	} else if err != nil {
		return fileSet{}, err
	}
	next := fileSet{files: make(map[string]*file, len(paths)), missing: make(map[string]bool)}
	for id, path := range paths {
		next.files[id] = r.readFile(id, path, known.files[id])
	}
	for id, f := range known.files {
		if len(paths) == 0 && f.good != nil {
			return fileSet{}, fmt.Errorf("%s has no file that ends in .json any more", r.opts.Path)
		}
		if next.files[id] == nil && !known.missing[id] {
			next.files[id], next.missing[id] = f, true
		}
	}
	return next, nil
}

func (r *Registry) example() fileSet {
	if r.opts.Example == nil {
		return fileSet{}
	}
	f := File{ID: defaultID, Path: "example connector"}
	_ = f.parse(func() (string, error) { return string(r.opts.Example), nil }, r.parseOptions(), r.opts.Resolve) // always readable
	return fileSet{files: map[string]*file{defaultID: r.loadFile(f, nil)}}
}

// list returns the paths of connectors' files by id: the only one, or those in the
// folder.
func list(path string) (map[string]string, error) {
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
	paths := make(map[string]string)
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
// references.
func (r *Registry) readFile(id, path string, known *file) *file {
	if known != nil && known.Path == path && !slices.ContainsFunc(known.inputs, input.changed) {
		return known
	}
	f := File{ID: id, Path: path}
	if err := r.checkFileName(id); err != nil {
		f.Report.Errors = []connector.Problem{{Detail: err.Error()}}
	} else {
		f, _ = ReadFile(path, r.parseOptions(), r.opts.Resolve) // the error is in its report
		f.ID = id
	}
	return r.loadFile(f, known)
}

func (r *Registry) checkFileName(id string) error {
	if slices.Contains(r.opts.ReservedIDs, id) {
		return fmt.Errorf("rename the file: the id %s is reserved", id)
	}
	if !validID.MatchString(id) {
		return errors.New("rename the file: use at most 128 letters, digits, -, _ and . before .json")
	}
	return nil
}

// loadFile loads a file's newest version, which is its good one if it can be used.
func (r *Registry) loadFile(f File, known *file) *file {
	next := &file{File: f}
	if known != nil {
		next.good = known.good
	}
	sum := sha256.Sum256([]byte(f.text)) // so that replicas have the same version
	next.now = r.load(Connector{
		StoredConnector: StoredConnector{
			ID: f.ID, Version: int64(binary.BigEndian.Uint64(sum[:]) >> 1), Metadata: json.RawMessage("{}"),
			Created: f.modified, Updated: f.modified,
		},
		Source: FromFile,
	}, []byte(f.text), f.Config, f.Report, next.good)
	next.Report.Errors = next.now.Problems
	if next.now.config != nil {
		next.good = next.now
	}
	return next
}

func (r *Registry) logFiles(ctx context.Context, known, now map[string]*file) {
	for id, f := range now {
		if f == known[id] {
			continue
		}
		for _, p := range f.Report.Warnings {
			r.opts.Log.LogAttrs(ctx, slog.LevelWarn, "connector file has a warning", place(f, p)...)
		}
		for _, p := range f.Report.Errors {
			r.opts.Log.LogAttrs(ctx, slog.LevelError, "cannot use connector file, its last good version stays active", place(f, p)...)
		}
		if f.now.config != nil {
			r.opts.Log.InfoContext(ctx, "connector file loaded", "connector", id, "path", f.Path)
		}
	}
	for id, f := range known {
		if now[id] == nil {
			r.opts.Log.InfoContext(ctx, "connector file is gone", "connector", id, "path", f.Path)
		}
	}
}

func place(f *file, p connector.Problem) []slog.Attr {
	attrs := []slog.Attr{slog.String("connector", f.ID), slog.String("path", f.Path), slog.String("pointer", p.Pointer), slog.String("detail", p.Detail)}
	if p.Line > 0 {
		attrs = append(attrs, slog.Int("line", p.Line))
	}
	return attrs
}
