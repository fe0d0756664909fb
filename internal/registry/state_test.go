package registry_test

import (
	"context"
	"sync"
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

// others runs the test on a clock of its own: a registry without files that keeps
// up to date.
func others(t *testing.T, test func(t *testing.T, s *stage)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.keeper.put(t, "a", 1, connectorJSON("A"))
		s.load()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		test(t, s)
		cancel()
		running.Wait()
	})
}

func pass(d time.Duration) {
	<-time.After(d) // on the test's own clock
	synctest.Wait()
}

func TestOthersChangesAreSeenByPolling(t *testing.T) {
	others(t, func(t *testing.T, s *stage) {
		before := s.inForce()
		s.keeper.put(t, "b", 1, connectorJSON("B"))
		if pass(2 * time.Second); s.aliases() != "a=A b=B" || s.inForce()["a"] != before["a"] {
			t.Errorf("in force: %q", s.aliases())
		}
		s.keeper.put(t, "a", 2, connectorJSON("A2"))
		if pass(2 * time.Second); s.aliases() != "a=A2 b=B" {
			t.Errorf("in force: %q", s.aliases())
		}
		must(t, s.keeper.DeleteConnector(t.Context(), "a", 0, registry.Change{}))
		if pass(2 * time.Second); s.aliases() != "b=B" {
			t.Errorf("in force: %q", s.aliases())
		}
		if pass(time.Minute); s.applications() != 4 || s.keeper.reads != 4 {
			t.Errorf("applied %d times, read %d times", s.applications(), s.keeper.reads)
		}
	})
}

func TestOthersChangesAreSeenWhenSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.keeper.signal = make(chan struct{}, 1)
		s.load()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		s.keeper.put(t, "a", 1, connectorJSON("A"))
		s.keeper.signal <- struct{}{}
		if synctest.Wait(); s.aliases() != "a=A" {
			t.Errorf("in force: %q", s.aliases())
		}
		close(s.keeper.signal) // then only the poll is left
		s.keeper.put(t, "a", 2, connectorJSON("A2"))
		if pass(2 * time.Second); s.aliases() != "a=A2" {
			t.Errorf("in force: %q", s.aliases())
		}
		cancel()
		running.Wait()
	})
}

func TestStateThatFailsKeepsWhatIsInForce(t *testing.T) {
	others(t, func(t *testing.T, s *stage) {
		s.keeper.fail(true)
		pass(10 * time.Second)
		if s.aliases() != "a=A" || s.logged("what was in force stays") != 1 || len(s.Connectors()) != 1 {
			t.Errorf("in force: %q, log\n%s", s.aliases(), s.log.String())
		}
		s.keeper.fail(false)
		s.keeper.put(t, "a", 2, connectorJSON("A2"))
		pass(2 * time.Second)
		s.keeper.fail(true)
		pass(2 * time.Second)
		if s.aliases() != "a=A2" || s.logged("can be read again") != 1 || s.logged("what was in force stays") != 2 {
			t.Errorf("in force: %q, log\n%s", s.aliases(), s.log.String())
		}
	})
}

func TestStoredConnectorThatIsInvalidNow(t *testing.T) {
	s := newStage(t, nil)
	s.keeper.put(t, "a", 1, connectorJSON("A", `"endpoint": "https://dm.example.com"`))
	s.keeper.put(t, "b", 1, connectorJSON("B"))
	s.load()
	if s.aliases() != "b=B" || s.logged("stored connector is not in force") != 1 || s.logged(secret) != 0 {
		t.Errorf("in force: %q, log\n%s", s.aliases(), s.log.String())
	}
	c, ok := s.Connector("a")
	if !ok || c.InForce || c.Source != registry.FromState || pointers(c.Problems) != "/endpoint" {
		t.Errorf("%+v", c)
	}
	fixed, err := s.Update(t.Context(), "admin", "a", 0, registry.Patch{Config: decode(t, connectorJSON("A2"))})
	if err != nil || !fixed.InForce || len(fixed.Problems) != 0 || s.aliases() != "a=A2 b=B" {
		t.Errorf("%+v, %v", fixed, err)
	}
}

func TestFileBeatsStoredConnector(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("File"))
	s.keeper.put(t, "a", 1, connectorJSON("Stored"))
	s.keeper.put(t, "b", 1, connectorJSON("B"))
	s.load()
	s.Reload(t.Context())
	if c, _ := s.Connector("a"); c.Source != registry.FromFile || s.aliases() != "a=File b=B" || len(s.Connectors()) != 2 {
		t.Errorf("%+v, in force %q", c, s.aliases())
	}
	s.keeper.put(t, "b", 2, connectorJSON("B2"))
	if err := s.Delete(t.Context(), "admin", "b", 2); err != nil {
		t.Fatal(err)
	}
	if n := s.logged("a file has its id"); n != 1 {
		t.Errorf("%d warnings", n)
	}

	// A file that was never good does not take the place of one that works.
	s.write("c.json", "{")
	s.keeper.put(t, "c", 1, connectorJSON("C"))
	s.Reload(t.Context())
	if _, err := s.Update(t.Context(), "admin", "c", 1, registry.Patch{Metadata: map[string]any{"x": "y"}}); err != nil || s.aliases() != "a=File c=C" {
		t.Errorf("%v, in force %q", err, s.aliases())
	}
	s.write("c.json", connectorJSON("CFile"))
	if s.Reload(t.Context()); s.aliases() != "a=File c=CFile" {
		t.Errorf("in force %q", s.aliases())
	}
	// With its file gone, the stored one is in force again.
	must(t, errorsOf(removed(s, "c.json")))
	if s.Reload(t.Context()); s.aliases() != "a=File c=C" {
		t.Errorf("in force %q", s.aliases())
	}
}

func TestEmailTemplatesReachEveryConnector(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.keeper.put(t, "b", 1, connectorJSON("B"))
	s.load()
	before := s.inForce()
	put, err := s.PutTemplates(t.Context(), "admin", []registry.EmailTemplate{
		{LanguageTag: "ja", TemplateType: "SignIn", Details: []byte(`{"subject": "ja {{code}}", "content": "x", "contentType": "text/plain"}`)},
	})
	must(t, err)
	for id, c := range s.inForce() {
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
	if mail, _, err := s.inForce()["a"].Composer.Compose(messageIn("ja")); err != nil || mail.Subject != "new 1" {
		t.Errorf("%+v, %v", mail, err)
	}
	now := s.inForce()
	s.keeper.put(t, "c", 1, connectorJSON("C"))
	_, err = s.Create(t.Context(), "admin", registry.Draft{ID: "d", Config: decode(t, connectorJSON("D"))})
	if must(t, err); s.inForce()["a"] != now["a"] {
		t.Error("a connector was made anew without need")
	}
}
