package registry

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// A StoredConnector is a connector as the state keeps it.
type StoredConnector struct {
	ID                 string
	Version            int64           // 1, and one more with every change
	Config             json.RawMessage // the connector's JSON, secrets included; the keeper seals it
	Metadata           json.RawMessage // Logto's: an object that is kept and handed back
	SyncProfile        bool            // Logto's, likewise
	EnableTokenStorage bool            // Logto's, likewise
	Created, Updated   time.Time
}

// An EmailTemplate is a template by language and usage type that serves every
// connector, in Logto's shape.
type EmailTemplate struct {
	ID           string          `json:"id"`
	LanguageTag  string          `json:"languageTag"`
	TemplateType string          `json:"templateType"`
	Details      json.RawMessage `json:"details"` // {subject, content, contentType?, replyTo?, sendFrom?}
	Version      int64           `json:"-"`
	Created      time.Time       `json:"-"`
}

// A TemplateFilter chooses email templates. Empty fields choose all.
type TemplateFilter struct{ LanguageTag, TemplateType string }

// A Configuration is all that the state has of connectors and email templates, as
// of one revision.
type Configuration struct {
	Revision   int64
	Connectors []StoredConnector // by id
	Templates  []EmailTemplate   // by language and type
}

// A Change is one line of the audit trail. It holds no secret.
type Change struct {
	ID      string          `json:"id"` // a UUID of version 7
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor"`   // whose token it was, never the token
	Action  string          `json:"action"`  // such as "connector.update"
	Subject string          `json:"subject"` // the id of what was changed
	Detail  json.RawMessage `json:"detail,omitempty"`
}

// What a [Keeper]'s errors may wrap.
var (
	ErrNotFound = errors.New("there is none of that id")
	ErrExists   = errors.New("there is one of that id already")
	ErrChanged  = errors.New("it was changed meanwhile")
)

// A Keeper is the state's part that holds the configuration. A change, its line
// in the audit trail and the new revision are one step; the keeper sets the
// change's ID and At.
type Keeper interface {
	// Revision changes with every change of the configuration, by any process.
	Revision(ctx context.Context) (int64, error)
	// ConfigurationChanged returns a channel that is signalled when the revision
	// may have changed. It may miss changes of other processes.
	ConfigurationChanged() <-chan struct{}
	Configuration(ctx context.Context) (Configuration, error)

	// InsertConnector returns ErrExists if the id is taken.
	InsertConnector(ctx context.Context, c StoredConnector, change Change) error
	// UpdateConnector replaces the connector of that id and of the version before
	// c.Version. It returns ErrNotFound or ErrChanged.
	UpdateConnector(ctx context.Context, c StoredConnector, change Change) error
	// DeleteConnector deletes the connector if it has that version; 0 is any.
	DeleteConnector(ctx context.Context, id string, version int64, change Change) error

	// PutTemplates inserts the templates, or replaces the details of those of the
	// same language and type, whose ids and creation times stay. It returns them as
	// they are then, in the order given.
	PutTemplates(ctx context.Context, list []EmailTemplate, change Change) ([]EmailTemplate, error)
	// UpdateTemplate replaces the details of the template of that id and of the
	// version before t.Version. It returns ErrNotFound or ErrChanged.
	UpdateTemplate(ctx context.Context, t EmailTemplate, change Change) error
	DeleteTemplate(ctx context.Context, id string, change Change) error
	// DeleteTemplates returns how many there were.
	DeleteTemplates(ctx context.Context, f TemplateFilter, change Change) (int, error)

	// Changes returns the audit trail from the newest on, at most limit of those
	// before the id, if any.
	Changes(ctx context.Context, before string, limit int) ([]Change, error)
}
