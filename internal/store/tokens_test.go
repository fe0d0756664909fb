//go:build unix

package store

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustCreateToken(t *testing.T, s *Store, wanted Token) (Token, string) {
	t.Helper()
	made, text, err := s.CreateToken(t.Context(), "me", wanted)
	if err != nil {
		t.Fatal(err)
	}
	return made, text
}

func mustTokens(t *testing.T, s *Store) []Token {
	t.Helper()
	list, err := s.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestTokensAreKeptAsHashes(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		expires := s.engine.now().Add(time.Hour).Truncate(time.Millisecond).UTC()
		send, sendText := mustCreateToken(t, s, Token{Scope: "send", Connector: "default", Note: "Logto", Expires: expires})
		admin, adminText := mustCreateToken(t, s, Token{Scope: "admin"})
		if !strings.HasPrefix(sendText, "dmc_") || len(sendText) < 30 || sendText == adminText {
			t.Error("these are no tokens")
		}
		if send.Hash != sha256.Sum256([]byte(sendText)) || send.Connector != "default" || send.Note != "Logto" || !send.Expires.Equal(expires) {
			t.Errorf("%+v", send)
		}
		if diff := cmp.Diff([]Token{send, admin}, mustTokens(t, s)); diff != "" {
			t.Error(diff)
		}
		changes, err := s.Changes(t.Context(), "", 10)
		if err != nil || len(changes) != 2 || strings.Contains(fmt.Sprintf("%s", changes), sendText) {
			t.Errorf("%+v, %v", changes, err)
		}
		if want := `{"scope":"send","connector":"default","expiresAt":"` + expires.Format(time.RFC3339Nano) + `"}`; string(changes[1].Detail) != want {
			t.Errorf("%s", changes[1].Detail)
		}
	})
}

func TestTokenIsRevokedOnce(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		made, _ := mustCreateToken(t, s, Token{Scope: "send"})
		other, _ := mustCreateToken(t, s, Token{Scope: "send"})
		if err := s.RevokeToken(t.Context(), "you", made.ID); err != nil {
			t.Fatal(err)
		}
		list := mustTokens(t, s)
		if list[0].Revoked.IsZero() || !list[1].Revoked.IsZero() {
			t.Errorf("%+v", list)
		}
		if err := s.RevokeToken(t.Context(), "you", made.ID); err != nil {
			t.Errorf("again: %v", err)
		}
		if diff := cmp.Diff(list, mustTokens(t, s)); diff != "" {
			t.Error(diff)
		}
		want := []string{"me token.create " + made.ID, "me token.create " + other.ID, "you token.revoke " + made.ID}
		if diff := cmp.Diff(want, actions(t, s)); diff != "" {
			t.Error(diff)
		}
		if number, err := s.Revision(t.Context()); number != 4 || err != nil {
			t.Errorf("revision %d, %v", number, err)
		}
	})
}

func TestTokenThatMakesNoSense(t *testing.T) {
	for name, test := range map[string]struct {
		token Token
		want  string
	}{
		"no scope":            {Token{}, "send or admin"},
		"another scope":       {Token{Scope: "root"}, "send or admin"},
		"admin of one":        {Token{Scope: "admin", Connector: "default"}, "all connectors"},
		"a note of two lines": {Token{Scope: "send", Note: "a\nb"}, "one line"},
		"a long note":         {Token{Scope: "send", Note: strings.Repeat("x", 201)}, "200 bytes"},
		"no id":               {Token{Scope: "send", Connector: "\x1b[2J"}, "must be a connector's id"},
		"expired":             {Token{Scope: "send", Expires: time.Now().Add(-time.Minute)}, "future"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, Options{State: "memory"})
			_, text, err := s.CreateToken(t.Context(), "me", test.token)
			if err == nil || !strings.Contains(err.Error(), test.want) || text != "" || len(mustTokens(t, s)) != 0 {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestSharedBesideAServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	opts := Options{State: "sqlite:" + path, Ring: testRing(t)}
	server := openTest(t, opts)
	sending := mustAccept(t, server, order{})
	before, err := server.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	opts.Shared = true
	command := openTest(t, opts)
	made, _ := mustCreateToken(t, command, Token{Scope: "send"})

	if after, err := server.Revision(t.Context()); after == before || err != nil {
		t.Errorf("revision %d, %v", after, err)
	}
	if list := mustTokens(t, server); len(list) != 1 || list[0].ID != made.ID {
		t.Errorf("%+v", list)
	}
	if r := mustMessage(t, server, sending.ID); r.State != "sending" {
		t.Errorf("a message of the server was reclaimed: %s", r.State)
	}
	mustAccept(t, server, order{})
}

func TestSharedIsNoReplica(t *testing.T) {
	opts := Options{State: addressOf(t, Postgres), Ring: testRing(t)}
	server := openTest(t, opts)
	opts.Shared = true
	command := openTest(t, opts)
	if err := server.heartbeat(t.Context()); err != nil || server.Replicas() != 1 || command.Replicas() != 1 {
		t.Errorf("%d replicas, %v", server.Replicas(), err)
	}
}

func TestSharedDoesNotMigrateUnderAServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	opts := Options{State: "sqlite:" + path, Ring: testRing(t)}
	server := openTest(t, opts)
	server.run(t, `INSERT INTO dmconnector_schema (version_id, is_applied) VALUES (99, 1)`)
	opts.Shared = true
	if s, err := Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("%v, %v", s, err)
	}
}
