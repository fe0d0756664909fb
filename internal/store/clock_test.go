//go:build unix

package store

import (
	"testing"
	"time"

	"dmconnector/internal/delivery"
)

// skewed has another time than this process.
type skewed struct {
	engine
	by time.Duration
}

func (e skewed) now() time.Time { return e.engine.now().Add(e.by) }

var skews = map[string]time.Duration{"right": 0, "ahead": 5 * time.Minute, "behind": -5 * time.Minute}

// A queued message is good as long as its caller says, whatever the time of the
// state.
func TestExpiryIsTheCallersTime(t *testing.T) {
	tests := map[string]struct {
		expires time.Duration
		state   delivery.State // after what has expired was ended
		taken   int
	}{
		"good":    {time.Minute, delivery.StateQueued, 1},
		"expired": {-time.Millisecond, delivery.StateExpired, 0},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		right := s.engine
		for clock, by := range skews {
			for name, tt := range tests {
				s.engine = skewed{right, by}
				e := s.testEntry(order{mode: delivery.Queued})
				e.Expires = time.Now().Add(tt.expires)
				if _, err := s.Accept(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				if err := s.expire(t.Context()); err != nil {
					t.Fatal(err)
				}
				if r := mustMessage(t, s, e.ID); r.State != tt.state {
					t.Errorf("%s, %s: %s", clock, name, r.State)
				}
				list := mustClaim(t, s, 1)
				if len(list) != tt.taken {
					t.Fatalf("%s, %s: %d are claimed", clock, name, len(list))
				}
				if tt.taken == 1 && list[0].Expires.Sub(e.Expires).Abs() > time.Second {
					t.Errorf("%s: its worker is told %v later", clock, list[0].Expires.Sub(e.Expires))
				}
				s.run(t, `DELETE FROM message`)
			}
		}
	})
}

// A message is tried again when its worker says, whatever the time of the state.
func TestNextAttemptIsAtTheWorkersTime(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		right := s.engine
		for clock, by := range skews {
			for due, want := range map[time.Duration]int{time.Minute: 0, -time.Millisecond: 1} {
				s.engine = skewed{right, by}
				e := s.testEntry(order{mode: delivery.Queued})
				e.Expires = time.Now().Add(10 * time.Minute)
				if _, err := s.Accept(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				w := mustClaim(t, s, 1)[0]
				mustComplete(t, s, delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: delivery.StateQueued, Due: time.Now().Add(due)})
				if list := mustClaim(t, s, 1); len(list) != want {
					t.Errorf("%s: %d are claimed, due in %v", clock, len(list), due)
				}
				s.run(t, `DELETE FROM message`)
			}
		}
	})
}

// A limit that was longer, or a clock that was ahead, does not reject a recipient
// for longer than the limit does.
func TestLimitRejectsNoLongerThanItIs(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		right := s.engine
		tests := map[string]func(limit delivery.Charge){
			"a shortened limit": func(limit delivery.Charge) {
				limit.Per = 24 * time.Hour
				for range limit.Count {
					mustAccept(t, s, order{charges: []delivery.Charge{limit}})
				}
			},
			"a clock that was ahead": func(limit delivery.Charge) {
				s.engine = skewed{right, 3 * time.Hour}
				mustAccept(t, s, order{charges: []delivery.Charge{limit}})
			},
		}
		for name, before := range tests {
			limit, beside := s.limit("recipient", name, 10), s.limit("ip", name, 10)
			before(limit)
			s.engine = right
			a, err := s.Accept(t.Context(), s.testEntry(order{charges: []delivery.Charge{limit, beside}}))
			if err != nil || a.Exceeded == nil || a.Wait > time.Minute+clockSlack {
				t.Fatalf("%s: %+v, %v", name, a, err)
			}
			s.engine = skewed{right, a.Wait}
			mustAccept(t, s, order{charges: []delivery.Charge{limit, beside}})
			s.engine = right
			s.exceeded = exceededCache{}
		}
	})
}

// One that has waited, whose time is some seconds ago, leaves no room for the next.
func TestEarlierTimeEnlargesNoLimit(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		right := s.engine
		limit := s.limit("recipient", "u", 1000) // one in 0.6 s
		s.run(t, `INSERT INTO rate_limit (subject, full_at) VALUES ($1, $2)`, limit.Subject[:], micros(right.now().Add(limit.Per)))
		for _, by := range []time.Duration{-5 * time.Second, 0} {
			s.engine, s.exceeded = skewed{right, by}, exceededCache{}
			a, err := s.Accept(t.Context(), s.testEntry(order{charges: []delivery.Charge{limit}}))
			if err != nil || a.Exceeded == nil {
				t.Errorf("%v: %+v, %v", by, a, err)
			}
		}
	})
}
