//go:build unix

package store

import (
	"crypto/sha256"
	"testing"
	"time"
)

func mustOpenSession(t *testing.T, s *Store, name string, life time.Duration) time.Time {
	t.Helper()
	expires, err := s.OpenSession(t.Context(), sha256.Sum256([]byte(name)), sha256.Sum256([]byte("token of "+name)), life)
	if err != nil {
		t.Fatal(err)
	}
	return expires
}

// has reports whether a session is known, as it was opened.
func (s *Store) has(t *testing.T, name string, expires time.Time) bool {
	t.Helper()
	token, end, ok, err := s.Session(t.Context(), sha256.Sum256([]byte(name)))
	if err != nil {
		t.Fatal(err)
	}
	if ok && (token != sha256.Sum256([]byte("token of "+name)) || !end.Equal(expires)) {
		t.Errorf("session %s: token %x until %v, want until %v", name, token, end, expires)
	}
	return ok
}

func TestSessionEnds(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		one, two := mustOpenSession(t, s, "one", time.Hour), mustOpenSession(t, s, "two", time.Hour)
		if !s.has(t, "one", one) || !s.has(t, "two", two) || s.has(t, "three", one) {
			t.Error("not those sessions are known that were opened")
		}
		for range 2 {
			if err := s.EndSession(t.Context(), sha256.Sum256([]byte("one"))); err != nil {
				t.Fatal(err)
			}
		}
		if s.has(t, "one", one) || !s.has(t, "two", two) {
			t.Error("not that session has ended that was to end")
		}
	})
}

// The state's clock decides, as replicas' may differ.
func TestSessionExpires(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		short, long := mustOpenSession(t, s, "short", time.Hour), mustOpenSession(t, s, "long", 2*time.Hour)
		right := s.engine
		for by, want := range map[time.Duration]bool{time.Hour - time.Minute: true, time.Hour: false} {
			s.engine = skewed{right, by}
			if s.has(t, "short", short) != want || !s.has(t, "long", long) {
				t.Errorf("after %v", by)
			}
		}
		s.engine = skewed{right, time.Hour}
		if err := s.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.engine = right
		if s.has(t, "short", short) || !s.has(t, "long", long) {
			t.Error("not those sessions are swept that have expired")
		}
	})
}
