//go:build unix

package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dmconnector/internal/delivery"
)

// queue asks for a queued message, and reports whether the queue had room.
func (s *Store) queue(t *testing.T, o order) bool {
	t.Helper()
	o.mode = delivery.Queued
	a, err := s.Accept(t.Context(), s.testEntry(o))
	if err != nil || a.Known != nil || a.Exceeded != nil {
		t.Fatalf("acceptance %+v, %v", a, err)
	}
	return !a.Full
}

func (s *Store) mustCountQueue(t *testing.T) {
	t.Helper()
	if err := s.countQueue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	for name, limit := range map[string]size{"messages": {3, 1 << 20}, "bytes": {1000, 3}} {
		t.Run(name, func(t *testing.T) {
			onEveryKind(t, func(t *testing.T, s *Store) {
				s.queued.limit = limit
				if name == "bytes" {
					s.queued.limit.bytes *= int64(len(s.testEntry(order{}).Payload))
				}
				fill := func(want int) {
					t.Helper()
					n := 0
					for s.queue(t, order{}) {
						n++
					}
					if n != want {
						t.Fatalf("%d messages were queued, want %d", n, want)
					}
				}
				if !s.queue(t, order{key: "k"}) || !s.queue(t, order{body: "b"}) {
					t.Fatal("an empty queue is full")
				}
				fill(1)
				rows := s.rows(t)
				// What was queued is answered again, and a direct message needs no room.
				for _, o := range []order{{key: "k"}, {body: "b"}} {
					o.mode = delivery.Queued
					if a, err := s.Accept(t.Context(), s.testEntry(o)); err != nil || a.Known == nil || a.Full {
						t.Errorf("a repeated request: %+v, %v", a, err)
					}
				}
				other := s.testEntry(order{mode: delivery.Queued})
				other.Connector = "other"
				if a, err := s.Accept(t.Context(), other); err != nil || a.Full {
					t.Errorf("another connector: %+v, %v", a, err)
				}
				mustAccept(t, s, order{})
				if n := s.rows(t) - rows; n != 2 {
					t.Errorf("%d messages were stored, want 2", n)
				}
				s.mustCountQueue(t)
				fill(0)
				if use := s.QueueUse()["mine"]; use < 1 {
					t.Errorf("%v of the queue is in use", use)
				}
				s.run(t, `UPDATE message SET state = 'sent', payload = NULL WHERE connector = 'mine' AND state = 'queued'`)
				s.mustCountQueue(t)
				if use := s.QueueUse()["mine"]; use != 0 {
					t.Errorf("%v of an empty queue is in use", use)
				}
				fill(3)
			})
		})
	}
}

// What could not be queued takes no room.
func TestQueueKeepsNoRoomForRejectedMessages(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.queued.limit.messages = 2
		limit := s.limit("recipient", "u", 1)
		mustAccept(t, s, order{mode: delivery.Queued, key: "k", charges: []delivery.Charge{limit}})
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 5 {
			if a, err := s.Accept(t.Context(), s.testEntry(order{mode: delivery.Queued, key: "k"})); err != nil || a.Known == nil {
				t.Fatalf("%+v, %v", a, err)
			}
			s.exceeded.forget([]delivery.Charge{limit})
			if a, err := s.Accept(t.Context(), s.testEntry(order{mode: delivery.Queued, charges: []delivery.Charge{limit}})); err != nil || a.Exceeded == nil {
				t.Fatalf("%+v, %v", a, err)
			}
			if _, err := s.Accept(gone, s.testEntry(order{mode: delivery.Queued})); err == nil {
				t.Fatal("accepted for a caller who had gone")
			}
		}
		if !s.queue(t, order{}) || s.queue(t, order{}) {
			t.Error("the queue has not its room")
		}
	})
}

// A process counts what others have queued, and what an earlier one has left.
func TestQueueIsCountedWhileTheStoreRuns(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.queued.limit.messages = 2
		e := s.testEntry(order{mode: delivery.Queued})
		row, err := s.messageRow(e, s.engine.now())
		if err != nil {
			t.Fatal(err)
		}
		s.run(t, insertMessage, row...)
		running, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(running) }()
		defer func() { stop(); <-ended }()
		until(t, "the queue is counted", func() bool { return s.QueueUse()["mine"] == 0.5 })
		if !s.queue(t, order{}) || s.queue(t, order{}) {
			t.Error("the queue has not room for one")
		}
	})
}

// Ended messages that are kept for a retry do not fill the queue, and are bounded, too.
func TestKeptContentsAreBounded(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		var ids []string
		for i := range 8 {
			e := mustAccept(t, s, order{mode: delivery.Queued, expires: time.Duration(i+1) * time.Minute})
			state := []delivery.State{delivery.StateDead, delivery.StateUnknown}[i%2]
			s.run(t, `UPDATE message SET state = $1 WHERE id = $2`, string(state), e.ID)
			ids = append(ids, e.ID)
		}
		kept := func(want string) {
			t.Helper()
			s.mustCountQueue(t)
			got := ""
			for _, id := range ids {
				got += fmt.Sprint(number(s.sealed(t, id)))
			}
			if got != want {
				t.Errorf("kept are %s, want %s", got, want)
			}
		}
		s.queued.limit.messages = 5
		kept("00011111")
		if !s.queue(t, order{expires: time.Second}) {
			t.Error("ended messages fill the queue")
		}
		s.queued.limit.bytes = s.sealedBytes(t, ids[7]) * 2
		kept("00000011")
		s.queued.limit.bytes = 1
		kept("00000000")
		if waiting := mustClaim(t, s, 10); len(waiting) != 1 || waiting[0].Payload == nil {
			t.Errorf("%d are queued", len(waiting))
		}
	})
}

func (s *Store) sealedBytes(t *testing.T, id string) int64 {
	t.Helper()
	n, err := transact(t.Context(), s.engine.read, func(x *tx) (int64, error) {
		return value[int64](x, `SELECT length(payload) FROM message WHERE id = $1`, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Each Idempotency-Key of its own does not bring a rejection to the disk.
func TestFloodOfKeyedRejectionsSkipsTheDatabase(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		charges := []delivery.Charge{s.limit("recipient", "u", 1)}
		first := mustAccept(t, s, order{key: "first", charges: charges})
		rejected := func(n int) {
			a, err := s.Accept(t.Context(), s.testEntry(order{key: fmt.Sprint(n), charges: charges}))
			if err != nil || a.Exceeded == nil {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		rejected(0)
		before := s.rows(t)
		for n := range 100 {
			rejected(n)
		}
		if n := s.rows(t) - before; n > 70 {
			t.Errorf("%d of 100 rejections were written at once", n)
		}
		a, err := s.Accept(t.Context(), s.testEntry(order{key: "first", charges: charges}))
		if err != nil || a.Known == nil || a.Known.ID != first.ID {
			t.Errorf("the known key: %+v, %v", a, err)
		}
	})
}

// Messages that were not sent are bounded, as callers can have any number of them.
// Mails, and what may become one, are not deleted for that.
func TestUnsentMessagesAreBounded(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.maxUnsent = 3
		ended := make(map[delivery.State][]string)
		add := func(connector string, states ...delivery.State) {
			for _, state := range states {
				e := s.testEntry(order{})
				e.Connector = connector
				if _, err := s.Accept(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				s.run(t, `UPDATE message SET state = $1 WHERE id = $2`, string(state), e.ID)
				ended[state] = append(ended[state], e.ID)
			}
		}
		for range 2 {
			add("mine", "sent", "unknown", "sending", "queued", "failed", "expired", "dead")
			add("other", "failed")
		}
		if err := s.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		for state, want := range map[delivery.State]string{
			"sent": "11", "unknown": "11", "sending": "11", "queued": "11", "failed": "0111", "expired": "01", "dead": "01",
		} {
			got := ""
			for _, id := range ended[state] {
				_, found, err := s.Message(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				got += fmt.Sprint(number(found))
			}
			if got != want {
				t.Errorf("%s: %s are left, want %s", state, got, want)
			}
		}
	})
}

// A rejected message waits to be recorded without its content.
func TestRejectedMessagesHoldNoContent(t *testing.T) {
	s := &Store{rejected: rejectedLog{waiting: make(chan rejected, 1)}}
	e := openTest(t, Options{State: "memory"}).testEntry(order{mode: delivery.Queued})
	s.RecordRejected(e, delivery.Outcome{ID: e.ID})
	if got := <-s.rejected.waiting; got.entry.Payload != nil || e.Payload == nil {
		t.Errorf("it holds %s, and its sender %s", got.entry.Payload, e.Payload)
	}
}
