// Package registry knows which connectors there are: those in the operator's
// files and those in the state, which admins change over the API. It polls both
// for changes, validates what it finds, masks secrets for readers, and activates
// valid connectors.
package registry

import (
	"context"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// Options are what a [Registry] needs.
type Options struct {
	// Path is a connector's JSON file, or a folder of them; empty means no files.
	// A file's name without .json is its connector's id; a single file's is
	// "default".
	Path string
	// Example is the JSON of a connector "default" that is used without a Path, or
	// nil.
	Example []byte
	// Resolve looks up ${env:NAME} and ${file:PATH} in files.
	Resolve          Resolver
	AllowedEndpoints []string
	// Loopback lets endpoints of stored connectors name this machine. Those in files may
	// anyway.
	Loopback bool
	// ReservedIDs are ids that no connector may have, such as a factory's.
	ReservedIDs []string
	// Volatile means that the state is lost when the program ends, so that no
	// message may be queued.
	Volatile bool

	Store     Store
	NewSender func(*connector.Config) (delivery.Sender, error)
	// Apply takes the active connectors, all of them, each time they change. Calls
	// do not overlap.
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
	StoredConnector // Config has its secrets masked
	Source          Source
	Warnings        []connector.Problem
	// Problems are why the newest version is not active.
	Problems []connector.Problem
	Active   bool // messages can be sent through it, perhaps by its last good version
}

// A FileProblem is a file that cannot be used as it is. The last good version of
// its connector, if there is one, stays active.
type FileProblem struct {
	Path     string              `json:"path"`
	ID       string              `json:"id"`
	Problems []connector.Problem `json:"problems"`
}

// Registry is safe for concurrent use. What it returns must not be changed.
type Registry struct {
	opts Options

	// Each source is read by one goroutine at a time, without holding mu: a database
	// that does not answer must not delay files, nor the other way around.
	filesMu, storeMu sync.Mutex
	missing          map[string]bool // files that the last scan did not find; guarded by filesMu
	failing          bool            // the last poll of the state failed

	mu sync.Mutex // guards the fields below, and calls of Apply

	// Written with filesMu held as well.
	files   map[string]*file // by id
	trouble string           // why the last scan failed

	// Written with storeMu held as well.
	revision  int64
	stored    map[string]*loaded // by id
	templates []EmailTemplate
	shared    []connector.EmailTemplate // the templates, for composing

	active   map[string]delivery.Connector
	shadowed map[string]bool // stored connectors whose id a file has

	view atomic.Pointer[view]
}

// A view is what readers see. It does not change.
type view struct {
	connectors map[string]*loaded
	templates  []EmailTemplate
	problems   []FileProblem
}

// A loaded connector is one version of a connector's JSON and what was made of
// it. It does not change.
type loaded struct {
	Connector
	text   []byte            // the JSON, secrets included
	config *connector.Config // nil if there are errors
	sender delivery.Sender
}

// New returns a registry without connectors; see [Registry.Load].
func New(opts Options) *Registry {
	r := &Registry{opts: opts, revision: -1}
	r.view.Store(&view{})
	return r
}

// Load reads files and state for the first time, before anything else is called.
// Errors in a file are an error.
func (r *Registry) Load(ctx context.Context) error {
	files, err := r.scan(nil)
	if err != nil {
		return err
	}
	read := make([]File, 0, len(files))
	for _, id := range slices.Sorted(maps.Keys(files)) {
		read = append(read, files[id].File)
	}
	if err := Errors(read); err != nil {
		return err
	}
	r.logFiles(ctx, nil, files)
	r.files = files
	return r.refresh(ctx)
}

// Run polls files and state for changes until ctx ends. Polling files notices every
// change: of links, in replaced folders and on network file systems.
func (r *Registry) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { repeat(ctx, pollFiles, nil, r.Reload) })
	loops.Go(func() { repeat(ctx, pollStore, r.opts.Store.ConfigurationChanged(), r.pollState) })
	loops.Wait()
}

// repeat calls do at intervals, and when signalled, until ctx ends.
func repeat(ctx context.Context, interval time.Duration, signal <-chan struct{}, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case _, open := <-signal:
			if !open {
				signal = nil
			}
		}
		do(ctx)
	}
}

// FileProblems returns what is wrong with the files now, by id.
func (r *Registry) FileProblems() []FileProblem { return r.view.Load().problems }

// Connectors returns all connectors by id.
func (r *Registry) Connectors() []Connector {
	v := r.view.Load()
	list := make([]Connector, 0, len(v.connectors))
	for _, id := range slices.Sorted(maps.Keys(v.connectors)) {
		list = append(list, v.connectors[id].Connector)
	}
	return list
}

// Connector returns the connector with the id.
func (r *Registry) Connector(id string) (Connector, bool) {
	l, ok := r.view.Load().connectors[id]
	if !ok {
		return Connector{}, false
	}
	return l.Connector, true
}

// SharedTemplates returns the stored email templates as connectors compose with them.
func (r *Registry) SharedTemplates() []connector.EmailTemplate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shared
}

func (r *Registry) parseOptions() connector.ParseOptions {
	return connector.ParseOptions{AllowedEndpoints: r.opts.AllowedEndpoints, Loopback: r.opts.Loopback}
}

// load prepares a connector for sending. If its config says the same as the former
// version's, config and sender of that stay, so that delivery goes on with them.
func (r *Registry) load(c Connector, text []byte, cfg *connector.Config, report connector.Report, former *loaded) *loaded {
	if cfg != nil && r.opts.Volatile {
		for _, usageType := range slices.Sorted(maps.Keys(cfg.Delivery)) {
			if cfg.Delivery[usageType] == "queued" {
				report.Errors = append(report.Errors, connector.Problem{
					Pointer: "/delivery/" + pointerEscapes.Replace(usageType),
					Detail:  `cannot be "queued" with --state memory: a queue needs state that survives a restart`,
				})
			}
		}
	}
	l := &loaded{Connector: c, text: text}
	if cfg != nil && len(report.Errors) == 0 {
		if former != nil && reflect.DeepEqual(cfg, former.config) {
			l.config, l.sender = former.config, former.sender
		} else if sender, err := r.opts.NewSender(cfg); err != nil {
			report.Errors = append(report.Errors, connector.Problem{Detail: err.Error()})
		} else {
			l.config, l.sender = cfg, sender
		}
	}
	l.Config = masked(text)
	l.Warnings, l.Problems, l.Active = report.Warnings, report.Errors, l.config != nil
	return l
}

// activate applies the connectors that can be used, and shows readers how things
// are now. r.mu must be held.
func (r *Registry) activate(ctx context.Context) {
	v := &view{connectors: maps.Clone(r.stored), templates: r.templates, problems: []FileProblem{}}
	if r.trouble != "" {
		v.problems = append(v.problems, FileProblem{Path: r.opts.Path, Problems: []connector.Problem{{Detail: r.trouble}}})
	}
	shadowed := make(map[string]bool)
	for _, id := range slices.Sorted(maps.Keys(r.files)) {
		f := r.files[id]
		if len(f.Report.Errors) > 0 {
			v.problems = append(v.problems, FileProblem{Path: f.Path, ID: id, Problems: f.Report.Errors})
		}
		_, stored := r.stored[id]
		if f.loaded == nil || !f.loaded.Active && stored {
			continue // a file that was never good does not take the place of a connector that works
		}
		v.connectors[id] = f.loaded
		if shadowed[id] = stored; stored && !r.shadowed[id] {
			r.opts.Log.WarnContext(ctx, "stored connector is not active: a file has the same id", "connector", id)
		}
	}
	r.shadowed = shadowed

	next := make(map[string]delivery.Connector)
	for id, l := range v.connectors {
		if l.config == nil {
			continue
		}
		c, ok := r.active[id]
		if !ok || c.Composer.Config() != l.config {
			c = delivery.Connector{ID: id, Composer: connector.New(l.config, r.shared...), Sender: l.sender}
		}
		next[id] = c
	}
	same := func(a, b delivery.Connector) bool { return a.Composer == b.Composer }
	if r.active == nil || !maps.EqualFunc(r.active, next, same) {
		r.active = next
		r.opts.Apply(maps.Clone(next))
	}
	r.view.Store(v)
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
