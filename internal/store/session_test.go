//go:build unix

package store

import (
	"context"
	"crypto/sha256"
	"errors"
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
	token, end, ok, err := s.Session(t.Context(), sha256.Sum256([]byte(name)), 0, 0)
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

// A use moves the end of a session, in steps of a minute, up to the end of its life.
func TestSessionEndsWhenIdle(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		const idle, life = 2 * time.Hour, 5 * time.Hour
		opened := mustOpenSession(t, s, "one", idle).Add(-idle)
		right := s.engine
		defer func() { s.engine = right }()
		// at uses, or only looks at, the session that long after its opening. It returns
		// after how long the session ends, in whole seconds; 0 if it has ended.
		at := func(after, idle time.Duration) time.Duration {
			t.Helper()
			s.engine = skewed{right, after}
			token, end, ok, err := s.Session(t.Context(), sha256.Sum256([]byte("one")), idle, life)
			if err != nil || ok && token != sha256.Sum256([]byte("token of one")) {
				t.Fatalf("%v, token %x", err, token)
			}
			if !ok {
				return 0
			}
			return end.Sub(opened).Truncate(time.Minute)
		}
		steps := []struct {
			after, idle, ends time.Duration
		}{
			{30 * time.Second, idle, 2 * time.Hour}, // too little to be written
			{90 * time.Minute, 0, 2 * time.Hour},    // only a look
			{90 * time.Minute, idle, 210 * time.Minute},
			{200 * time.Minute, 0, 210 * time.Minute},
			{200 * time.Minute, idle, life},
			{299 * time.Minute, idle, life},
			{301 * time.Minute, idle, 0},
		}
		for _, step := range steps {
			if got := at(step.after, step.idle); got != step.ends {
				t.Errorf("used after %v, it ends after %v, want %v", step.after, got, step.ends)
			}
		}
	})
}

// readOnly is an engine that cannot write.
type readOnly struct{ engine }

func (readOnly) write(context.Context, func(*tx) error) error { return errors.New("disk full") }

// A session can be used while the state cannot be written.
func TestSessionOfReadOnlyState(t *testing.T) {
	s := openTest(t, Options{State: "memory"})
	mustOpenSession(t, s, "one", time.Hour)
	right := s.engine
	defer func() { s.engine = right }()
	s.engine = readOnly{right}
	if _, _, ok, err := s.Session(t.Context(), sha256.Sum256([]byte("one")), 2*time.Hour, 12*time.Hour); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// counted counts writes.
type counted struct {
	engine
	writes *int
}

func (e counted) write(ctx context.Context, step func(*tx) error) error {
	*e.writes++
	return e.engine.write(ctx, step)
}

func TestSessionIsWrittenOnceAMinute(t *testing.T) {
	s := openTest(t, Options{State: "memory"})
	mustOpenSession(t, s, "one", 2*time.Hour)
	right := s.engine
	defer func() { s.engine = right }()
	writes := 0
	for step := range 30 { // of 10 s, so that a slow machine changes nothing
		s.engine = counted{skewed{right, time.Duration(step) * 10 * time.Second}, &writes}
		if _, _, ok, err := s.Session(t.Context(), sha256.Sum256([]byte("one")), 2*time.Hour, 12*time.Hour); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
	}
	if writes != 4 {
		t.Errorf("%d writes in 5 minutes", writes)
	}
}
