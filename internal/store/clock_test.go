//go:build unix

package store

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"runtime"
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

// A limit that was longer, or a clock that was ahead, does not reject a recipient: what
// was charged then starts anew.
func TestChargesThatCannotBeDoNotCount(t *testing.T) {
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
			for i := range 11 {
				a, err := s.Accept(t.Context(), s.testEntry(order{charges: []delivery.Charge{limit, beside}}))
				if err != nil || (a.Exceeded != nil) != (i == 10) {
					t.Fatalf("%s, message %d: %+v, %v", name, i+1, a, err)
				}
			}
			s.exceeded = exceededCache{}
		}
	})
}

// A step of the wall clock moves what is pending along, while the program runs and, if
// it is a step back, while it does not.
func TestWallClockSteps(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, time.Minute, -time.Hour} {
		s := openTest(t, Options{State: "sqlite:" + filepath.Join(t.TempDir(), "state.db"), Ring: testRing(t)})
		e := s.engine.(*sqliteEngine)
		limit := s.limit("recipient", "u", 10)
		direct := mustAccept(t, s, order{})
		queued := mustAccept(t, s, order{mode: delivery.Queued, charges: []delivery.Charge{limit}})
		before := s.engine.now()
		e.clock.wall = func() time.Time { return time.Now().Add(step) }
		if err := s.followClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if moved := s.engine.now().Sub(before); (moved - step).Abs() > time.Minute/2 {
			t.Errorf("%v: the state's time moved by %v", step, moved)
		}
		if err := errors.Join(s.reclaim(t.Context(), endedLeases), s.expire(t.Context())); err != nil {
			t.Fatal(err)
		}
		if r := mustMessage(t, s, direct.ID); r.State != delivery.StateSending {
			t.Errorf("%v: the direct message is %s", step, r.State)
		}
		if n := s.left(t, limit); n != 9 {
			t.Errorf("%v: %d are left of the limit", step, n)
		}
		list := mustClaim(t, s, 1)
		if len(list) != 1 || list[0].ID != queued.ID {
			t.Fatalf("%v: %d are claimed", step, len(list))
		}
		if late := time.Until(list[0].Expires) - time.Until(queued.Expires); late.Abs() > time.Minute/2 {
			t.Errorf("%v: it expires %v later", step, late)
		}
		if err := s.followClock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again := s.engine.now().Sub(before) - step; again.Abs() > time.Minute/2 {
			t.Errorf("%v: moved twice", step)
		}
	}
}

func TestStartAfterAStepBack(t *testing.T) {
	opts := Options{State: "sqlite:" + filepath.Join(t.TempDir(), "state.db"), Ring: testRing(t)}
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	right := s.engine
	s.engine = skewed{right, time.Hour} // as it was then
	queued := mustAccept(t, s, order{mode: delivery.Queued})
	s.engine = right
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, opts)
	list := mustClaim(t, s, 1)
	if len(list) != 1 || list[0].ID != queued.ID {
		t.Fatalf("%d are claimed", len(list))
	}
	if late := time.Until(list[0].Expires) - time.Until(queued.Expires); late.Abs() > time.Minute/2 {
		t.Errorf("it expires %v later", late)
	}
}

// The end of the time that a message had, on a clock that was ahead, erases its content.
// Whoever still works on it does not queue it again.
func TestErasedIsNotQueuedAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		late := mustAccept(t, s, order{mode: delivery.Queued})
		w := mustClaim(t, s, 1)[0]
		s.run(t, `UPDATE message SET state = 'unknown', payload = NULL WHERE id = $1`, late.ID)
		applied, err := s.Complete(t.Context(), delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: delivery.StateQueued, Due: time.Now()})
		if r := mustMessage(t, s, late.ID); err != nil || applied || r.State != delivery.StateUnknown {
			t.Errorf("%s, %v, %v", r.State, applied, err)
		}
		lost := mustAccept(t, s, order{mode: delivery.Queued})
		mustClaim(t, s, 1)
		s.run(t, `UPDATE message SET payload = NULL WHERE id = $1`, lost.ID)
		if err := s.reclaim(t.Context(), everyLease); err != nil {
			t.Fatal(err)
		}
		if r := mustMessage(t, s, lost.ID); r.State != delivery.StateUnknown {
			t.Error(r.State)
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

// stepBeside steps the wall clock while another call's write waits behind that which
// moves the times.
func stepBeside(t *testing.T, step time.Duration, prepare, call func(*Store)) *Store {
	t.Helper()
	s := openTest(t, Options{State: "sqlite:" + filepath.Join(t.TempDir(), "state.db"), Ring: testRing(t)})
	prepare(s)
	e := s.engine.(*sqliteEngine)
	busy, release := make(chan struct{}), make(chan struct{})
	ended := make(chan struct{}, 3)
	go func() {
		_ = e.writer.do(context.Background(), context.Background(), func(*tx) error { close(busy); <-release; return nil })
		ended <- struct{}{}
	}()
	<-busy
	e.clock.wall = func() time.Time { return time.Now().Add(step) }
	go func() {
		if err := s.followClock(context.Background()); err != nil {
			t.Error(err)
		}
		ended <- struct{}{}
	}()
	for len(e.writer.jobs) < 1 {
		runtime.Gosched()
	}
	go func() { call(s); ended <- struct{}{} }()
	// A call must not write while the times are moved. One that does gets the time for it.
	for range 100_000 {
		if len(e.writer.jobs) == 2 {
			break
		}
		runtime.Gosched()
	}
	close(release)
	for range 3 {
		<-ended
	}
	return s
}

func TestStepBesideAnAcceptance(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		var queued *delivery.Entry
		s := stepBeside(t, step, func(*Store) {}, func(s *Store) { queued = mustAccept(t, s, order{mode: delivery.Queued}) })
		if err := s.expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := mustMessage(t, s, queued.ID); r.State != delivery.StateQueued {
			t.Errorf("%v: %s", step, r.State)
		}
		list := mustClaim(t, s, 1)
		if len(list) != 1 {
			t.Errorf("%v: %d are claimed", step, len(list))
			continue
		}
		if late := time.Until(list[0].Expires) - time.Until(queued.Expires); late.Abs() > time.Minute/2 {
			t.Errorf("%v: it expires %v later", step, late)
		}
	}
}

// A message that is being sent keeps its lease, and one that waits for another attempt
// waits no longer.
func TestStepBesideAnAttempt(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		for _, state := range []delivery.State{delivery.StateSending, delivery.StateQueued} {
			var w delivery.Job
			s := stepBeside(t, step, func(s *Store) {
				mustAccept(t, s, order{mode: delivery.Queued})
				w = mustClaim(t, s, 1)[0]
			}, func(s *Store) {
				if state == delivery.StateQueued {
					mustComplete(t, s, delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: state, Due: time.Now()})
				} else if err := s.Confirm(t.Context(), w.ID, w.Attempt); err != nil {
					t.Error(err)
				}
			})
			if err := s.reclaim(t.Context(), endedLeases); err != nil {
				t.Fatal(err)
			}
			if r := mustMessage(t, s, w.ID); r.State != state {
				t.Errorf("%v: a message that is %s has become %s", step, state, r.State)
			}
			if list := mustClaim(t, s, 1); (len(list) == 1) != (state == delivery.StateQueued) {
				t.Errorf("%v, %s: %d are claimed", step, state, len(list))
			}
		}
	}
}

// A retry is due at once.
func TestStepBesideARetry(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		var dead *delivery.Entry
		s := stepBeside(t, step, func(s *Store) {
			dead = mustAccept(t, s, order{mode: delivery.Queued})
			s.run(t, `UPDATE message SET state = 'dead' WHERE id = $1`, dead.ID)
		}, func(s *Store) {
			if err := s.Retry(t.Context(), "admin", dead.ID); err != nil {
				t.Error(err)
			}
		})
		if list := mustClaim(t, s, 1); len(list) != 1 {
			t.Errorf("%v: %d are claimed", step, len(list))
		}
	}
}

// A rejection before a step back does not last until the clock shows that time again.
func TestStepBackEndsCachedRejections(t *testing.T) {
	s := openTest(t, Options{State: "sqlite:" + filepath.Join(t.TempDir(), "state.db"), Ring: testRing(t)})
	limit := s.limit("recipient", "u", 1)
	limit.Per = 2 * time.Hour
	mustAccept(t, s, order{charges: []delivery.Charge{limit}})
	if a, err := s.Accept(t.Context(), s.testEntry(order{charges: []delivery.Charge{limit}})); err != nil || a.Exceeded == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	e := s.engine.(*sqliteEngine)
	e.clock.wall = func() time.Time { return time.Now().Add(-time.Hour) }
	if err := s.followClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.run(t, `DELETE FROM rate_limit`) // as once it is full again
	for subject, known := range s.exceeded.found {
		known.at = known.at.Add(-maxCacheTime)
		s.exceeded.found[subject] = known
	}
	if a, err := s.Accept(t.Context(), s.testEntry(order{charges: []delivery.Charge{limit}})); err != nil || a.Exceeded != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

// inDoubt commits, but its caller is told too early to know.
type inDoubt struct{ engine }

func (e inDoubt) write(ctx context.Context, step func(*tx) error) error {
	return cmp.Or(e.engine.write(ctx, step), delivery.ErrInDoubt)
}

// Moving the times takes longer than its caller waits, and is done all the same.
func TestStepInDoubtMovesOnce(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		s := openTest(t, Options{State: "sqlite:" + filepath.Join(t.TempDir(), "state.db"), Ring: testRing(t)})
		queued := mustAccept(t, s, order{mode: delivery.Queued})
		e := s.engine.(*sqliteEngine)
		e.clock.wall = func() time.Time { return time.Now().Add(step) }
		s.engine = inDoubt{e}
		if err := s.moveTimes(t.Context(), &e.clock, e.now()); err != nil && !errors.Is(err, delivery.ErrInDoubt) {
			t.Fatal(err)
		}
		s.engine = e
		if err := errors.Join(s.followClock(t.Context()), s.expire(t.Context())); err != nil {
			t.Fatal(err)
		}
		if list := mustClaim(t, s, 1); len(list) != 1 {
			t.Errorf("%v: %d are claimed, the message is %s", step, len(list), mustMessage(t, s, queued.ID).State)
		}
	}
}

// Content that is erased while an admin's retry waits for the row is not queued.
func TestErasedBesideARetry(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, Postgres), Ring: testRing(t)})
	dead := mustAccept(t, s, order{mode: delivery.Queued})
	s.run(t, `UPDATE message SET state = 'dead' WHERE id = $1`, dead.ID)
	retried := make(chan error, 1)
	err := s.engine.write(t.Context(), func(x *tx) error {
		if _, err := x.exec(`UPDATE message SET payload = NULL WHERE id = $1`, dead.ID); err != nil {
			return err
		}
		go func() { retried <- s.Retry(t.Context(), "admin", dead.ID) }()
		for waits := false; !waits; {
			var err error
			if waits, err = value[bool](x, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)`); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-retried; err == nil {
		t.Error("queued again")
	}
	if r := mustMessage(t, s, dead.ID); r.State != delivery.StateDead {
		t.Error(r.State)
	}
}
