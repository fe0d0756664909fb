//go:build unix

package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/postgrestest"
	"dmconnector/internal/registry"
	"dmconnector/internal/seal"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// onEveryKind runs one test on every kind of state: the conformance suite is what
// they all do alike.
func onEveryKind(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	for _, kind := range []Kind{Memory, SQLite, Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel() // much of it waits for the disk or the server
			test(t, openTest(t, Options{State: addressOf(t, kind), Ring: testRing(t)}))
		})
	}
}

func addressOf(t *testing.T, kind Kind) string {
	t.Helper()
	switch kind {
	case SQLite:
		return "sqlite:" + filepath.Join(t.TempDir(), "state ?#%.db")
	case Postgres:
		return postgrestest.Database(t)
	default:
		return "memory"
	}
}

func testRing(t *testing.T) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func openTest(t *testing.T, opts Options) *Store {
	t.Helper()
	opts.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// An order asks for a message in short; what it leaves out is usual.
type order struct {
	mode      delivery.Mode
	to        string
	key       string
	body      string
	supersede string
	charges   []delivery.Charge
	expires   time.Duration
	hold      bool
}

func (s *Store) testEntry(o order) *delivery.Entry {
	usual := func(text, standard string) string {
		if text == "" {
			return standard
		}
		return text
	}
	id := delivery.NewID()
	e := &delivery.Entry{
		ID: id, Connector: "mine", Type: "SignIn", Mode: delivery.Mode(usual(string(o.mode), "direct")),
		Recipient: "u***@example.com", Address: s.Hash("address", usual(o.to, "user@example.com")), Body: s.Hash("body", usual(o.body, id)),
		Charges: o.charges, Hold: o.hold, Payload: []byte(`{"payload":{"code":"424242"}}`),
		Arrived: s.engine.now(), Expires: s.engine.now().Add(10 * time.Minute),
		Steps: delivery.Steps{Detail: "the first attempt"},
	}
	if o.expires != 0 {
		e.Expires = s.engine.now().Add(o.expires)
	}
	if o.key != "" {
		key := s.Hash("key", o.key)
		e.Idempotency = &key
	}
	if o.supersede != "" {
		supersede := s.Hash("supersede", o.supersede)
		e.Supersede = &supersede
	}
	return e
}

func (s *Store) limit(name, subject string, count int) delivery.Charge {
	return delivery.Charge{Limit: name, Subject: s.Hash(name, subject), Count: count, Per: 10 * time.Minute}
}

// mustAccept accepts a message that nothing hinders.
func mustAccept(t *testing.T, s *Store, o order) *delivery.Entry {
	t.Helper()
	e := s.testEntry(o)
	if a, err := s.Accept(t.Context(), e); err != nil || a.Known != nil || a.Exceeded != nil {
		t.Fatalf("acceptance %+v, %v", a, err)
	}
	return e
}

func mustClaim(t *testing.T, s *Store, n int) []delivery.Job {
	t.Helper()
	list, err := s.Claim(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func mustComplete(t *testing.T, s *Store, outcome delivery.Outcome) bool {
	t.Helper()
	applied, err := s.Complete(t.Context(), outcome)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

func mustMessage(t *testing.T, s *Store, id string) delivery.Record {
	t.Helper()
	r, ok, err := s.Message(t.Context(), id)
	if err != nil || !ok {
		t.Fatalf("message %s: %v, %v", id, ok, err)
	}
	return r
}

// run runs a statement behind the store's back.
func (s *Store) run(t *testing.T, statement string, args ...any) {
	t.Helper()
	if err := s.engine.write(t.Context(), func(x *tx) error { _, err := x.exec(statement, args...); return err }); err != nil {
		t.Fatal(err)
	}
}

// sealed reports whether the state still holds the message itself.
func (s *Store) sealed(t *testing.T, id string) bool {
	t.Helper()
	var has bool
	err := s.engine.read(t.Context(), func(x *tx) error {
		return x.row(`SELECT payload IS NOT NULL FROM message WHERE id = $1`, id).Scan(&has)
	})
	if err != nil {
		t.Fatal(err)
	}
	return has
}

// left returns how many of a limit are left.
func (s *Store) left(t *testing.T, limit delivery.Charge) int {
	t.Helper()
	for n := 0; ; n++ {
		e := s.testEntry(order{charges: []delivery.Charge{limit}})
		a, err := s.Accept(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if a.Exceeded != nil {
			return n
		}
	}
}

func TestLimitsAreExact(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		var mu sync.Mutex
		accepted, rejected := 0, 0
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				a, err := s.Accept(context.Background(), s.testEntry(order{charges: []delivery.Charge{s.limit("recipient", "u", 10)}}))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case a.Exceeded == nil:
					accepted++
				case a.Exceeded.Limit == "recipient" && a.Wait > 50*time.Second && a.Wait <= 61*time.Second: // another's time may be a little later
					rejected++
				default:
					t.Errorf("rejected with %+v", a)
				}
			})
		}
		all.Wait()
		if accepted != 10 || rejected != 50 {
			t.Errorf("%d accepted, %d rejected", accepted, rejected)
		}
	})
}

func TestRejectionChargesNothingAndIsRecorded(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		wide, narrow := s.limit("recipient", "u", 5), s.limit("ip", "i", 1)
		mustAccept(t, s, order{charges: []delivery.Charge{narrow}})
		rejected := s.testEntry(order{charges: []delivery.Charge{wide, narrow}, key: "k", supersede: "p"})
		rejected.Steps.Limits = []delivery.LimitCheck{{Limit: "recipient"}, {Limit: "ip"}}
		a, err := s.Accept(t.Context(), rejected)
		if err != nil || a.Exceeded == nil || a.Exceeded.Limit != "ip" {
			t.Fatalf("%+v, %v", a, err)
		}
		r := mustMessage(t, s, rejected.ID)
		if r.State != delivery.StateFailed || r.Code != errcode.RateLimited || r.Steps.Limits[0].UsedUp || !r.Steps.Limits[1].UsedUp || r.Steps.Detail == "" {
			t.Errorf("recorded as %+v, %+v", r, r.Steps)
		}
		if n := s.left(t, wide); n != 5 {
			t.Errorf("%d of 5 are left of the other limit", n)
		}
		mustAccept(t, s, order{key: "k"}) // its key is free
	})
}

func TestEqualKeysAreOneMessage(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		var mu sync.Mutex
		known := map[string]int{}
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				e := s.testEntry(order{key: "k", body: "same"})
				a, err := s.Accept(context.Background(), e)
				if err != nil {
					t.Error(err)
					return
				}
				id := e.ID
				if a.Known != nil {
					id = a.Known.ID
				}
				mu.Lock()
				defer mu.Unlock()
				known[id]++
			})
		}
		all.Wait()
		if len(known) != 1 {
			t.Errorf("%d messages: %v", len(known), known)
		}
	})
}

func TestKeyIsKnownForADay(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		first := mustAccept(t, s, order{key: "k", body: "b"})
		a, err := s.Accept(t.Context(), s.testEntry(order{key: "k", body: "other"}))
		if err != nil || a.Known == nil || a.Known.ID != first.ID || a.Known.Body != first.Body || a.Known.State != delivery.StateSending {
			t.Fatalf("%+v, %v", a, err)
		}
		s.run(t, `UPDATE message SET created_at = created_at - $1`, (24 * time.Hour).Microseconds())
		mustAccept(t, s, order{key: "k", body: "b"})
		mustMessage(t, s, first.ID) // it is still told of
	})
}

func TestCompletedKeyIsKeptOrReleased(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		kept := mustAccept(t, s, order{key: "kept"})
		mustComplete(t, s, delivery.Outcome{ID: kept.ID, Attempt: 1, State: delivery.StateSent, Steps: kept.Steps})
		if a, err := s.Accept(t.Context(), s.testEntry(order{key: "kept"})); err != nil || a.Known == nil || a.Known.State != delivery.StateSent {
			t.Errorf("%+v, %v", a, err)
		}
		released := mustAccept(t, s, order{key: "released"})
		mustComplete(t, s, delivery.Outcome{ID: released.ID, Attempt: 1, State: delivery.StateFailed, Code: errcode.ProviderBusy, ReleaseKey: true})
		mustAccept(t, s, order{key: "released"})
	})
}

func TestEqualRequestsThatAreQueuedAreOneMessage(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		first := mustAccept(t, s, order{mode: delivery.Queued, body: "b"})
		a, err := s.Accept(t.Context(), s.testEntry(order{mode: delivery.Queued, body: "b"}))
		if err != nil || a.Known == nil || a.Known.ID != first.ID {
			t.Fatalf("%+v, %v", a, err)
		}
		mustAccept(t, s, order{mode: delivery.Direct, body: "b"}) // its caller waits for an answer of its own
		mustClaim(t, s, 1)
		mustAccept(t, s, order{mode: delivery.Queued, body: "b"}) // the first does not wait any more
	})
}

func TestRefundIsAvailableAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		limit := s.limit("recipient", "u", 3)
		e := mustAccept(t, s, order{charges: []delivery.Charge{limit}})
		mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateFailed, Refund: e.Charges})
		if n := s.left(t, limit); n != 3 {
			t.Errorf("%d are left", n)
		}
		// A second refund has no effect: the attempt has ended.
		if mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateFailed, Refund: e.Charges}) {
			t.Error("completed twice")
		}
		if n := s.left(t, limit); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func TestNewerCodeSupersedes(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		limit := s.limit("recipient", "u", 2)
		queued := mustAccept(t, s, order{mode: delivery.Queued, supersede: "p", charges: []delivery.Charge{limit}})
		sending := mustAccept(t, s, order{supersede: "p", charges: []delivery.Charge{limit}}) // the first's charge is refunded
		other := mustAccept(t, s, order{mode: delivery.Queued, supersede: "q"})
		newest := s.testEntry(order{supersede: "p"})
		a, err := s.Accept(t.Context(), newest)
		if diff := cmp.Diff(delivery.Acceptance{Superseded: []string{sending.ID}}, a); err != nil || diff != "" {
			t.Errorf("%v, %s", err, diff)
		}
		if r := mustMessage(t, s, queued.ID); r.State != delivery.StateFailed || r.Code != errcode.Superseded || r.Steps.Detail != supersededDetail || s.sealed(t, queued.ID) {
			t.Errorf("the queued one is %s %s: %s", r.State, r.Code, r.Steps.Detail)
		}
		for id, want := range map[string]bool{sending.ID: true, newest.ID: false, other.ID: false} {
			if got, err := superseded(t, s, id); err != nil || got != want {
				t.Errorf("superseded %v, %v, want %v", got, err, want)
			}
		}
		if r := mustMessage(t, s, other.ID); r.State != delivery.StateQueued {
			t.Errorf("another key's is %s", r.State)
		}
		if n := s.left(t, limit); n != 1 {
			t.Errorf("%d are left of the limit", n)
		}
	})
}

// A message that is superseded during a failing attempt gets its charges back, and tells
// that attempt's failure as a step, not as its reason.
func TestSupersededIsNotTriedAgain(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		limit := s.limit("recipient", "u", 3)
		e := mustAccept(t, s, order{mode: delivery.Queued, supersede: "p", charges: []delivery.Charge{limit}})
		w := mustClaim(t, s, 1)[0]
		mustAccept(t, s, order{mode: delivery.Direct, supersede: "p"})
		failed := delivery.Outcome{ID: e.ID, Attempt: w.Attempt, State: delivery.StateQueued, Code: errcode.ProviderBusy, Due: s.engine.now()}
		failed.Steps = delivery.Steps{Detail: "throttled", Attempts: []delivery.Attempt{{Error: "throttled"}}}
		if !mustComplete(t, s, failed) || mustComplete(t, s, failed) {
			t.Error("it was not completed once")
		}
		r := mustMessage(t, s, e.ID)
		if r.State != delivery.StateFailed || r.Code != errcode.Superseded || r.Steps.Detail != supersededDetail || len(r.Steps.Attempts) != 1 || s.sealed(t, e.ID) {
			t.Errorf("it is %s %s: %+v", r.State, r.Code, r.Steps)
		}
		if n := s.left(t, limit); n != 3 {
			t.Errorf("%d are left of 3", n)
		}
	})
}

func TestQueuedMessageComesBackWhole(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		limit := s.limit("recipient", "u", 3)
		e := mustAccept(t, s, order{mode: delivery.Queued, charges: []delivery.Charge{limit}})
		list := mustClaim(t, s, 10)
		if len(list) != 1 {
			t.Fatalf("%d messages", len(list))
		}
		w := list[0]
		if w.ID != e.ID || string(w.Payload) != string(e.Payload) || w.Attempt != 1 || w.State != delivery.StateSending || len(w.Charges) != 1 || w.Charges[0] != limit {
			t.Errorf("%+v", w)
		}
		if again := mustClaim(t, s, 10); len(again) != 0 {
			t.Error("it was claimed twice")
		}
		if !mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateQueued, Code: errcode.ProviderBusy, Due: s.engine.now().Add(time.Hour)}) {
			t.Error("not completed")
		}
		if early := mustClaim(t, s, 10); len(early) != 0 {
			t.Error("it was claimed before it was due")
		}
		s.run(t, `UPDATE message SET due_at = 1`)
		if list = mustClaim(t, s, 10); len(list) != 1 || list[0].Attempt != 2 {
			t.Fatalf("%+v", list)
		}
		mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 2, State: delivery.StateSent})
		if s.sealed(t, e.ID) {
			t.Error("what was sent is still sealed in the state")
		}
	})
}

func TestQueuedMessageIsClaimedOnce(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		const messages = 100
		for range messages {
			mustAccept(t, s, order{mode: delivery.Queued})
		}
		var mu sync.Mutex
		taken := map[string]int{}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for {
					list, err := s.Claim(context.Background(), 7, nil)
					if err != nil {
						t.Error(err)
					}
					if len(list) == 0 {
						return
					}
					mu.Lock()
					for _, w := range list {
						taken[w.ID]++
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		// On PostgreSQL one may have found the others' rows locked, and nothing else.
		for _, w := range mustClaim(t, s, messages) {
			taken[w.ID]++
		}
		for id, n := range taken {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
		if len(taken) != messages {
			t.Errorf("%d of %d", len(taken), messages)
		}
	})
}

// What a stalled process knows of its attempt counts as long as no other has begun.
func TestOutcomeOfAnEarlierAttempt(t *testing.T) {
	tests := map[string]struct {
		between func(t *testing.T, s *Store)
		applied bool
		state   delivery.State
	}{
		"nothing happened":     {func(*testing.T, *Store) {}, true, delivery.StateSent},
		"the lease ended":      {func(t *testing.T, s *Store) { reclaimAll(t, s) }, true, delivery.StateSent},
		"another has begun":    {func(t *testing.T, s *Store) { reclaimAll(t, s); mustClaim(t, s, 1) }, false, delivery.StateSending},
		"another has ended it": {func(t *testing.T, s *Store) { endAnother(t, s) }, false, delivery.StateDead},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			e := mustAccept(t, s, order{mode: delivery.Queued})
			mustClaim(t, s, 1)
			tt.between(t, s)
			applied := mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateSent})
			if r := mustMessage(t, s, e.ID); applied != tt.applied || r.State != tt.state {
				t.Errorf("%s: applied %v, then %s", name, applied, r.State)
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}

func reclaimAll(t *testing.T, s *Store) {
	t.Helper()
	if err := s.reclaim(t.Context(), everyLease); err != nil {
		t.Fatal(err)
	}
}

func endAnother(t *testing.T, s *Store) {
	t.Helper()
	reclaimAll(t, s)
	w := mustClaim(t, s, 1)[0]
	mustComplete(t, s, delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: delivery.StateDead, KeepPayload: true})
}

func TestWhatACrashLeftBehind(t *testing.T) {
	tests := map[string]struct {
		order  order
		state  delivery.State
		sealed bool
	}{
		"direct":             {order{}, delivery.StateUnknown, false},
		"a test":             {order{mode: delivery.Test}, delivery.StateUnknown, false},
		"queued":             {order{mode: delivery.Queued}, delivery.StateQueued, true},
		"queued, to be held": {order{mode: delivery.Queued, hold: true}, delivery.StateUnknown, true},
		"queued, expired":    {order{mode: delivery.Queued, expires: -time.Minute}, delivery.StateUnknown, true},
		"queued, superseded": {order{mode: delivery.Queued, supersede: "p"}, delivery.StateUnknown, true},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			e := s.testEntry(tt.order)
			if _, err := s.Accept(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			s.run(t, `UPDATE message SET state = 'sending', attempts = 1, due_at = $1, superseded = CASE WHEN supersede_key IS NULL THEN 0 ELSE 1 END`, micros(s.engine.now().Add(time.Minute)))
			if err := s.reclaim(t.Context(), endedLeases); err != nil {
				t.Fatal(err)
			}
			if r := mustMessage(t, s, e.ID); r.State != delivery.StateSending {
				t.Errorf("%s: reclaimed before its lease ended: %s", name, r.State)
			}
			s.run(t, `UPDATE message SET due_at = $1`, micros(s.engine.now()))
			if err := s.reclaim(t.Context(), endedLeases); err != nil {
				t.Fatal(err)
			}
			r := mustMessage(t, s, e.ID)
			if r.State != tt.state || s.sealed(t, e.ID) != tt.sealed {
				t.Errorf("%s: %s, sealed %v", name, r.State, s.sealed(t, e.ID))
			}
			code, detail := errcode.OutcomeUnknown, lostDetail
			if tt.state == delivery.StateQueued {
				code, detail = "", ""
			}
			if r.Code != code || r.Steps.Detail != detail {
				t.Errorf("%s: %s: %s", name, r.Code, r.Steps.Detail)
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}

func TestExpiredPayloadIsErased(t *testing.T) {
	tests := map[string]struct {
		before, after delivery.State
		left          int // of a limit of 3, of which one was taken
	}{
		"queued":  {delivery.StateQueued, delivery.StateExpired, 3},
		"dead":    {delivery.StateDead, delivery.StateDead, 2},
		"unknown": {delivery.StateUnknown, delivery.StateUnknown, 2},
		"sending": {delivery.StateSending, delivery.StateSending, 2},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		for name, tt := range tests {
			limit := s.limit("recipient", name, 3)
			e := mustAccept(t, s, order{mode: delivery.Queued, charges: []delivery.Charge{limit}})
			s.run(t, `UPDATE message SET state = $1`, string(tt.before))
			if err := s.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := mustMessage(t, s, e.ID); r.State != tt.before || !s.sealed(t, e.ID) {
				t.Errorf("%s: ended while it was good: %s", name, r.State)
			}
			other := mustAccept(t, s, order{mode: delivery.Queued}) // there is something to erase
			s.run(t, `UPDATE message SET expires_at = $1`, micros(s.engine.now()))
			if list := mustClaim(t, s, 10); len(list) != 0 {
				t.Errorf("%s: what has expired is claimed", name)
			}
			if err := s.expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.sealed(t, other.ID) {
				t.Errorf("%s: what has expired beside it is not erased", name)
			}
			r := mustMessage(t, s, e.ID)
			if (r.State == delivery.StateExpired) != (r.Steps.Detail == expiredDetail) {
				t.Errorf("%s: %s: %s", name, r.State, r.Steps.Detail)
			}
			if r.State != tt.after || s.sealed(t, e.ID) != (tt.before == delivery.StateSending) || r.Retryable {
				t.Errorf("%s: %s, sealed %v, retryable %v", name, r.State, s.sealed(t, e.ID), r.Retryable)
			}
			if n := s.left(t, limit); n != tt.left {
				t.Errorf("%s: %d are left of the limit", name, n)
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}

func TestRetryByHand(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		end := func(o order, outcome delivery.Outcome) string {
			o.mode = delivery.Queued
			e := mustAccept(t, s, o)
			outcome.ID, outcome.Attempt = e.ID, mustClaim(t, s, 1)[0].Attempt
			mustComplete(t, s, outcome)
			return e.ID
		}
		dead := end(order{}, delivery.Outcome{State: delivery.StateDead, Code: errcode.ProviderRejected, KeepPayload: true})
		unknown := end(order{}, delivery.Outcome{State: delivery.StateUnknown, KeepPayload: true})
		erased := end(order{}, delivery.Outcome{State: delivery.StateUnknown})
		sent := end(order{}, delivery.Outcome{State: delivery.StateSent})
		if !mustMessage(t, s, dead).Retryable || mustMessage(t, s, erased).Retryable || mustMessage(t, s, sent).Retryable {
			t.Error("what is retryable is not told right")
		}
		for name, tt := range map[string]struct {
			id   string
			want error
		}{
			"dead": {dead, nil}, "unknown": {unknown, nil}, "erased": {erased, errPayloadGone}, "sent": {sent, errNotRetryable},
			"no such": {delivery.NewID(), errNoMessage},
		} {
			if err := s.Retry(t.Context(), "admin", tt.id); err != tt.want { //nolint:errorlint // these are not wrapped
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		if err := s.Retry(t.Context(), "admin", dead); err != errNotRetryable { //nolint:errorlint // it is not wrapped
			t.Errorf("queued again: %v", err)
		}
		// The attempt before cannot end it any more.
		if mustComplete(t, s, delivery.Outcome{ID: dead, Attempt: 1, State: delivery.StateDead}) {
			t.Error("an older attempt has completed it")
		}
		list := mustClaim(t, s, 10)
		if len(list) != 2 || string(list[0].Payload) == "" {
			t.Errorf("%d are sent again", len(list))
		}
		var lines int
		err := s.engine.read(t.Context(), func(x *tx) error {
			return x.row(`SELECT count(*) FROM audit WHERE action = 'message.retry' AND actor = 'admin'`).Scan(&lines)
		})
		if err != nil || lines != 2 {
			t.Errorf("%d lines in the audit trail, %v", lines, err)
		}
	})
}

func TestListIsFilteredAndPaged(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		var ids []string // from the newest on
		for i := range 7 {
			e := s.testEntry(order{to: fmt.Sprintf("user%d@example.com", i%2)})
			e.Connector, e.Type = fmt.Sprint("c", i%3), []string{"SignIn", "Register"}[i%2]
			if _, err := s.Accept(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if i < 5 {
				mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateSent})
			}
			ids = append([]string{e.ID}, ids...)
		}
		pick := func(places ...int) []string {
			var list []string
			for _, i := range places {
				list = append(list, ids[i])
			}
			return list
		}
		address := s.Hash("address", "user0@example.com")
		tests := map[string]struct {
			filter delivery.Filter
			want   []string
		}{
			"all":                  {delivery.Filter{Limit: 10}, ids},
			"a page":               {delivery.Filter{Limit: 3}, pick(0, 1, 2)},
			"the next page":        {delivery.Filter{Limit: 3, Before: ids[2]}, pick(3, 4, 5)},
			"the last page":        {delivery.Filter{Limit: 3, Before: ids[5]}, pick(6)},
			"by address":           {delivery.Filter{Limit: 10, Address: &address}, pick(0, 2, 4, 6)},
			"by connector":         {delivery.Filter{Limit: 10, Connector: "c0"}, pick(0, 3, 6)},
			"by type":              {delivery.Filter{Limit: 10, Type: "Register"}, pick(1, 3, 5)},
			"by state":             {delivery.Filter{Limit: 10, States: []delivery.State{delivery.StateSending}}, pick(0, 1)},
			"sent":                 {delivery.Filter{Limit: 2, States: []delivery.State{delivery.StateSent}}, pick(2, 3)},
			"by two states":        {delivery.Filter{Limit: 10, States: []delivery.State{delivery.StateSent, delivery.StateSending}}, ids},
			"a state repeated":     {delivery.Filter{Limit: 10, States: slices.Repeat([]delivery.State{delivery.StateSent, "x"}, 10_000)}, pick(2, 3, 4, 5, 6)},
			"by all states":        {delivery.Filter{Limit: 3, States: []delivery.State{"dead", "sent", "failed", "queued", "sending", "unknown", "expired"}}, pick(0, 1, 2)},
			"not sent":             {delivery.Filter{Limit: 10, States: []delivery.State{"dead", "failed", "queued", "sending", "unknown", "expired"}}, pick(0, 1)},
			"an unknown state":     {delivery.Filter{Limit: 10, States: []delivery.State{"x"}}, nil},
			"by incident":          {delivery.Filter{Limit: 10, Incident: ids[4]}, pick(4)},
			"by its last 8":        {delivery.Filter{Limit: 10, Incident: ids[4][28:]}, pick(4)},
			"by less":              {delivery.Filter{Limit: 10, Incident: ids[4][29:]}, nil},
			"incident and state":   {delivery.Filter{Limit: 10, Incident: ids[4][28:], States: []delivery.State{delivery.StateSending}}, nil},
			"by all of it":         {delivery.Filter{Limit: 10, Address: &address, Connector: "c0", Type: "SignIn", States: []delivery.State{delivery.StateSent}}, pick(6)},
			"none":                 {delivery.Filter{Limit: 10, Connector: "nope"}, nil},
			"before any":           {delivery.Filter{Limit: 10, Until: time.Now().Add(-time.Hour)}, nil},
			"since and until":      {delivery.Filter{Limit: 10, Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}, ids},
			"since a time to come": {delivery.Filter{Limit: 10, Since: time.Now().Add(time.Hour)}, nil},
		}
		for name, tt := range tests {
			list, err := s.Messages(t.Context(), tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range list {
				got = append(got, r.ID)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
	})
}

func TestRejectedMessagesCanBeLookedUp(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		e := s.testEntry(order{key: "k", supersede: "p"})
		s.RecordRejected(e, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateFailed, Code: errcode.InvalidRecipient, Steps: e.Steps})
		until(t, "the rejection is recorded", func() bool {
			r, ok, err := s.Message(t.Context(), e.ID)
			return err == nil && ok && r.State == delivery.StateFailed && r.Code == errcode.InvalidRecipient
		})
		mustAccept(t, s, order{key: "k"}) // a rejected message holds no key
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("it does not happen: %s", what)
		}
		<-tick.C
	}
}

// Repeated requests over a limit do not each reach the database.
func TestFloodOfRejectionsSkipsTheDatabase(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		limit := s.limit("recipient", "u", 1)
		first := mustAccept(t, s, order{charges: []delivery.Charge{limit}})
		rejected := func() {
			a, err := s.Accept(t.Context(), s.testEntry(order{charges: []delivery.Charge{limit}}))
			if err != nil || a.Exceeded == nil {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		rejected()
		before := s.rows(t)
		for range 100 {
			rejected()
		}
		if n := s.rows(t) - before; n > 70 {
			t.Errorf("%d of 100 rejections were written at once", n)
		}
		// A refund is available at once.
		mustComplete(t, s, delivery.Outcome{ID: first.ID, Attempt: 1, State: delivery.StateFailed, Refund: first.Charges})
		mustAccept(t, s, order{charges: []delivery.Charge{limit}})
	})
}

func (s *Store) rows(t *testing.T) int {
	t.Helper()
	var n int
	if err := s.engine.read(t.Context(), func(x *tx) error { return x.row(`SELECT count(*) FROM message`).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSweepDeletesWhatIsOld(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.retention = 48 * time.Hour
		old, kept := leastID(s.engine.now().Add(-49*time.Hour)), leastID(s.engine.now().Add(-47*time.Hour))
		fill := func(prefix string, n int, state delivery.State) {
			for i := range n {
				e := s.testEntry(order{})
				e.ID = fmt.Sprintf("%s%012d", prefix[:24], i)
				if state == delivery.StateQueued {
					e.ID = fmt.Sprintf("%sf%011d", prefix[:24], i)
				}
				if _, err := s.Accept(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				s.run(t, `UPDATE message SET state = $1 WHERE id = $2`, string(state), e.ID)
			}
		}
		fill(old, 3, delivery.StateSent)
		fill(old, 1, delivery.StateQueued)
		fill(kept, 2, delivery.StateSent)
		mustAccept(t, s, order{charges: []delivery.Charge{s.limit("recipient", "u", 3)}})
		s.run(t, `UPDATE rate_limit SET full_at = 1`)
		mustAccept(t, s, order{charges: []delivery.Charge{s.limit("recipient", "v", 3)}})
		if err := s.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var limits int
		if err := s.engine.read(t.Context(), func(x *tx) error { return x.row(`SELECT count(*) FROM rate_limit`).Scan(&limits) }); err != nil {
			t.Fatal(err)
		}
		if n := s.rows(t); n != 1+2+2 || limits != 1 {
			t.Errorf("%d messages and %d limits are left", n, limits)
		}
	})
}

// The state shows neither addresses nor codes to who reads its files.
func TestStateShowsNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		e := mustAccept(t, s, order{mode: delivery.Queued, to: "user@example.com", key: "key-of-the-caller", charges: []delivery.Charge{s.limit("ip", "203.0.113.7", 3)}})
		var charges, steps, payload string
		err := s.engine.read(t.Context(), func(x *tx) error {
			return x.row(`SELECT charges, steps, payload FROM message WHERE id = $1`, e.ID).Scan(&charges, &steps, &payload)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"user@", "424242", "203.0.113.7", "key-of-the-caller"} {
			for _, text := range []string{charges, steps, payload} {
				if strings.Contains(text, secret) {
					t.Errorf("the state shows %s: %q", secret, text)
				}
			}
		}
	})
}

// Whether the state can be written is known, and asking does not cost a write each
// time.
func TestReadiness(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.health.record(errors.New("the disk is full"))
		s.health.probed = time.Time{}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("it works again: %v", err)
		}
		s.health.record(errors.New("the disk is full"))
		if err := s.Ready(t.Context()); err == nil {
			t.Error("it was tried twice within a second")
		}
		s.health.probed = time.Time{}
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("it works again: %v", err)
		}
		if err := s.Retry(t.Context(), "admin", delivery.NewID()); err == nil || s.health.failure != nil {
			t.Errorf("a refusal counts as a failure of the state: %v, %v", err, s.health.failure)
		}
	})
}

// A newer code that exceeds a limit leaves older ones as they are, even if their charges
// would have made room for it in another limit.
func TestRejectedCodeSupersedesNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		recipient, client := s.limit("recipient", "u", 2), s.limit("ip", "i", 1)
		mustAccept(t, s, order{charges: []delivery.Charge{client}})
		sending := mustAccept(t, s, order{supersede: "p", charges: []delivery.Charge{recipient}})
		s.run(t, `UPDATE message SET supersede_key = NULL WHERE id = $1`, sending.ID) // for a moment
		queued := mustAccept(t, s, order{mode: delivery.Queued, supersede: "p", charges: []delivery.Charge{recipient}})
		s.run(t, `UPDATE message SET supersede_key = $1 WHERE id = $2`, queued.Supersede[:], sending.ID)
		a, err := s.Accept(t.Context(), s.testEntry(order{supersede: "p", charges: []delivery.Charge{recipient, client}}))
		if err != nil || a.Exceeded == nil || a.Exceeded.Limit != "ip" || len(a.Superseded) > 0 {
			t.Fatalf("%+v, %v", a, err)
		}
		if found, err := superseded(t, s, sending.ID); err != nil || found {
			t.Errorf("superseded %v, %v", found, err)
		}
		if r := mustMessage(t, s, queued.ID); r.State != delivery.StateQueued || !s.sealed(t, queued.ID) {
			t.Errorf("the queued one is %s", r.State)
		}
		if n := s.left(t, recipient); n != 0 {
			t.Errorf("%d are left of the limit that both are charged", n)
		}
	})
}

// PostgreSQL fails on texts with a NUL or broken UTF-8, and SQLite finds nothing.
func TestImpossibleTextsAreNotFound(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		mustAccept(t, s, order{})
		for _, text := range []string{"a\x00b", "\x00", "a\xff", "1234567\x00"} {
			if _, found, err := s.Message(t.Context(), text); found || err != nil {
				t.Errorf("message %q: %v, %v", text, found, err)
			}
			if err := s.Retry(t.Context(), "admin", text); err != errNoMessage { //nolint:errorlint // it is not wrapped
				t.Errorf("retry %q: %v", text, err)
			}
			if err := s.RevokeToken(t.Context(), "admin", text); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("token %q: %v", text, err)
			}
			for _, f := range []delivery.Filter{{Type: text}, {Connector: text}, {Incident: text}, {Before: text}, {States: []delivery.State{delivery.State(text)}}} {
				f.Limit = 10
				if list, err := s.Messages(t.Context(), f); err != nil || len(list) > 0 {
					t.Errorf("%+v: %d messages, %v", f, len(list), err)
				}
			}
		}
	})
}

// superseded reports whether a newer code has superseded the message.
func superseded(t *testing.T, s *Store, id string) (bool, error) {
	t.Helper()
	r, _, err := s.Message(t.Context(), id)
	if err != nil {
		return false, err
	}
	err = s.Confirm(t.Context(), id, r.Attempts)
	if errors.Is(err, delivery.ErrSuperseded) {
		return true, nil
	}
	return r.Code == "superseded", nil
}
