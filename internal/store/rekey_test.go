//go:build unix

package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/seal"
)

func ringOf(t *testing.T, keys ...[]byte) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fillSealed fills a state with more than is resealed at once. It returns the ids
// of the messages, the first of which holds nothing sealed any more.
func fillSealed(t *testing.T, s *Store, messages int) []string {
	t.Helper()
	if err := s.InsertConnector(t.Context(), testConnector("a"), change("me", "x", "a")); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, messages)
	var all sync.WaitGroup // one after the other would wait for the disk each time
	for i := range ids {
		e := s.testEntry(order{mode: delivery.Queued})
		ids[i] = e.ID
		all.Go(func() {
			if _, err := s.Accept(t.Context(), e); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.run(t, `UPDATE message SET state = 'sent', payload = NULL WHERE id = $1`, ids[0])
	return ids
}

// checkSealed checks that what [fillSealed] has sealed can be opened.
func checkSealed(t *testing.T, s *Store, ids []string) {
	t.Helper()
	if c := mustConfiguration(t, s); len(c.Connectors) != 1 || !strings.Contains(string(c.Connectors[0].Config), "hunter2") {
		t.Errorf("%d connectors", len(c.Connectors))
	}
	work := mustClaim(t, s, len(ids))
	if len(work) != len(ids)-1 {
		t.Errorf("%d messages are due, want %d", len(work), len(ids)-1)
	}
	for _, w := range work {
		if string(w.Payload) != `{"payload":{"code":"424242"}}` {
			t.Fatalf("message %s is %q", w.ID, w.Payload)
		}
	}
}

func TestReseal(t *testing.T) {
	for _, kind := range []Kind{SQLite, Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			older, newer := seal.NewKey(), seal.NewKey()
			both := ringOf(t, newer, older)
			address := addressOf(t, kind)
			s, err := Open(t.Context(), Options{State: address, Ring: ringOf(t, older)})
			if err != nil {
				t.Fatal(err)
			}
			ids := fillSealed(t, s, chunk+2)
			hash := s.Hash("x")
			if n, err := s.Reseal(t.Context(), both); n != 1+1+chunk+1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if n, err := s.Reseal(t.Context(), both); n != 0 || err != nil {
				t.Errorf("again: %d, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			if _, err := Open(t.Context(), Options{State: address, Ring: ringOf(t, older)}); !errors.Is(err, errOtherKey) {
				t.Errorf("with the old key: %v", err)
			}
			s = openTest(t, Options{State: address, Ring: ringOf(t, newer)})
			if s.Hash("x") != hash {
				t.Error("the hashes have changed")
			}
			checkSealed(t, s, ids)
		})
	}
}

func TestResealIsAllOrNothing(t *testing.T) {
	for _, kind := range []Kind{SQLite, Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			older, newer := seal.NewKey(), seal.NewKey()
			address := addressOf(t, kind)
			s, err := Open(t.Context(), Options{State: address, Ring: ringOf(t, older)})
			if err != nil {
				t.Fatal(err)
			}
			ids := fillSealed(t, s, 3)
			lost := ringOf(t, seal.NewKey()).Seal(payloadPurpose(ids[2]), []byte("424242"))
			s.run(t, `UPDATE message SET payload = $2 WHERE id = $1`, ids[2], lost)
			if n, err := s.Reseal(t.Context(), ringOf(t, newer, older)); n != 0 || !errors.Is(err, seal.ErrOtherKey) || !strings.Contains(err.Error(), ids[2]) {
				t.Errorf("%d, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openTest(t, Options{State: address, Ring: ringOf(t, older)})
			s.run(t, `DELETE FROM message WHERE id = $1`, ids[2])
			checkSealed(t, s, ids[:2])
		})
	}
}

// A replica that has sealed or erased something meanwhile is right.
func TestResealYieldsToOthers(t *testing.T) {
	older, newer := seal.NewKey(), seal.NewKey()
	both := ringOf(t, newer, older)
	s := openTest(t, Options{State: "memory", Ring: both})
	ids := fillSealed(t, s, 3)
	stale := ringOf(t, older).Seal(payloadPurpose(ids[1]), []byte("yesterday's"))
	all := tables()
	messages := all[len(all)-1]
	err := s.write(t.Context(), func(x *tx) error {
		if n, err := messages.replace(x, both, ids[1], stale); n != 0 || err != nil {
			return fmt.Errorf("%d, %w", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	checkSealed(t, s, ids)
}

func TestResealWhileReplicasSend(t *testing.T) {
	older, newer := seal.NewKey(), seal.NewKey()
	address := addressOf(t, Postgres)
	old, err := Open(t.Context(), Options{State: address, Ring: ringOf(t, older)})
	if err != nil {
		t.Fatal(err)
	}
	ids := fillSealed(t, old, 200)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	both := ringOf(t, newer, older)
	replica := openTest(t, Options{State: address, Ring: both})
	command := openTest(t, Options{State: address, Ring: both, Shared: true})
	done := make(chan int)
	go func() {
		count := 0
		for deadline := time.Now().Add(20 * time.Second); count < len(ids)-1 && time.Now().Before(deadline); {
			for _, w := range mustClaim(t, replica, 5) {
				if string(w.Payload) != `{"payload":{"code":"424242"}}` {
					t.Errorf("%q", w.Payload)
				}
				mustComplete(t, replica, delivery.Outcome{ID: w.ID, Attempt: w.Attempt, State: delivery.StateSent})
				count++
			}
		}
		done <- count
	}()
	if _, err := command.Reseal(t.Context(), both); err != nil {
		t.Error(err)
	}
	if count := <-done; count != len(ids)-1 {
		t.Errorf("%d messages were sent, want %d", count, len(ids)-1)
	}
	if n, err := command.Reseal(t.Context(), both); n != 0 || err != nil {
		t.Errorf("left with the old key: %d, %v", n, err)
	}
}
