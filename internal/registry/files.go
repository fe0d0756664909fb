package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"dmconnector/connector"
)

// settleTime is how long a file must be away to be gone: editors move the old
// one aside before they write the new one.
const settleTime = 200 * time.Millisecond

// A fileSet is what is known of the files.
type fileSet struct {
	slots   map[string]*slot
	trouble string // why the whole path cannot be read
}

// A slot is what is known of one file. It does not change.
type slot struct {
	seen    *reading  // as it is
	good    *reading  // as it was when it could last be used; nil if never
	missing time.Time // since when it is away
}

// A reading is a file with the candidate that it makes.
type reading struct {
	File
	*candidate
	shown Connector
}

func (r *Registry) parseOptions() connector.ParseOptions {
	return connector.ParseOptions{AllowedEndpoints: r.opts.AllowedEndpoints}
}

// loadFiles reads the files for the first time. A folder may still be empty.
func (r *Registry) loadFiles(ctx context.Context) error {
	files, err := r.firstFiles()
	next := fileSet{slots: make(map[string]*slot)}
	switch {
	case errors.Is(err, errNoFiles):
		next.trouble = r.troubled(ctx, err)
	case err != nil:
		return err
	}
	for i, file := range files {
		seen := r.examineFile(file, nil)
		files[i].Report = seen.report
		next.slots[file.ID] = &slot{seen: seen, good: seen}
	}
	if err := Errors(files); err != nil {
		return err
	}
	for _, file := range files {
		r.logProblems(ctx, next.slots[file.ID].seen)
	}
	r.readingFiles.Lock()
	defer r.readingFiles.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files = next
	return nil
}

func (r *Registry) firstFiles() ([]File, error) {
	switch {
	case r.opts.Path != "":
		return ReadFiles(r.opts.Path, r.opts.ReservedIDs, r.parseOptions(), r.opts.Resolve)
	case r.opts.Example != nil:
		example := File{ID: defaultID, Path: "example connector", text: r.opts.Example}
		return []File{parseFile(example, r.parseOptions(), r.opts.Resolve)}, nil
	default:
		return nil, nil
	}
}

// readFiles reads the files again, and puts into force what has changed. It
// reports whether a file is away that may come back; certain has it gone at once.
func (r *Registry) readFiles(ctx context.Context, certain bool) (unsettled bool) {
	if r.opts.Path == "" {
		return false
	}
	r.readingFiles.Lock()
	defer r.readingFiles.Unlock()
	next, unsettled := r.look(ctx, certain)
	r.mu.Lock()
	defer r.mu.Unlock()
	if next.trouble != r.files.trouble || !maps.Equal(next.slots, r.files.slots) {
		r.files = next
		r.enforce(ctx)
	}
	return unsettled
}

// look reads the files. If there is none at all, that is taken for a moment
// between two states, and all stay as they were.
func (r *Registry) look(ctx context.Context, certain bool) (fileSet, bool) {
	former := r.files
	entries, err := list(r.opts.Path, r.opts.ReservedIDs)
	if err != nil {
		return fileSet{former.slots, r.troubled(ctx, err)}, false
	}
	if former.trouble != "" {
		r.opts.Log.InfoContext(ctx, "the connectors' files can be read again", "path", r.opts.Path)
	}
	next := fileSet{slots: make(map[string]*slot, len(entries))}
	for _, e := range entries {
		next.slots[e.id] = r.lookAt(ctx, e, former.slots[e.id])
	}
	unsettled := false
	for id, s := range former.slots {
		if next.slots[id] != nil {
			continue
		}
		if s = r.waitFor(ctx, s, certain); s != nil {
			next.slots[id], unsettled = s, true
		}
	}
	return next, unsettled
}

// troubled says why the whole path cannot be read, in the log when that is news.
func (r *Registry) troubled(ctx context.Context, err error) string {
	trouble := "cannot be read: " + err.Error()
	if trouble != r.files.trouble {
		r.opts.Log.ErrorContext(ctx, "the connectors' files cannot be read; what was in force stays", "path", r.opts.Path, "error", err)
	}
	return trouble
}

// waitFor returns the slot of a file that is away, or nil when it is gone.
func (r *Registry) waitFor(ctx context.Context, s *slot, certain bool) *slot {
	switch {
	case certain || !s.missing.IsZero() && time.Since(s.missing) >= settleTime:
		r.opts.Log.InfoContext(ctx, "connector file is gone", "path", s.seen.Path, "connector", s.seen.ID)
		return nil
	case s.missing.IsZero():
		return &slot{seen: s.seen, good: s.good, missing: time.Now()}
	default:
		return s
	}
}

// lookAt reads one file, unless it is as it was.
func (r *Registry) lookAt(ctx context.Context, e entry, former *slot) *slot {
	text, err := e.read()
	switch {
	case former == nil:
		former = &slot{}
	case former.seen.Path == e.path && former.seen.unchanged(text, err, r.opts.Resolve):
		if former.missing.IsZero() {
			return former
		}
		return &slot{seen: former.seen, good: former.good}
	}
	seen := r.examineFile(newFile(e, text, err, r.parseOptions(), r.opts.Resolve), former.good)
	r.logProblems(ctx, seen)
	if seen.config == nil {
		return &slot{seen: seen, good: former.good}
	}
	r.opts.Log.InfoContext(ctx, "connector file was read", "path", seen.Path, "connector", seen.ID)
	return &slot{seen: seen, good: seen}
}

func (r *Registry) examineFile(f File, former *reading) *reading {
	var known *candidate
	if former != nil {
		known = former.candidate
	}
	c := r.examine(f.Config, f.Report, known)
	return &reading{File: f, candidate: c, shown: Connector{
		StoredConnector: StoredConnector{
			ID: f.ID, Version: f.version(), Config: masked(f.text), Metadata: json.RawMessage("{}"),
			Created: f.modified, Updated: f.modified,
		},
		Source: FromFile, Warnings: c.report.Warnings,
	}}
}

func (r *Registry) logProblems(ctx context.Context, f *reading) {
	for _, p := range f.report.Warnings {
		r.opts.Log.LogAttrs(ctx, slog.LevelWarn, "doubtful connector", place(f.ID, p)...)
	}
	for _, p := range f.report.Errors {
		r.opts.Log.LogAttrs(ctx, slog.LevelError, "connector file cannot be used; its last good version, if any, stays in force",
			append(place(f.ID, p), slog.String("path", f.Path))...)
	}
}

func place(id string, p connector.Problem) []slog.Attr {
	attrs := []slog.Attr{slog.String("connector", id), slog.String("pointer", p.Pointer), slog.String("detail", p.Detail)}
	if p.Line > 0 {
		attrs = append(attrs, slog.Int("line", p.Line))
	}
	return attrs
}

// problems returns what is wrong with the files, by path.
func (s fileSet) problems(path string) []FileProblem {
	list := []FileProblem{}
	for id, slot := range s.slots {
		if slot.seen.config == nil {
			list = append(list, FileProblem{Path: slot.seen.Path, ID: id, Problems: slot.seen.report.Errors})
		}
	}
	if s.trouble != "" {
		p := FileProblem{Path: path, Problems: []connector.Problem{{Detail: s.trouble}}}
		if only := s.slots[defaultID]; only != nil && only.seen.Path == path {
			p.ID = defaultID
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b FileProblem) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.ID, b.ID)) })
	return list
}

// show returns the file's connector as an admin sees it.
func (s fileSet) show(slot *slot, path string) Connector {
	if slot.good == nil {
		shown := slot.seen.shown
		shown.Problems = slot.seen.report.Errors
		return shown
	}
	shown := slot.good.shown
	shown.InForce = true
	if slot.seen != slot.good {
		shown.Problems = slot.seen.report.Errors
	}
	if s.trouble != "" && slot.seen.Path == path {
		shown.Problems = append(slices.Clone(shown.Problems), connector.Problem{Detail: s.trouble})
	}
	return shown
}
