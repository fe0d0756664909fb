//go:build unix

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/registry"
)

var _ registry.Store = (*Store)(nil)

// someTime is as exact as the state is.
func someTime() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC) }

func testConnector(id string) registry.StoredConnector {
	return registry.StoredConnector{
		ID: id, Version: 1, Config: json.RawMessage(`{"accessKeySecret":"hunter2-of-` + id + `"}`),
		Metadata: json.RawMessage(`{"name":{"en":"Mail"}}`), SyncProfile: true, EnableTokenStorage: true,
		Created: someTime(), Updated: someTime(),
	}
}

func testTemplate(id, language, usage string) registry.EmailTemplate {
	return registry.EmailTemplate{
		ID: id, LanguageTag: language, TemplateType: usage, Version: 1, Created: someTime(),
		Details: json.RawMessage(`{"subject":"` + id + `"}`),
	}
}

func mustConfiguration(t *testing.T, s *Store) registry.Configuration {
	t.Helper()
	c, err := s.Configuration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// actions are what the audit trail says, from the oldest on.
func actions(t *testing.T, s *Store) []string {
	t.Helper()
	list, err := s.Changes(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range slices.Backward(list) {
		lines = append(lines, c.Actor+" "+c.Action+" "+c.Subject)
	}
	return lines
}

func TestConnectorsAreKept(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		b, a := testConnector("b"), testConnector("a")
		bare := registry.StoredConnector{ID: "B", Config: json.RawMessage(`{}`), Created: someTime(), Updated: someTime()}
		for _, c := range []registry.StoredConnector{b, a, bare} {
			if err := s.InsertConnector(ctx, c, change("me", "connector.create", c.ID)); err != nil {
				t.Fatal(err)
			}
		}
		bare.Version, bare.Metadata = 1, json.RawMessage(`{}`)
		want := registry.Configuration{Revision: 4, Connectors: []registry.StoredConnector{bare, a, b}, Templates: []registry.EmailTemplate{}}
		if diff := cmp.Diff(want, mustConfiguration(t, s)); diff != "" {
			t.Error(diff)
		}

		b.Version, b.Config, b.SyncProfile = 2, json.RawMessage(`{"x":1}`), false
		b.Updated = someTime().Add(time.Hour)
		if err := s.UpdateConnector(ctx, b, change("me", "connector.update", "b")); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteConnector(ctx, "a", 1, change("me", "connector.delete", "a")); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteConnector(ctx, "B", 0, change("me", "connector.delete", "B")); err != nil {
			t.Fatal(err)
		}
		want = registry.Configuration{Revision: 7, Connectors: []registry.StoredConnector{b}, Templates: []registry.EmailTemplate{}}
		if diff := cmp.Diff(want, mustConfiguration(t, s)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEmailTemplatesAreKept(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		put := func(list ...registry.EmailTemplate) []registry.EmailTemplate {
			t.Helper()
			got, err := s.PutTemplates(ctx, list, change("me", "email-template.put", ""))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		one, two, three := testTemplate("1", "fr", "SignIn"), testTemplate("2", "en", "SignIn"), testTemplate("3", "en", "Register")
		if diff := cmp.Diff([]registry.EmailTemplate{one, two, three}, put(one, two, three)); diff != "" {
			t.Error(diff)
		}

		// The id and the time of the one before stay; of two with the same language and
		// type the later counts.
		again, twice := testTemplate("4", "fr", "SignIn"), testTemplate("5", "fr", "SignIn")
		again.Created = someTime().Add(time.Hour)
		second := one
		second.Version, second.Details = 2, again.Details
		one.Version, one.Details = 3, twice.Details
		if diff := cmp.Diff([]registry.EmailTemplate{second, one}, put(again, twice)); diff != "" {
			t.Error(diff)
		}

		two.Version, two.Details = 2, json.RawMessage(`{"subject":"new"}`)
		if err := s.UpdateTemplate(ctx, two, change("me", "email-template.update", "2")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]registry.EmailTemplate{three, two, one}, mustConfiguration(t, s).Templates); diff != "" {
			t.Error(diff)
		}
		if err := s.DeleteTemplate(ctx, "3", change("me", "email-template.delete", "3")); err != nil {
			t.Fatal(err)
		}
		if got := mustConfiguration(t, s); got.Revision != 5 || len(got.Templates) != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestEmailTemplatesAreDeletedByFilter(t *testing.T) {
	tests := map[string]struct {
		filter registry.TemplateFilter
		left   []string
	}{
		"language":          {registry.TemplateFilter{LanguageTag: "en"}, []string{"3"}},
		"type":              {registry.TemplateFilter{TemplateType: "SignIn"}, []string{"2"}},
		"language and type": {registry.TemplateFilter{LanguageTag: "en", TemplateType: "SignIn"}, []string{"2", "3"}},
		"none":              {registry.TemplateFilter{LanguageTag: "xx"}, []string{"2", "1", "3"}},
		"all":               {registry.TemplateFilter{}, nil},
	}
	list := []registry.EmailTemplate{testTemplate("1", "en", "SignIn"), testTemplate("2", "en", "Register"), testTemplate("3", "fr", "SignIn")}
	onEveryKind(t, func(t *testing.T, s *Store) {
		for name, test := range tests {
			if _, err := s.PutTemplates(t.Context(), list, change("me", "put", "")); err != nil {
				t.Fatal(err)
			}
			revision, trail := mustConfiguration(t, s).Revision, len(actions(t, s))
			n, err := s.DeleteTemplates(t.Context(), test.filter, change("me", "delete", ""))
			if want := 3 - len(test.left); n != want || err != nil {
				t.Errorf("%s: deleted %d, %v; want %d", name, n, err, want)
			}
			c := mustConfiguration(t, s)
			var left []string
			for _, e := range c.Templates {
				left = append(left, e.ID)
			}
			if diff := cmp.Diff(test.left, left); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			// Where nothing was deleted, nothing has changed.
			changed := len(test.left) < 3
			if (c.Revision == revision+1) != changed || (len(actions(t, s)) == trail+1) != changed {
				t.Errorf("%s: revision %d, trail %q", name, c.Revision, actions(t, s))
			}
		}
	})
}

func TestRefusedChangeChangesNothing(t *testing.T) {
	stale, newer, gone := testConnector("a"), testConnector("a"), testConnector("gone")
	stale.Version, newer.Version, gone.Version = 2, 4, 2
	staleTemplate, goneTemplate := testTemplate("1", "en", "SignIn"), testTemplate("gone", "en", "SignIn")
	goneTemplate.Version = 2
	c := change("me", "refused", "")
	tests := map[string]struct {
		do   func(t *testing.T, s *Store) error
		want error
	}{
		"insert what is there": {func(t *testing.T, s *Store) error {
			return s.InsertConnector(t.Context(), testConnector("a"), c)
		}, registry.ErrExists},
		"update of an earlier version": {func(t *testing.T, s *Store) error { return s.UpdateConnector(t.Context(), stale, c) }, registry.ErrChanged},
		"update of a later version":    {func(t *testing.T, s *Store) error { return s.UpdateConnector(t.Context(), newer, c) }, registry.ErrChanged},
		"update of none":               {func(t *testing.T, s *Store) error { return s.UpdateConnector(t.Context(), gone, c) }, registry.ErrNotFound},
		"delete of another version":    {func(t *testing.T, s *Store) error { return s.DeleteConnector(t.Context(), "a", 1, c) }, registry.ErrChanged},
		"delete of none":               {func(t *testing.T, s *Store) error { return s.DeleteConnector(t.Context(), "gone", 0, c) }, registry.ErrNotFound},
		"update of a template's earlier version": {func(t *testing.T, s *Store) error {
			return s.UpdateTemplate(t.Context(), staleTemplate, c)
		}, registry.ErrChanged},
		"update of no template": {func(t *testing.T, s *Store) error { return s.UpdateTemplate(t.Context(), goneTemplate, c) }, registry.ErrNotFound},
		"delete of no template": {func(t *testing.T, s *Store) error { return s.DeleteTemplate(t.Context(), "gone", c) }, registry.ErrNotFound},
		"revoke of no token":    {func(t *testing.T, s *Store) error { return s.RevokeToken(t.Context(), "me", "gone") }, registry.ErrNotFound},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		a := testConnector("a")
		if err := s.InsertConnector(t.Context(), a, c); err != nil {
			t.Fatal(err)
		}
		a.Version = 2
		if err := s.UpdateConnector(t.Context(), a, c); err != nil {
			t.Fatal(err)
		}
		if _, err := s.PutTemplates(t.Context(), []registry.EmailTemplate{testTemplate("1", "en", "SignIn")}, c); err != nil {
			t.Fatal(err)
		}
		before, trail := mustConfiguration(t, s), len(actions(t, s))
		for name, test := range tests {
			if err := test.do(t, s); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
			if diff := cmp.Diff(before, mustConfiguration(t, s)); diff != "" || len(actions(t, s)) != trail {
				t.Errorf("%s: %d lines in the trail, %s", name, len(actions(t, s)), diff)
			}
			if err := s.health.failure; err != nil {
				t.Errorf("%s: a refusal counts as a failure of the state: %v", name, err)
			}
		}
	})
}

func TestRefusedWriteIsNoFailureOfTheState(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for _, refusal := range []error{
			registry.ErrNotFound, registry.ErrExists, registry.ErrChanged, errNoMessage, errPayloadGone, errNotRetryable, context.Canceled,
		} {
			err := s.write(t.Context(), func(*tx) error { return fmt.Errorf("refused: %w", refusal) })
			if !errors.Is(err, refusal) || s.health.failure != nil {
				t.Errorf("%v: %v, %v", refusal, err, s.health.failure)
			}
		}
		failure := errors.New("the disk is full")
		if err := s.write(t.Context(), func(*tx) error { return failure }); !errors.Is(err, failure) || !errors.Is(s.health.failure, failure) {
			t.Errorf("%v, %v", err, s.health.failure)
		}
		// Nor is it a sign that the state is well again.
		_ = s.write(t.Context(), func(*tx) error { return registry.ErrNotFound })
		if !errors.Is(s.health.failure, failure) {
			t.Error("a refusal counts as a success")
		}
	})
}

func TestAuditTrailIsPaged(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for i := range 5 {
			c := change("me", "connector.create", fmt.Sprint(i))
			if i == 3 {
				c.Detail = json.RawMessage(`{"x":1}`)
			}
			if err := s.InsertConnector(t.Context(), testConnector(fmt.Sprint(i)), c); err != nil {
				t.Fatal(err)
			}
		}
		var subjects []string
		before := ""
		for {
			page, err := s.Changes(t.Context(), before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, c := range page {
				subjects = append(subjects, c.Subject)
				if since := s.engine.now().Sub(c.At); since < -time.Second || since > time.Minute {
					t.Errorf("at %v", c.At)
				}
				if want := map[string]string{"3": `{"x":1}`}[c.Subject]; string(c.Detail) != want {
					t.Errorf("detail %q", c.Detail)
				}
				before = c.ID
			}
		}
		if diff := cmp.Diff([]string{"4", "3", "2", "1", "0"}, subjects); diff != "" {
			t.Error(diff)
		}
	})
}

// Each revision has one connector or template more, so that a torn reading shows.
func TestConfigurationIsOfOneRevision(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		const rounds = 30
		var writer sync.WaitGroup
		done := make(chan struct{})
		writer.Go(func() {
			defer close(done)
			for i := range rounds {
				id := fmt.Sprint(i)
				if err := s.InsertConnector(t.Context(), testConnector(id), change("me", "x", id)); err != nil {
					t.Error(err)
				}
				if _, err := s.PutTemplates(t.Context(), []registry.EmailTemplate{testTemplate(id, "en-"+id, "SignIn")}, change("me", "x", id)); err != nil {
					t.Error(err)
				}
			}
		})
		defer writer.Wait()
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			c := mustConfiguration(t, s)
			if int(c.Revision-1) != len(c.Connectors)+len(c.Templates) {
				t.Fatalf("revision %d has %d connectors and %d templates", c.Revision, len(c.Connectors), len(c.Templates))
			}
		}
	})
}

func TestChangeIsSignalled(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		if s.Kind() == Postgres {
			go s.Run(t.Context())
			until(t, "listening", func() bool {
				select {
				case <-s.ConfigurationChanged():
					return true
				default:
					return false
				}
			})
		}
		if err := s.InsertConnector(t.Context(), testConnector("a"), change("me", "x", "a")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.ConfigurationChanged():
		case <-time.After(10 * time.Second):
			t.Error("nobody was told")
		}
	})
}

func TestConnectorsAreSealed(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for _, id := range []string{"a", "b"} {
			if err := s.InsertConnector(t.Context(), testConnector(id), change("me", "x", id)); err != nil {
				t.Fatal(err)
			}
		}
		var config []byte
		err := s.engine.read(t.Context(), func(x *tx) error {
			return x.row(`SELECT config FROM connector WHERE id = 'a'`).Scan(&config)
		})
		if err != nil || len(config) == 0 || bytes.Contains(config, []byte("hunter2")) {
			t.Errorf("%q, %v", config, err)
		}
		// One connector's config does not pass for another's.
		s.run(t, `UPDATE connector SET config = (SELECT config FROM connector WHERE id = 'a')`)
		if c, err := s.Configuration(t.Context()); err == nil {
			t.Errorf("%v", c)
		}
	})
}
