package store

import (
	"testing"
	"time"

	"dmconnector/internal/delivery"
)

func TestBacklogIsWhatIsQueued(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		want := func(what string, queued int, late time.Duration) {
			t.Helper()
			b, err := s.Backlog(t.Context())
			if err != nil || b.Queued != queued || b.Late < late || b.Late > late+time.Minute {
				t.Errorf("%s: %+v, %v; want %d, late by %v", what, b, err, queued, late)
			}
		}
		want("nothing", 0, 0)
		mustAccept(t, s, order{})
		want("a direct message", 0, 0)
		for range 3 {
			mustAccept(t, s, order{mode: delivery.Queued})
		}
		s.run(t, `UPDATE message SET due_at = $1 WHERE state = 'queued'`, micros(s.engine.now().Add(-time.Hour)))
		want("three that are late", 3, time.Hour)
		mustClaim(t, s, 2)
		want("two on their way", 1, time.Hour)
		s.run(t, `UPDATE message SET due_at = $1 WHERE state = 'queued'`, micros(s.engine.now().Add(time.Hour)))
		want("one that is not due", 1, 0)
	})
}

func TestExpiredMessagesAreCounted(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for range 2 {
			mustAccept(t, s, order{mode: delivery.Queued})
		}
		mustAccept(t, s, order{mode: delivery.Queued, key: "dead"})
		s.run(t, `UPDATE message SET state = 'dead' WHERE idempotency_key IS NOT NULL`)
		mustAccept(t, s, order{mode: delivery.Queued, expires: time.Hour})
		s.run(t, `UPDATE message SET expires_at = $1 WHERE expires_at < $2`, micros(s.engine.now()), micros(s.engine.now().Add(30*time.Minute)))
		for range 2 {
			if err := s.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := s.Expired(); n != 2 {
				t.Errorf("%d have expired, want 2", n)
			}
		}
	})
}
