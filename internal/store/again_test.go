//go:build unix

package store

import (
	"context"
	"sync"
	"testing"
	"time"

	"dmconnector/internal/delivery"
)

// A key that is not known any more is one message again, however many ask at once.
func TestOldKeyIsOneMessageAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for range 5 {
			mustAccept(t, s, order{key: "k", body: "same"})
			s.run(t, `UPDATE message SET created_at = created_at - $1`, (24*time.Hour + time.Minute).Microseconds())
			var mu sync.Mutex
			accepted, known := 0, map[string]bool{}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					e := s.testEntry(order{key: "k", body: "same"})
					a, err := s.Accept(context.Background(), e)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil:
						t.Error(err)
					case a.Known == nil:
						accepted++
						known[e.ID] = true
					default:
						known[a.Known.ID] = true
					}
				})
			}
			all.Wait()
			if accepted != 1 || len(known) != 1 {
				t.Fatalf("%d accepted, %d known", accepted, len(known))
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}

// A queued message that was not sent frees its key; others keep it, though they are
// erased.
func TestKeyOfAnExpiredMessage(t *testing.T) {
	tests := map[string]struct {
		state delivery.State
		free  bool
	}{
		"queued":  {delivery.StateQueued, true},
		"dead":    {delivery.StateDead, false},
		"unknown": {delivery.StateUnknown, false},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			e := mustAccept(t, s, order{mode: delivery.Queued, key: name})
			s.run(t, `UPDATE message SET state = $1, expires_at = $2 WHERE id = $3`, string(tt.state), micros(s.engine.now()), e.ID)
			if err := s.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.sealed(t, e.ID) {
				t.Errorf("%s: not erased", name)
			}
			a, err := s.Accept(t.Context(), s.testEntry(order{mode: delivery.Queued, key: name}))
			if err != nil || (a.Known == nil) != tt.free || a.Known != nil && a.Known.ID != e.ID {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
	})
}

// What a message was refunded is not refunded again after an admin's retry.
func TestRetriedRefundsOnce(t *testing.T) {
	ends := map[string]func(t *testing.T, s *Store, id string, charges []delivery.Charge){
		"dead again": func(t *testing.T, s *Store, _ string, _ []delivery.Charge) {
			w := mustClaim(t, s, 1)[0]
			mustComplete(t, s, delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: delivery.StateDead, Refund: w.Charges, KeepPayload: true})
		},
		"expired": func(t *testing.T, s *Store, id string, _ []delivery.Charge) {
			s.run(t, `UPDATE message SET expires_at = $1 WHERE id = $2`, micros(s.engine.now()), id)
			if err := s.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"superseded": func(t *testing.T, s *Store, _ string, charges []delivery.Charge) {
			newer := mustAccept(t, s, order{supersede: "p", charges: charges})
			mustComplete(t, s, delivery.Outcome{ID: newer.ID, Attempt: 1, State: delivery.StateFailed, Refund: charges})
		},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		for name, end := range ends {
			limit := s.limit("recipient", name, 4)
			charges := []delivery.Charge{limit}
			e := mustAccept(t, s, order{mode: delivery.Queued, supersede: "p", charges: charges})
			mustAccept(t, s, order{charges: charges})
			mustAccept(t, s, order{charges: charges})
			w := mustClaim(t, s, 1)[0]
			mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: w.Attempt, State: delivery.StateDead, Refund: w.Charges, KeepPayload: true})
			if err := s.Retry(t.Context(), "admin", e.ID); err != nil {
				t.Fatal(err)
			}
			end(t, s, e.ID, charges)
			if r := mustMessage(t, s, e.ID); !r.State.Kind().Final {
				t.Fatalf("%s: %s", name, r.State)
			}
			if n := s.left(t, limit); n != 2 {
				t.Errorf("%s: %d are left of 4, of which two are used", name, n)
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}
