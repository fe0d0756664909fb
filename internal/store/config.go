package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"dmconnector/internal/registry"
)

// configure changes the configuration: the step, its entry in the audit trail and
// the new revision are one transaction.
func (s *Store) configure(ctx context.Context, c registry.Change, step func(t *tx, now time.Time) error) error {
	now := s.engine.now()
	return s.write(ctx, func(t *tx) error {
		if err := step(t, now); err != nil {
			return err
		}
		if err := audit(t, c, now); err != nil {
			return err
		}
		return configurationChanged(t)
	})
}

func change(by, action, subject string) registry.Change {
	return registry.Change{Actor: by, Action: action, Subject: subject}
}

// noDetail is stored for a change without details.
const noDetail = "null"

// audit adds an entry to the audit trail.
func audit(t *tx, c registry.Change, now time.Time) error {
	detail := cmp.Or(string(c.Detail), noDetail)
	_, err := t.exec(`INSERT INTO audit (id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)`,
		uuid.Must(uuid.NewV7()).String(), micros(now), c.Actor, c.Action, c.Subject, detail)
	return err
}

// configurationChanged increments the revision, and tells every process.
func configurationChanged(t *tx) error {
	t.signal(topicConfiguration)
	_, err := t.exec(`UPDATE revision SET number = number + 1 WHERE name = 'configuration'`)
	return err
}

// Revision returns the configuration's revision, see [registry.Store].
func (s *Store) Revision(ctx context.Context) (int64, error) {
	return transact(ctx, s.engine.read, revision)
}

func revision(t *tx) (int64, error) {
	return value[int64](t, `SELECT number FROM revision WHERE name = 'configuration'`)
}

// Configuration returns all connectors and email templates, see [registry.Store].
func (s *Store) Configuration(ctx context.Context) (registry.Configuration, error) {
	read, err := transact(ctx, s.engine.snapshot, func(t *tx) (c registry.Configuration, err error) {
		if c.Revision, err = revision(t); err != nil {
			return c, err
		}
		c.Connectors, err = collect(t, scanConnector, `
SELECT id, version, config, metadata, sync_profile, enable_token_storage, created_at, updated_at FROM connector`)
		if err != nil {
			return c, err
		}
		c.Templates, err = collect(t, scanTemplate, `SELECT `+templateColumns+` FROM email_template`)
		return c, err
	})
	if err != nil {
		return read, err
	}
	for i := range read.Connectors {
		c := &read.Connectors[i]
		if c.Config, err = s.ring.Open(connectorPurpose(c.ID), c.Config); err != nil {
			return registry.Configuration{}, fmt.Errorf("open connector %s: %w", c.ID, err)
		}
	}
	// Databases order text differently.
	slices.SortFunc(read.Connectors, func(a, b registry.StoredConnector) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(read.Templates, func(a, b registry.EmailTemplate) int {
		return cmp.Or(cmp.Compare(a.LanguageTag, b.LanguageTag), cmp.Compare(a.TemplateType, b.TemplateType))
	})
	return read, nil
}

// connectorPurpose binds a sealed connector to its row.
func connectorPurpose(id string) string { return "connector/" + id }

// scanConnector leaves the config sealed.
func scanConnector(row scanner) (c registry.StoredConnector, err error) {
	err = row.Scan(&c.ID, &c.Version, (*[]byte)(&c.Config), stored{&c.Metadata}, &c.SyncProfile, &c.EnableTokenStorage, stored{&c.Created}, stored{&c.Updated})
	return c, err
}

// InsertConnector adds a connector as version 1, see [registry.Store].
func (s *Store) InsertConnector(ctx context.Context, c registry.StoredConnector, change registry.Change) error {
	sealed := s.ring.Seal(connectorPurpose(c.ID), c.Config)
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		inserted, err := t.exec(`
INSERT INTO connector (id, version, config, metadata, sync_profile, enable_token_storage, created_at, updated_at)
VALUES ($1, 1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			c.ID, sealed, cmp.Or(string(c.Metadata), "{}"), number(c.SyncProfile), number(c.EnableTokenStorage), micros(c.Created), micros(c.Updated))
		if err == nil && inserted == 0 {
			return registry.ErrExists
		}
		return err
	})
}

// UpdateConnector replaces a connector, see [registry.Store].
func (s *Store) UpdateConnector(ctx context.Context, c registry.StoredConnector, change registry.Change) error {
	sealed := s.ring.Seal(connectorPurpose(c.ID), c.Config)
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		return t.change("connector", c.ID, `
UPDATE connector SET version = $2, config = $3, metadata = $4, sync_profile = $5, enable_token_storage = $6, updated_at = $7
WHERE id = $1 AND version = $2 - 1`,
			c.ID, c.Version, sealed, cmp.Or(string(c.Metadata), "{}"), number(c.SyncProfile), number(c.EnableTokenStorage), micros(c.Updated))
	})
}

// DeleteConnector deletes a connector, see [registry.Store].
func (s *Store) DeleteConnector(ctx context.Context, id string, version int64, change registry.Change) error {
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		return t.change("connector", id, `DELETE FROM connector WHERE id = $1 AND (version = $2 OR $2 = 0)`, id, version)
	})
}

// change changes the row of a table that has the id and what else the statement asks
// for. Without such a row it returns ErrChanged or ErrNotFound of package registry.
func (t *tx) change(table, id, statement string, args ...any) error {
	changed, err := t.exec(statement, args...)
	if err != nil || changed > 0 {
		return err
	}
	n, err := value[int](t, `SELECT count(*) FROM `+table+` WHERE id = $1`, id)
	switch {
	case err != nil:
		return err
	case n == 0:
		return registry.ErrNotFound
	default:
		return registry.ErrChanged
	}
}

const templateColumns = `id, language_tag, template_type, details, version, created_at`

func scanTemplate(row scanner) (e registry.EmailTemplate, err error) {
	err = row.Scan(&e.ID, &e.LanguageTag, &e.TemplateType, stored{&e.Details}, &e.Version, stored{&e.Created})
	return e, err
}

// PutTemplates inserts or replaces email templates, see [registry.Store].
func (s *Store) PutTemplates(ctx context.Context, given []registry.EmailTemplate, change registry.Change) ([]registry.EmailTemplate, error) {
	var put []registry.EmailTemplate
	err := s.configure(ctx, change, func(t *tx, _ time.Time) error {
		list := make([]registry.EmailTemplate, len(given))
		for i, e := range given {
			var err error
			list[i], err = scanTemplate(t.row(`
INSERT INTO email_template (id, language_tag, template_type, details, version, created_at) VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT (language_tag, template_type) DO UPDATE SET details = excluded.details, version = email_template.version + 1
RETURNING `+templateColumns, e.ID, e.LanguageTag, e.TemplateType, string(e.Details), micros(e.Created)))
			if err != nil {
				return err
			}
		}
		put = list
		return nil
	})
	if err != nil {
		return nil, err // the step may still write put
	}
	return put, nil
}

// UpdateTemplate replaces the details of an email template, see [registry.Store].
func (s *Store) UpdateTemplate(ctx context.Context, e registry.EmailTemplate, change registry.Change) error {
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		return t.change("email_template", e.ID, `UPDATE email_template SET details = $3, version = $2 WHERE id = $1 AND version = $2 - 1`,
			e.ID, e.Version, string(e.Details))
	})
}

// DeleteTemplate deletes an email template, see [registry.Store].
func (s *Store) DeleteTemplate(ctx context.Context, id string, change registry.Change) error {
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		return t.change("email_template", id, `DELETE FROM email_template WHERE id = $1`, id)
	})
}

// DeleteTemplates deletes email templates, see [registry.Store].
func (s *Store) DeleteTemplates(ctx context.Context, f registry.TemplateFilter, change registry.Change) (int, error) {
	var count int64
	err := s.configure(ctx, change, func(t *tx, _ time.Time) error {
		n, err := t.exec(`
DELETE FROM email_template WHERE ($1 = '' OR language_tag = $1) AND ($2 = '' OR template_type = $2)`,
			f.LanguageTag, f.TemplateType)
		if err == nil && n == 0 {
			return registry.ErrNotFound // so that nothing has changed
		}
		count = n
		return err
	})
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err // the step may still write count
	}
	return int(count), nil
}

// Changes returns the audit trail, see [registry.Store].
func (s *Store) Changes(ctx context.Context, before string, limit int) ([]registry.Change, error) {
	if !storable(before) {
		return []registry.Change{}, nil
	}
	return transact(ctx, s.engine.read, func(t *tx) ([]registry.Change, error) {
		return collect(t, scanChange, `
SELECT id, at, actor, action, subject, detail FROM audit WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	})
}

func scanChange(row scanner) (c registry.Change, err error) {
	err = row.Scan(&c.ID, stored{&c.At}, &c.Actor, &c.Action, &c.Subject, stored{&c.Detail})
	if string(c.Detail) == noDetail {
		c.Detail = nil
	}
	return c, err
}
