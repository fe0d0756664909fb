package registry_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/internal/registry"
)

// put has another process store connectors, by id and alias.
func (m *memory) put(t testing.TB, id string, version int64, config string) {
	t.Helper()
	stored := registry.StoredConnector{ID: id, Version: version, Config: []byte(config), Metadata: []byte("{}")}
	must(t, m.change(registry.Change{}, func() error { m.connectors[id] = stored; return nil }))
}

func hasA(s *stage) { s.store.put(s.t, "a", 1, connectorJSON("A")) }

func TestOthersChangesAreSeenByPolling(t *testing.T) {
	polling(t, nil, hasA, func(s *stage) {
		before := s.active()
		s.store.put(t, "b", 1, connectorJSON("B"))
		if pass(2 * time.Second); s.aliases() != "a=A b=B" || s.active()["a"] != before["a"] {
			t.Errorf("active: %q", s.aliases())
		}
		s.store.put(t, "a", 2, connectorJSON("A2"))
		if pass(2 * time.Second); s.aliases() != "a=A2 b=B" {
			t.Errorf("active: %q", s.aliases())
		}
		must(t, s.store.DeleteConnector(t.Context(), "a", 0, registry.Change{}))
		if pass(2 * time.Second); s.aliases() != "b=B" {
			t.Errorf("active: %q", s.aliases())
		}
		if pass(time.Minute); s.applications() != 4 || s.store.reads != 4 {
			t.Errorf("applied %d times, read %d times", s.applications(), s.store.reads)
		}
	})
}

func TestOthersChangesAreSeenWhenSignalled(t *testing.T) {
	polling(t, nil, func(s *stage) { s.store.signal = make(chan struct{}, 1) }, func(s *stage) {
		s.store.put(t, "a", 1, connectorJSON("A"))
		s.store.signal <- struct{}{}
		if synctest.Wait(); s.aliases() != "a=A" {
			t.Errorf("active: %q", s.aliases())
		}
		close(s.store.signal) // then only the poll is left
		s.store.put(t, "a", 2, connectorJSON("A2"))
		if pass(2 * time.Second); s.aliases() != "a=A2" {
			t.Errorf("active: %q", s.aliases())
		}
	})
}

func TestStateThatFailsLeavesConnectorsActive(t *testing.T) {
	polling(t, nil, hasA, func(s *stage) {
		s.store.fail(true)
		pass(10 * time.Second)
		if s.aliases() != "a=A" || s.logged("those loaded last stay active") != 1 || len(s.Connectors()) != 1 {
			t.Errorf("active: %q, log\n%s", s.aliases(), s.log.String())
		}
		s.store.fail(false)
		s.store.put(t, "a", 2, connectorJSON("A2"))
		pass(2 * time.Second)
		s.store.fail(true)
		pass(2 * time.Second)
		if s.aliases() != "a=A2" || s.logged("can be read again") != 1 || s.logged("those loaded last stay active") != 2 {
			t.Errorf("active: %q, log\n%s", s.aliases(), s.log.String())
		}
	})
}

func TestStoredConnectorThatIsInvalidNow(t *testing.T) {
	s := newStage(t, nil)
	s.store.put(t, "a", 1, connectorJSON("A", `"endpoint": "https://dm.example.com"`))
	s.store.put(t, "b", 1, connectorJSON("B"))
	s.load()
	if s.aliases() != "b=B" || s.logged("stored connector is not active") != 1 || s.logged(secret) != 0 {
		t.Errorf("active: %q, log\n%s", s.aliases(), s.log.String())
	}
	c, ok := s.Connector("a")
	if !ok || c.Active || c.Source != registry.FromState || pointers(c.Problems) != "/endpoint" {
		t.Errorf("%+v", c)
	}
	fixed, err := s.Update(t.Context(), "admin", "a", 0, registry.Patch{Config: decode(t, connectorJSON("A2"))})
	if err != nil || !fixed.Active || len(fixed.Problems) != 0 || s.aliases() != "a=A2 b=B" {
		t.Errorf("%+v, %v", fixed, err)
	}
}

func TestFileBeatsStoredConnector(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("File"))
	s.store.put(t, "a", 1, connectorJSON("Stored"))
	s.store.put(t, "b", 1, connectorJSON("B"))
	s.load()
	s.Reload(t.Context())
	if c, _ := s.Connector("a"); c.Source != registry.FromFile || s.aliases() != "a=File b=B" || len(s.Connectors()) != 2 {
		t.Errorf("%+v, active %q", c, s.aliases())
	}
	s.store.put(t, "b", 2, connectorJSON("B2"))
	if err := s.Delete(t.Context(), "admin", "b", 2); err != nil {
		t.Fatal(err)
	}
	if n := s.logged("a file has the same id"); n != 1 {
		t.Errorf("%d warnings", n)
	}

	// A file that was never good does not take the place of one that works.
	s.write("c.json", "{")
	s.store.put(t, "c", 1, connectorJSON("C"))
	s.Reload(t.Context())
	if _, err := s.Update(t.Context(), "admin", "c", 1, registry.Patch{Metadata: map[string]any{"x": "y"}}); err != nil || s.aliases() != "a=File c=C" {
		t.Errorf("%v, active %q", err, s.aliases())
	}
	s.write("c.json", connectorJSON("CFile"))
	if s.Reload(t.Context()); s.aliases() != "a=File c=CFile" {
		t.Errorf("active %q", s.aliases())
	}
	// With its file gone, the stored one is active again.
	must(t, os.Remove(s.path("c.json")))
	s.Reload(t.Context())
	if s.Reload(t.Context()); s.aliases() != "a=File c=C" {
		t.Errorf("active %q", s.aliases())
	}
}

func TestEmailTemplatesReachEveryConnector(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.store.put(t, "b", 1, connectorJSON("B"))
	s.load()
	before := s.active()
	put, err := s.PutTemplates(t.Context(), "admin", []registry.EmailTemplate{
		{LanguageTag: "ja", TemplateType: "SignIn", Details: []byte(`{"subject": "ja {{code}}", "content": "x", "contentType": "text/plain"}`)},
	})
	must(t, err)
	for id, c := range s.active() {
		if c.Composer == before[id].Composer || c.Sender != before[id].Sender {
			t.Errorf("%s: the composer is the old one, or the sender a new one", id)
		}
		mail, trace, err := c.Composer.Compose(messageIn("ja"))
		if err != nil || mail.Subject != "ja 1" || mail.TextBody != "x" || trace.EmailTemplate != put[0].ID {
			t.Errorf("%s: %+v, %+v, %v", id, mail, trace, err)
		}
	}
	_, err = s.PatchTemplate(t.Context(), "admin", put[0].ID, 0, map[string]any{"subject": "new {{code}}"})
	must(t, err)
	if mail, _, err := s.active()["a"].Composer.Compose(messageIn("ja")); err != nil || mail.Subject != "new 1" {
		t.Errorf("%+v, %v", mail, err)
	}
	now := s.active()
	s.store.put(t, "c", 1, connectorJSON("C"))
	_, err = s.Create(t.Context(), "admin", "d", registry.Patch{Config: decode(t, connectorJSON("D"))})
	if must(t, err); s.active()["a"] != now["a"] {
		t.Error("a connector was made anew without need")
	}
}
