package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dmconnector/connector"
)

const (
	pollInterval = time.Second
	// stateTimeout keeps a state that does not answer from stopping everything.
	stateTimeout = 5 * time.Second
)

// A stateSet is what is known of the state.
type stateSet struct {
	revision  int64
	holdings  map[string]*holding
	templates []EmailTemplate
	shared    *[]connector.EmailTemplate // the templates, for composing; another pointer when they change
}

// A holding is a stored connector with the candidate that it makes.
type holding struct {
	stored StoredConnector
	*candidate
}

// followState reads the state again when its revision changes.
func (r *Registry) followState(ctx context.Context) {
	poll := time.NewTicker(r.poll)
	defer poll.Stop()
	changed := r.opts.Keeper.ConfigurationChanged()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case _, open := <-changed:
			if !open {
				changed = nil
			}
		}
		err := r.catchUp(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			r.opts.Log.ErrorContext(ctx, "the connectors in the state cannot be read; what was in force stays", "error", err)
		case err == nil && failing:
			r.opts.Log.InfoContext(ctx, "the connectors in the state can be read again")
		}
		failing = err != nil
	}
}

func (r *Registry) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	revision, err := r.opts.Keeper.Revision(ctx)
	if err != nil {
		return fmt.Errorf("read the revision of the configuration: %w", err)
	}
	r.mu.Lock()
	known := r.state.revision
	r.mu.Unlock()
	if revision == known {
		return nil
	}
	return r.readState(ctx)
}

// readState reads the state, and puts into force what has changed.
func (r *Registry) readState(ctx context.Context) error {
	r.readingState.Lock()
	defer r.readingState.Unlock()
	configuration, err := r.opts.Keeper.Configuration(ctx)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	next := r.hold(ctx, configuration)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = next
	r.enforce(ctx)
	return nil
}

func (r *Registry) hold(ctx context.Context, c Configuration) stateSet {
	former := r.state
	next := stateSet{revision: c.Revision, holdings: make(map[string]*holding, len(c.Connectors))}
	for _, stored := range c.Connectors {
		next.holdings[stored.ID] = r.holdingOf(ctx, stored, former.holdings[stored.ID])
	}
	next.templates = slices.SortedFunc(slices.Values(c.Templates), func(a, b EmailTemplate) int {
		return cmp.Or(cmp.Compare(a.LanguageTag, b.LanguageTag), cmp.Compare(a.TemplateType, b.TemplateType))
	})
	next.shared = former.shared
	if former.shared == nil || !slices.EqualFunc(former.templates, next.templates, sameMail) {
		next.shared = r.share(ctx, next.templates)
	}
	return next
}

// holdingOf examines a stored connector, unless it is as it was. A connector that
// could be stored once may be against the rules now.
func (r *Registry) holdingOf(ctx context.Context, stored StoredConnector, former *holding) *holding {
	var known *candidate
	if former != nil {
		if former.stored.Version == stored.Version && bytes.Equal(former.stored.Config, stored.Config) &&
			former.stored.Created.Equal(stored.Created) {
			return former
		}
		known = former.candidate
	}
	cfg, report := connector.Check(stored.Config, r.parseOptions())
	h := &holding{stored, r.examine(cfg, report, known)}
	for _, p := range h.report.Errors {
		r.opts.Log.ErrorContext(ctx, "stored connector is not in force", "connector", stored.ID, "pointer", p.Pointer, "detail", p.Detail)
	}
	return h
}

// sameMail reports whether two templates make the same mails.
func sameMail(a, b EmailTemplate) bool {
	return a.ID == b.ID && a.LanguageTag == b.LanguageTag && a.TemplateType == b.TemplateType && bytes.Equal(a.Details, b.Details)
}

func (r *Registry) share(ctx context.Context, list []EmailTemplate) *[]connector.EmailTemplate {
	shared := make([]connector.EmailTemplate, 0, len(list))
	for _, t := range list {
		s := connector.EmailTemplate{ID: t.ID}
		if err := json.Unmarshal(t.Details, &s.Template); err != nil {
			r.opts.Log.ErrorContext(ctx, "stored email template is not in force", "template", t.ID)
			continue
		}
		s.UsageType, s.LanguageTag = t.TemplateType, t.LanguageTag
		shared = append(shared, s)
	}
	return &shared
}

// show returns the stored connector as an admin sees it.
func (h *holding) show() Connector {
	shown := Connector{
		StoredConnector: h.stored, Source: FromState, Warnings: h.report.Warnings,
		Problems: h.report.Errors, InForce: h.config != nil,
	}
	shown.Config = masked(h.stored.Config)
	return shown
}
