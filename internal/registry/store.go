package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"dmconnector/connector"
)

const (
	// pollStore leaves time to read the state within the 2 s after which every
	// replica has a change.
	pollStore = time.Second
	// storeTimeout bounds each reading: the state may not answer.
	storeTimeout = 5 * time.Second
)

// A StoredConnector is a connector in the state.
type StoredConnector struct {
	ID                 string
	Version            int64           // 1, and one more with every change
	Config             json.RawMessage // the connector's JSON, secrets included; the store seals it
	Metadata           json.RawMessage // Logto's: an object that is stored and returned
	SyncProfile        bool            // Logto's, likewise
	EnableTokenStorage bool            // Logto's, likewise
	Created, Updated   time.Time
}

// An EmailTemplate is a template by language and usage type that all connectors
// share, in Logto's shape.
type EmailTemplate struct {
	ID           string          `json:"id"`
	LanguageTag  string          `json:"languageTag"`
	TemplateType string          `json:"templateType"`
	Details      json.RawMessage `json:"details"` // {subject, content, contentType?, replyTo?, sendFrom?}
	Version      int64           `json:"-"`
	Created      time.Time       `json:"-"`
}

// A TemplateFilter selects email templates. Empty fields select all.
type TemplateFilter struct{ LanguageTag, TemplateType string }

// A Configuration is all connectors and email templates in the state, as of one
// revision.
type Configuration struct {
	Revision   int64
	Connectors []StoredConnector // by id
	Templates  []EmailTemplate   // by language and type
}

// A Change is one entry of the audit trail. It holds no secret.
type Change struct {
	ID      string          `json:"id"` // a UUID of version 7
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`   // whose token it was, never the token
	Action  string          `json:"action"`  // such as "connector.update"
	Subject string          `json:"subject"` // the id of what was changed
	Detail  json.RawMessage `json:"detail,omitempty"`
}

// Errors that a [Store] may wrap.
var (
	ErrNotFound = errors.New("no entry has this id")
	ErrExists   = errors.New("the id is taken")
	ErrChanged  = errors.New("it was changed meanwhile")
)

// A Store is the part of the state that has the configuration. A change, its
// entry in the audit trail and the new revision are one transaction; the store
// sets the change's ID and At.
type Store interface {
	// Revision changes with every change of the configuration, by any process.
	Revision(ctx context.Context) (int64, error)
	// ConfigurationChanged returns a channel that is signalled when the revision
	// may have changed. It may miss changes by other processes.
	ConfigurationChanged() <-chan struct{}
	Configuration(ctx context.Context) (Configuration, error)

	// InsertConnector returns ErrExists if the id is taken.
	InsertConnector(ctx context.Context, c StoredConnector, change Change) error
	// UpdateConnector replaces the connector with the same id and the version
	// before c.Version. It returns ErrNotFound or ErrChanged.
	UpdateConnector(ctx context.Context, c StoredConnector, change Change) error
	// DeleteConnector deletes the connector if it has the version; 0 means any. It
	// returns ErrNotFound or ErrChanged.
	DeleteConnector(ctx context.Context, id string, version int64, change Change) error

	// PutTemplates inserts templates, or replaces the details of those with the
	// same language and type, whose ids and creation times stay. It returns them as
	// each is stored, in the order given.
	PutTemplates(ctx context.Context, list []EmailTemplate, change Change) ([]EmailTemplate, error)
	// UpdateTemplate replaces the details of the template with the same id and the
	// version before t.Version. It returns ErrNotFound or ErrChanged.
	UpdateTemplate(ctx context.Context, t EmailTemplate, change Change) error
	// DeleteTemplate returns ErrNotFound if there is no such template.
	DeleteTemplate(ctx context.Context, id string, change Change) error
	// DeleteTemplates returns how many it deleted. Without any, nothing changes.
	DeleteTemplates(ctx context.Context, f TemplateFilter, change Change) (int, error)

	// Changes returns the audit trail, newest first: at most limit entries, older
	// than the one with the id before, if given.
	Changes(ctx context.Context, before string, limit int) ([]Change, error)
}

func (r *Registry) pollState(ctx context.Context) {
	err := r.refresh(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil && !r.failing:
		r.opts.Log.ErrorContext(ctx, "cannot read connectors from the state, those loaded last stay active", "error", err)
	case err == nil && r.failing:
		r.opts.Log.InfoContext(ctx, "connectors in the state can be read again")
	}
	r.failing = err != nil
}

// refresh reads the state if its revision has changed, and activates what is new.
func (r *Registry) refresh(ctx context.Context) error {
	r.storeMu.Lock()
	defer r.storeMu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	revision, err := r.opts.Store.Revision(ctx)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if revision == r.revision {
		return nil
	}
	c, err := r.opts.Store.Configuration(ctx)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	stored := make(map[string]*loaded, len(c.Connectors))
	for _, s := range c.Connectors {
		stored[s.ID] = r.loadStored(ctx, s, r.stored[s.ID])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.revision, r.stored = c.Revision, stored
	if !reflect.DeepEqual(r.templates, c.Templates) {
		r.templates, r.shared = c.Templates, r.sharedTemplates(ctx, c.Templates)
		r.active = nil // every connector composes with them
	}
	r.activate(ctx)
	return nil
}

// loadStored loads a stored connector, unless it is as it was. It was valid when
// it was stored; the rules may be others now.
func (r *Registry) loadStored(ctx context.Context, stored StoredConnector, former *loaded) *loaded {
	if former != nil && former.Version == stored.Version && former.Created.Equal(stored.Created) && bytes.Equal(former.text, stored.Config) {
		return former
	}
	cfg, report := connector.Check(stored.Config, r.parseOptions())
	l := r.load(Connector{StoredConnector: stored, Source: FromState}, stored.Config, cfg, report, former)
	for _, p := range l.Problems {
		r.opts.Log.LogAttrs(ctx, slog.LevelError, "stored connector is not active", append(place(p), slog.String("connector", stored.ID))...)
	}
	return l
}

func (r *Registry) sharedTemplates(ctx context.Context, list []EmailTemplate) []connector.EmailTemplate {
	shared := make([]connector.EmailTemplate, 0, len(list))
	for _, t := range list {
		s := connector.EmailTemplate{ID: t.ID}
		if err := json.Unmarshal(t.Details, &s.Template); err != nil {
			r.opts.Log.ErrorContext(ctx, "stored email template is not active: its details are not valid", "template", t.ID)
			continue
		}
		s.UsageType, s.LanguageTag = t.TemplateType, t.LanguageTag
		shared = append(shared, s)
	}
	return shared
}
