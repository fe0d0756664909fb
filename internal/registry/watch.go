package registry

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// writeTime is given to whoever writes files: a change is often several.
const writeTime = 100 * time.Millisecond

// followFiles reads the files again when the system tells that they have changed,
// and every second to be certain: network file systems tell nothing.
func (r *Registry) followFiles(ctx context.Context) {
	w := r.watch(ctx)
	defer w.close()
	poll := time.NewTicker(r.poll)
	defer poll.Stop()
	w.follow(r.filePaths())
	due := time.After(0) // something may have changed before it was watched
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-w.events:
			if due == nil && w.concerns(event) {
				due = time.After(writeTime)
			}
			continue
		case err := <-w.errors:
			r.opts.Log.WarnContext(ctx, "changes of files may have gone unnoticed; they are read again", "error", err)
			if due == nil {
				due = time.After(writeTime)
			}
			continue
		case <-due:
			due = nil
		case <-poll.C:
		}
		w.follow(r.filePaths()) // a link may lead elsewhere now: what is read must be watched
		if r.readFiles(ctx, false) {
			due = time.After(settleTime)
		}
		if w.follow(r.filePaths()) && due == nil {
			due = time.After(writeTime)
		}
	}
}

func (r *Registry) filePaths() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	paths := make([]string, 0, len(r.files.slots))
	for _, s := range r.files.slots {
		paths = append(paths, s.seen.Path)
	}
	return paths
}

// A watcher watches the folders in which changes of the files show.
type watcher struct {
	path   string
	system *fsnotify.Watcher // nil if the system has none to give
	events <-chan fsnotify.Event
	errors <-chan error
	names  map[string]bool // of files whose change matters

	watched map[string]bool // folders
}

func (r *Registry) watch(ctx context.Context) *watcher {
	system, err := r.newWatcher()
	if err != nil {
		r.opts.Log.WarnContext(ctx, "changes of files are noticed once a second only", "error", err)
		return &watcher{path: r.opts.Path}
	}
	return &watcher{path: r.opts.Path, system: system, events: system.Events, errors: system.Errors}
}

func (w *watcher) close() {
	if w.system != nil {
		_ = w.system.Close() // it ends with the program, or with a test
	}
}

// follow watches the folder above the path, which may be replaced as a whole, the
// path if it is a folder, and the folders that the files are really in. What
// cannot be watched is left to the poll. It reports whether a folder was not watched
// before, so that a change there may have gone unnoticed.
func (w *watcher) follow(files []string) (more bool) {
	if w.system == nil {
		return false
	}
	w.names = make(map[string]bool)
	folders := map[string]bool{real(filepath.Dir(w.path)): true}
	if info, err := os.Stat(w.path); err == nil && info.IsDir() {
		folders[real(w.path)] = true
	}
	for _, path := range append(files, w.path) {
		target := real(path)
		folders[filepath.Dir(target)] = true
		w.names[filepath.Base(path)], w.names[filepath.Base(target)] = true, true
	}
	for _, watched := range w.system.WatchList() {
		if !folders[watched] {
			_ = w.system.Remove(watched) // it may have gone by itself
		}
	}
	before := w.watched
	w.watched = make(map[string]bool)
	for folder := range folders {
		// Again and again: another folder may have taken the place.
		w.watched[folder] = w.system.Add(folder) == nil
		more = more || w.watched[folder] && !before[folder]
	}
	return more
}

// real returns the path behind symbolic links, or the path itself if there is
// none.
func real(path string) string {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path
	}
	return target
}

// concerns reports whether an event may be about a connector's file: in the same
// folder there may be files that change all the time.
func (w *watcher) concerns(event fsnotify.Event) bool {
	name := filepath.Base(event.Name)
	// Kubernetes swaps the link ..data.
	return event.Op != fsnotify.Chmod &&
		(w.names[name] || strings.HasSuffix(name, ".json") || strings.HasPrefix(name, ".."))
}
