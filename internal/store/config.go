package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dmconnector/internal/registry"
)

// configure runs a step that changes the configuration: the change, its line in
// the audit trail and the new revision are one transaction.
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

// Revision is the configuration's. See [registry.Keeper].
func (s *Store) Revision(ctx context.Context) (int64, error) {
	var number int64
	err := s.engine.read(ctx, func(t *tx) error {
		n, err := revision(t)
		number = n
		return err
	})
	if err != nil {
		return 0, err
	}
	return number, nil
}

func revision(t *tx) (number int64, err error) {
	err = t.row(`SELECT number FROM revision WHERE name = 'configuration'`).Scan(&number)
	return number, err
}

// Configuration returns all connectors and email templates. See
// [registry.Keeper].
func (s *Store) Configuration(ctx context.Context) (registry.Configuration, error) {
	var read registry.Configuration
	err := s.engine.snapshot(ctx, func(t *tx) error {
		c, err := configuration(t)
		read = c
		return err
	})
	if err != nil {
		return registry.Configuration{}, err
	}
	for i := range read.Connectors {
		c := &read.Connectors[i]
		text, err := s.ring.Open(connectorPurpose(c.ID), c.Config)
		if err != nil {
			return registry.Configuration{}, fmt.Errorf("open connector %s: %w", c.ID, err)
		}
		c.Config = text
	}
	return read, nil
}

// configuration reads everything, connectors still sealed.
func configuration(t *tx) (c registry.Configuration, err error) {
	if c.Revision, err = revision(t); err != nil {
		return c, err
	}
	if c.Connectors, err = connectors(t); err != nil {
		return c, err
	}
	c.Templates, err = emailTemplates(t)
	return c, err
}

// connectorPurpose binds a sealed connector to its row.
func connectorPurpose(id string) string { return "connector/" + id }

func connectors(t *tx) ([]registry.StoredConnector, error) {
	var list []registry.StoredConnector
	err := t.each(func(rows *sql.Rows) error {
		var (
			c                registry.StoredConnector
			sealed           []byte
			metadata         string
			sync, tokens     int
			created, updated int64
		)
		err := rows.Scan(&c.ID, &c.Version, &sealed, &metadata, &sync, &tokens, &created, &updated)
		c.Config, c.Metadata = sealed, json.RawMessage(metadata)
		c.SyncProfile, c.EnableTokenStorage = sync == 1, tokens == 1
		c.Created, c.Updated = fromMicros(created), fromMicros(updated)
		list = append(list, c)
		return err
	}, `SELECT id, version, config, metadata, sync_profile, enable_token_storage, created_at, updated_at FROM connector`)
	// Databases differ in how they order text.
	slices.SortFunc(list, func(a, b registry.StoredConnector) int { return cmp.Compare(a.ID, b.ID) })
	return list, err
}

// connectorRow is what can change of a connector, after its id and version.
func (s *Store) connectorRow(c *registry.StoredConnector) []any {
	metadata := cmp.Or(string(c.Metadata), "{}")
	return []any{
		s.ring.Seal(connectorPurpose(c.ID), c.Config), metadata, number(c.SyncProfile), number(c.EnableTokenStorage), micros(c.Updated),
	}
}

// InsertConnector adds a connector, as of version 1. See [registry.Keeper].
func (s *Store) InsertConnector(ctx context.Context, c registry.StoredConnector, change registry.Change) error {
	row := append([]any{c.ID, 1}, s.connectorRow(&c)...)
	row = append(row, micros(c.Created))
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		inserted, err := t.exec(`
INSERT INTO connector (id, version, config, metadata, sync_profile, enable_token_storage, updated_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`, row...)
		if err == nil && inserted == 0 {
			return registry.ErrExists
		}
		return err
	})
}

// UpdateConnector replaces a connector. See [registry.Keeper].
func (s *Store) UpdateConnector(ctx context.Context, c registry.StoredConnector, change registry.Change) error {
	row := append([]any{c.ID, c.Version}, s.connectorRow(&c)...)
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		updated, err := t.exec(`
UPDATE connector SET version = $2, config = $3, metadata = $4, sync_profile = $5, enable_token_storage = $6, updated_at = $7
WHERE id = $1 AND version = $2 - 1`, row...)
		if err == nil && updated == 0 {
			return missed(t, `SELECT count(*) FROM connector WHERE id = $1`, c.ID)
		}
		return err
	})
}

// DeleteConnector deletes a connector. See [registry.Keeper].
func (s *Store) DeleteConnector(ctx context.Context, id string, version int64, change registry.Change) error {
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		deleted, err := t.exec(`DELETE FROM connector WHERE id = $1 AND (version = $2 OR $2 = 0)`, id, version)
		if err == nil && deleted == 0 {
			return missed(t, `SELECT count(*) FROM connector WHERE id = $1`, id)
		}
		return err
	})
}

// missed says why a row of an id and version could not be changed. count tells
// whether the id is there.
func missed(t *tx, count, id string) error {
	var n int
	if err := t.row(count, id).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return registry.ErrNotFound
	}
	return registry.ErrChanged
}

const templateColumns = `SELECT id, language_tag, template_type, details, version, created_at FROM email_template `

func scanTemplate(row interface{ Scan(...any) error }) (registry.EmailTemplate, error) {
	var (
		e       registry.EmailTemplate
		details string
		created int64
	)
	err := row.Scan(&e.ID, &e.LanguageTag, &e.TemplateType, &details, &e.Version, &created)
	e.Details, e.Created = json.RawMessage(details), fromMicros(created)
	return e, err
}

func emailTemplates(t *tx) ([]registry.EmailTemplate, error) {
	var list []registry.EmailTemplate
	err := t.each(func(rows *sql.Rows) error {
		e, err := scanTemplate(rows)
		list = append(list, e)
		return err
	}, templateColumns)
	slices.SortFunc(list, func(a, b registry.EmailTemplate) int {
		return cmp.Or(cmp.Compare(a.LanguageTag, b.LanguageTag), cmp.Compare(a.TemplateType, b.TemplateType))
	})
	return list, err
}

// PutTemplates inserts or replaces email templates. See [registry.Keeper].
func (s *Store) PutTemplates(ctx context.Context, list []registry.EmailTemplate, change registry.Change) ([]registry.EmailTemplate, error) {
	var result []registry.EmailTemplate
	err := s.configure(ctx, change, func(t *tx, _ time.Time) error {
		put, err := putTemplates(t, list)
		result = put
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// putTemplates reads the templates back when all are in place: the list may name
// one twice.
func putTemplates(t *tx, list []registry.EmailTemplate) ([]registry.EmailTemplate, error) {
	for _, e := range list {
		_, err := t.exec(`
INSERT INTO email_template (id, language_tag, template_type, details, version, created_at) VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT (language_tag, template_type) DO UPDATE SET details = excluded.details, version = email_template.version + 1`,
			e.ID, e.LanguageTag, e.TemplateType, string(e.Details), micros(e.Created))
		if err != nil {
			return nil, err
		}
	}
	result := make([]registry.EmailTemplate, len(list))
	for i, e := range list {
		var err error
		result[i], err = scanTemplate(t.row(templateColumns+`WHERE language_tag = $1 AND template_type = $2`, e.LanguageTag, e.TemplateType))
		if err != nil {
			return nil, err
		}
	}
	return result, nil
}

// UpdateTemplate replaces the details of an email template. See
// [registry.Keeper].
func (s *Store) UpdateTemplate(ctx context.Context, e registry.EmailTemplate, change registry.Change) error {
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		updated, err := t.exec(`UPDATE email_template SET details = $3, version = $2 WHERE id = $1 AND version = $2 - 1`,
			e.ID, e.Version, string(e.Details))
		if err == nil && updated == 0 {
			return missed(t, `SELECT count(*) FROM email_template WHERE id = $1`, e.ID)
		}
		return err
	})
}

// DeleteTemplate deletes an email template. See [registry.Keeper].
func (s *Store) DeleteTemplate(ctx context.Context, id string, change registry.Change) error {
	return s.configure(ctx, change, func(t *tx, _ time.Time) error {
		deleted, err := t.exec(`DELETE FROM email_template WHERE id = $1`, id)
		if err == nil && deleted == 0 {
			return registry.ErrNotFound
		}
		return err
	})
}

// DeleteTemplates deletes the email templates that the filter chooses. If there
// are none, nothing has changed. See [registry.Keeper].
func (s *Store) DeleteTemplates(ctx context.Context, f registry.TemplateFilter, change registry.Change) (int, error) {
	var count int64
	err := s.configure(ctx, change, func(t *tx, _ time.Time) error {
		n, err := t.exec(`DELETE FROM email_template WHERE ($1 = '' OR language_tag = $1) AND ($2 = '' OR template_type = $2)`,
			f.LanguageTag, f.TemplateType)
		if err == nil && n == 0 {
			return registry.ErrNotFound
		}
		count = n
		return err
	})
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err // count may still be written
	}
	return int(count), nil
}

// Changes returns the audit trail. See [registry.Keeper].
func (s *Store) Changes(ctx context.Context, before string, limit int) ([]registry.Change, error) {
	var list []registry.Change
	err := s.engine.read(ctx, func(t *tx) error {
		read := make([]registry.Change, 0, limit)
		err := t.each(func(rows *sql.Rows) error {
			c, err := scanChange(rows)
			read = append(read, c)
			return err
		}, `SELECT id, at, actor, action, subject, detail FROM audit WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
		list = read
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func scanChange(rows *sql.Rows) (registry.Change, error) {
	var (
		c      registry.Change
		at     int64
		detail string
	)
	err := rows.Scan(&c.ID, &at, &c.Actor, &c.Action, &c.Subject, &detail)
	c.At = fromMicros(at)
	if detail != noDetail {
		c.Detail = json.RawMessage(detail)
	}
	return c, err
}
