package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dmconnector/connector"
)

// maxFile keeps a wrong path from filling the memory.
const maxFile = 64 << 20

// defaultID is the id of a single file's connector.
const defaultID = "default"

// A Resolver looks up ${env:NAME} and ${file:PATH}; folder is that of the file
// with the reference.
type Resolver func(folder, kind, name string) (string, error)

// A File is a connector's file with what was found in it.
type File struct {
	ID, Path string
	Config   *connector.Config // nil if there are errors
	Report   connector.Report

	text       []byte
	fault      string // why there is no text
	references []reference
	modified   time.Time
}

// A reference is what one led to. Secrets change in files of their own.
type reference struct {
	kind, name string
	found      [sha256.Size]byte
}

// ReadFile reads one connector's file, and reports all that is wrong with what is
// in it.
func ReadFile(path string, parse connector.ParseOptions, resolve Resolver) (File, error) {
	text, err := ReadLimited(path, maxFile)
	if err != nil {
		return File{}, err
	}
	return parseFile(File{ID: defaultID, Path: path, text: text}, parse, resolve), nil
}

// ReadFiles reads a connector's file, or a folder of them. What is wrong with a
// single one is in its report.
func ReadFiles(path string, reserved []string, parse connector.ParseOptions, resolve Resolver) ([]File, error) {
	entries, err := list(path, reserved)
	if err != nil {
		return nil, err
	}
	files := make([]File, len(entries))
	for i, e := range entries {
		text, err := e.read()
		files[i] = newFile(e, text, err, parse, resolve)
	}
	return files, nil
}

// Errors returns one error with every error of every file, or nil.
func Errors(files []File) error {
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

// ReadLimited reads a file of at most limit bytes.
func ReadLimited(path string, limit int64) ([]byte, error) {
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

// An entry is a file that is to be read.
type entry struct {
	id, path string
	err      error // why it cannot have that id
}

func (e entry) read() ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	return ReadLimited(e.path, maxFile)
}

// list returns the connectors' files: the only one, or those of the folder.
func list(path string, reserved []string) ([]entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []entry{{id: defaultID, path: path}}, nil
	}
	found, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, f := range found {
		id, isJSON := strings.CutSuffix(f.Name(), ".json")
		// Kubernetes and editors keep files of their own behind a dot.
		if !isJSON || strings.HasPrefix(id, ".") {
			continue
		}
		entries = append(entries, entry{id, filepath.Join(path, f.Name()), checkFileName(id, reserved)})
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s %w", path, errNoFiles)
	}
	return entries, nil
}

var errNoFiles = errors.New("has no file that ends in .json")

func checkFileName(id string, reserved []string) error {
	if slices.Contains(reserved, id) {
		return fmt.Errorf("the id %s is reserved: rename the file", id)
	}
	if !validID(id) {
		return errors.New("the file's name must be at most 128 letters, digits, -, _ and . before .json")
	}
	return nil
}

// newFile makes a File of what was read of it.
func newFile(e entry, text []byte, err error, parse connector.ParseOptions, resolve Resolver) File {
	f := File{ID: e.id, Path: e.path, text: text}
	if err != nil {
		f.fault = err.Error()
		f.Report.Errors = []connector.Problem{{Detail: "cannot be read: " + f.fault}}
		if e.err != nil {
			f.Report.Errors[0].Detail = f.fault
		}
		return f
	}
	return parseFile(f, parse, resolve)
}

func parseFile(f File, parse connector.ParseOptions, resolve Resolver) File {
	if info, err := os.Stat(f.Path); err == nil {
		f.modified = info.ModTime()
	}
	if resolve != nil {
		parse.Resolve = func(kind, name string) (string, error) {
			value, err := resolve(filepath.Dir(f.Path), kind, name)
			f.references = append(f.references, reference{kind, name, sumOf(value, err)})
			return value, err
		}
	}
	f.Config, f.Report = connector.Check(f.text, parse)
	return f
}

func sumOf(value string, err error) [sha256.Size]byte {
	if err != nil {
		value = "\x00" + err.Error()
	}
	return sha256.Sum256([]byte(value))
}

// unchanged reports whether reading the file again gave what is known, with the
// same behind its references.
func (f *File) unchanged(text []byte, err error, resolve Resolver) bool {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault != f.fault || !bytes.Equal(text, f.text) {
		return false
	}
	return !slices.ContainsFunc(f.references, func(r reference) bool {
		return sumOf(resolve(filepath.Dir(f.Path), r.kind, r.name)) != r.found
	})
}

// version is another one for another text, and the same for every replica.
func (f *File) version() int64 {
	sum := sha256.Sum256(f.text)
	return int64(binary.BigEndian.Uint64(sum[:]) >> 1) // 63 bits
}
