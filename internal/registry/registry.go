// Package registry knows which connectors there are: those from the operator's
// files, which it reads again when they change, and those from the state, which
// admins change over the API. It checks every change, keeps secrets from those
// who read, and puts what is good into force.
package registry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// Options are what a [Registry] needs.
type Options struct {
	// Path is a connector's JSON file, or a folder of them; empty is none. A
	// file's name without .json is its connector's id; a single file's is
	// "default".
	Path string
	// Example is the JSON of a connector "default" for want of a Path, or nil.
	Example []byte
	// Resolve looks up ${env:NAME} and ${file:PATH} in files; folder is the
	// file's own.
	Resolve          Resolver
	AllowedEndpoints []string
	// ReservedIDs are ids that no connector may have, such as a factory's.
	ReservedIDs []string
	// Volatile says that the state does not survive the program, so that no
	// message may be queued.
	Volatile bool

	Keeper    Keeper
	NewSender func(*connector.Config) (delivery.Sender, error)
	// Apply puts connectors into force. It is called with all of them, one call at
	// a time, whenever they have changed.
	Apply func(map[string]delivery.Connector)
	Log   *slog.Logger
}

// A Source says where a connector comes from.
type Source string

// The sources.
const (
	FromFile  Source = "file" // read-only
	FromState Source = "state"
)

// A Connector is a connector as an admin sees it.
type Connector struct {
	StoredConnector // Config has the secrets masked
	Source          Source
	Warnings        []connector.Problem
	// Problems are why a newer version of its file is not in force, or why the
	// stored one is not.
	Problems []connector.Problem
	InForce  bool // messages can be sent through it
}

// An Error says why a change was refused. The codes are connector_not_found,
// connector_exists, connector_read_only, connector_reserved, template_not_found,
// precondition_failed, invalid_config and invalid_request.
type Error struct {
	Code     string
	Detail   string
	Problems []connector.Problem // pointers are into the config, or into the request's body
}

func (e *Error) Error() string { return e.Detail }

// A Draft is a connector that an admin wants.
type Draft struct {
	ID                 string // empty: one is made
	Config             any    // decoded JSON, by package strictjson's rules
	Metadata           map[string]any
	SyncProfile        bool
	EnableTokenStorage bool
}

// A Patch is what an admin wants to change. Nil fields stay.
type Patch struct {
	Config             any // decoded JSON
	Metadata           map[string]any
	SyncProfile        *bool
	EnableTokenStorage *bool
}

// A FileProblem is a file that cannot be used as it is. The last good version of
// its connector, if there was one, stays in force.
type FileProblem struct {
	Path     string              `json:"path"`
	ID       string              `json:"id"`
	Problems []connector.Problem `json:"problems"`
}

// Registry is safe for concurrent use. What it returns must not be changed.
type Registry struct {
	opts       Options
	poll       time.Duration
	newWatcher func() (*fsnotify.Watcher, error)

	// One reading of the files, and one of the state, goes on at a time; a state
	// that does not answer keeps no file waiting.
	readingFiles, readingState sync.Mutex

	mu       sync.Mutex // guards what follows, and calls of Apply
	files    fileSet    // written with readingFiles held, too
	state    stateSet   // written with readingState held, too
	forced   map[string]force
	shadowed map[string]bool

	view atomic.Pointer[view]
}

// New returns a registry without connectors; see [Registry.Load].
func New(opts Options) *Registry {
	r := &Registry{opts: opts, poll: pollInterval, newWatcher: fsnotify.NewWatcher}
	r.view.Store(&view{})
	return r
}

// Load reads everything for the first time. A file with errors is an error.
func (r *Registry) Load(ctx context.Context) error {
	if err := r.loadFiles(ctx); err != nil {
		return err
	}
	return r.readState(ctx)
}

// Run keeps the connectors up to date until ctx ends: files when they change, the
// state when its revision changes.
func (r *Registry) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { r.followState(ctx) })
	if r.opts.Path != "" {
		loops.Go(func() { r.followFiles(ctx) })
	}
	loops.Wait()
}

// Reload reads the files again, as after SIGHUP.
func (r *Registry) Reload(ctx context.Context) { r.readFiles(ctx, true) }

// FileProblems returns what is wrong with the files now, by path.
func (r *Registry) FileProblems() []FileProblem { return r.view.Load().problems }

// Connectors returns all connectors by id.
func (r *Registry) Connectors() []Connector {
	v := r.view.Load()
	list := make([]Connector, len(v.ids))
	for i, id := range v.ids {
		list[i] = v.connectors[id].Connector
	}
	return list
}

// Connector returns the connector of that id.
func (r *Registry) Connector(id string) (Connector, bool) {
	l, ok := r.view.Load().connectors[id]
	return l.Connector, ok
}
