package registry

import (
	"context"
	"maps"
	"slices"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// A force is a connector in force, with the templates that it shares.
type force struct {
	target delivery.Connector
	shared *[]connector.EmailTemplate
}

// A view is everything as those see it who ask. It does not change.
type view struct {
	connectors map[string]listed
	ids        []string
	templates  []EmailTemplate
	problems   []FileProblem
}

// A listed connector is one as an admin sees it, with its stored JSON.
type listed struct {
	Connector
	stored StoredConnector // zero if it is a file's
}

// enforce puts into force what is good, and shows how things are now. A connector
// that has not changed stays the very same, for delivery to go on with it.
func (r *Registry) enforce(ctx context.Context) {
	candidates := r.candidates(ctx)
	next := make(map[string]force, len(candidates))
	for id, c := range candidates {
		f, ok := r.forced[id]
		if !ok || f.target.Composer.Config() != c.config || f.shared != r.state.shared {
			composer := connector.New(c.config, r.sharedTemplates()...)
			f = force{delivery.Connector{ID: id, Composer: composer, Sender: c.sender}, r.state.shared}
		}
		next[id] = f
	}
	if r.forced == nil || !maps.EqualFunc(r.forced, next, func(a, b force) bool { return a.target.Composer == b.target.Composer }) {
		r.forced = next
		targets := make(map[string]delivery.Connector, len(next))
		for id, f := range next {
			targets[id] = f.target
		}
		r.opts.Apply(targets)
	}
	r.view.Store(r.overview())
}

func (r *Registry) sharedTemplates() []connector.EmailTemplate {
	if r.state.shared == nil {
		return nil
	}
	return *r.state.shared
}

// candidates returns what is good of files and state. A file's id beats a stored
// one, once the file has been good.
func (r *Registry) candidates(ctx context.Context) map[string]*candidate {
	found := make(map[string]*candidate)
	for id, slot := range r.files.slots {
		if slot.good != nil {
			found[id] = slot.good.candidate
		}
	}
	shadowed := make(map[string]bool)
	for id, h := range r.state.holdings {
		switch {
		case found[id] != nil:
			shadowed[id] = true
			if !r.shadowed[id] {
				r.opts.Log.WarnContext(ctx, "stored connector is not in force: a file has its id", "connector", id)
			}
		case h.config != nil:
			found[id] = h.candidate
		}
	}
	r.shadowed = shadowed
	return found
}

func (r *Registry) overview() *view {
	v := &view{
		connectors: make(map[string]listed),
		templates:  r.state.templates,
		problems:   r.files.problems(r.opts.Path),
	}
	for id, h := range r.state.holdings {
		v.connectors[id] = listed{h.show(), h.stored}
	}
	for id, slot := range r.files.slots {
		_, stored := v.connectors[id]
		named := checkFileName(id, r.opts.ReservedIDs) == nil
		if slot.good != nil || !stored && named {
			v.connectors[id] = listed{Connector: r.files.show(slot, r.opts.Path)}
		}
	}
	v.ids = slices.Sorted(maps.Keys(v.connectors))
	return v
}
