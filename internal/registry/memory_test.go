package registry_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"

	"dmconnector/internal/registry"
)

// memory is a store as simple as it can be.
type memory struct {
	mu         sync.Mutex
	revision   int64
	reads      int
	connectors map[string]registry.StoredConnector
	templates  []registry.EmailTemplate
	changes    []registry.Change
	failing    bool
	between    func()        // what another process does before a change
	signal     chan struct{} // nil: it only polls
}

func newMemory() *memory { return &memory{connectors: map[string]registry.StoredConnector{}} }

var errDown = errors.New("the database is down")

func (m *memory) Revision(ctx context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		return 0, errDown
	}
	return m.revision, ctx.Err()
}

func (m *memory) ConfigurationChanged() <-chan struct{} { return m.signal }

func (m *memory) Configuration(context.Context) (registry.Configuration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		return registry.Configuration{}, errDown
	}
	m.reads++
	c := registry.Configuration{Revision: m.revision, Templates: slices.SortedFunc(slices.Values(m.templates), func(a, b registry.EmailTemplate) int {
		return cmp.Or(cmp.Compare(a.LanguageTag, b.LanguageTag), cmp.Compare(a.TemplateType, b.TemplateType))
	})}
	for _, stored := range m.connectors {
		c.Connectors = append(c.Connectors, stored)
	}
	return c, nil
}

// change makes a change, unless it returns an error.
func (m *memory) change(change registry.Change, apply func() error) error {
	if m.between != nil {
		m.between()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		return errDown
	}
	if err := apply(); err != nil {
		return err
	}
	m.revision++
	change.ID = strconv.FormatInt(m.revision, 10)
	m.changes = append(m.changes, change)
	return nil
}

func (m *memory) fail(failing bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = failing
}

func (m *memory) InsertConnector(_ context.Context, c registry.StoredConnector, change registry.Change) error {
	return m.change(change, func() error {
		if _, taken := m.connectors[c.ID]; taken {
			return registry.ErrExists
		}
		m.connectors[c.ID] = c
		return nil
	})
}

func (m *memory) UpdateConnector(_ context.Context, c registry.StoredConnector, change registry.Change) error {
	return m.change(change, func() error {
		former, ok := m.connectors[c.ID]
		switch {
		case !ok:
			return registry.ErrNotFound
		case former.Version != c.Version-1:
			return registry.ErrChanged
		}
		m.connectors[c.ID] = c
		return nil
	})
}

func (m *memory) DeleteConnector(_ context.Context, id string, version int64, change registry.Change) error {
	return m.change(change, func() error {
		former, ok := m.connectors[id]
		switch {
		case !ok:
			return registry.ErrNotFound
		case version != 0 && former.Version != version:
			return registry.ErrChanged
		}
		delete(m.connectors, id)
		return nil
	})
}

func (m *memory) PutTemplates(_ context.Context, list []registry.EmailTemplate, change registry.Change) ([]registry.EmailTemplate, error) {
	stored := slices.Clone(list)
	err := m.change(change, func() error {
		for i, t := range list {
			at := slices.IndexFunc(m.templates, func(o registry.EmailTemplate) bool {
				return o.LanguageTag == t.LanguageTag && o.TemplateType == t.TemplateType
			})
			if at < 0 {
				m.templates = append(m.templates, t)
				continue
			}
			m.templates[at].Details = t.Details
			m.templates[at].Version++
			stored[i] = m.templates[at]
		}
		return nil
	})
	return stored, err
}

func (m *memory) find(id string) int {
	return slices.IndexFunc(m.templates, func(t registry.EmailTemplate) bool { return t.ID == id })
}

func (m *memory) UpdateTemplate(_ context.Context, t registry.EmailTemplate, change registry.Change) error {
	return m.change(change, func() error {
		at := m.find(t.ID)
		switch {
		case at < 0:
			return registry.ErrNotFound
		case m.templates[at].Version != t.Version-1:
			return registry.ErrChanged
		}
		m.templates[at] = t
		return nil
	})
}

func (m *memory) DeleteTemplate(_ context.Context, id string, change registry.Change) error {
	return m.change(change, func() error {
		at := m.find(id)
		if at < 0 {
			return registry.ErrNotFound
		}
		m.templates = slices.Delete(m.templates, at, at+1)
		return nil
	})
}

func (m *memory) DeleteTemplates(_ context.Context, f registry.TemplateFilter, change registry.Change) (int, error) {
	before := len(m.templates)
	err := m.change(change, func() error {
		m.templates = slices.DeleteFunc(m.templates, func(t registry.EmailTemplate) bool {
			return (f.LanguageTag == "" || f.LanguageTag == t.LanguageTag) && (f.TemplateType == "" || f.TemplateType == t.TemplateType)
		})
		return nil
	})
	return before - len(m.templates), err
}

func (m *memory) Changes(context.Context, string, int) ([]registry.Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing {
		return nil, errDown
	}
	changes := slices.Clone(m.changes)
	slices.Reverse(changes)
	return changes, nil
}
