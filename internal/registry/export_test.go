package registry

import (
	"context"
	"errors"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Look reads the files as the poll does. It reports whether one is away that may
// come back.
func (r *Registry) Look(ctx context.Context) bool { return r.readFiles(ctx, false) }

// OnlyEvents leaves out the poll.
func (r *Registry) OnlyEvents() { r.poll = time.Hour }

// OnlyPoll is for a system that tells of no changes.
func (r *Registry) OnlyPoll() {
	r.poll = 50 * time.Millisecond
	r.newWatcher = func() (*fsnotify.Watcher, error) { return nil, errors.New("no watches left") }
}
