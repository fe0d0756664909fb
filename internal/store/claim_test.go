//go:build unix

package store

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"dmconnector/internal/delivery"
)

// backlog queues n messages of each connector, those of the first connector first.
func (s *Store) backlog(t *testing.T, n int, connectors ...string) {
	t.Helper()
	for _, connector := range connectors {
		for range n {
			e := s.testEntry(order{mode: delivery.Queued})
			e.Connector = connector
			if _, err := s.Accept(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A backlog is claimed in batches, the oldest first. Messages of excepted connectors
// neither take a place in them nor change.
func TestClaimExceptsConnectors(t *testing.T) {
	tests := map[string]struct {
		without []string
		want    []string // the connector of each batch
	}{
		"none":         {nil, []string{"a", "a", "b", "b", "c", "c"}},
		"the oldest":   {[]string{"a"}, []string{"b", "b", "c", "c"}},
		"two":          {[]string{"a", "c"}, []string{"b", "b"}},
		"not there":    {[]string{"x", "a'; --"}, []string{"a", "a", "b", "b", "c", "c"}},
		"all of them":  {[]string{"a", "b", "c"}, nil},
		"one repeated": {[]string{"b", "b", "a", "a"}, []string{"c", "c"}},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		const batch = 5
		for name, tt := range tests {
			s.backlog(t, 2*batch, "a", "b", "c")
			for _, want := range tt.want {
				list, err := s.Claim(t.Context(), batch, tt.without)
				if err != nil || len(list) != batch {
					t.Fatalf("%s: %d of a batch of %d, %v", name, len(list), batch, err)
				}
				for _, w := range list {
					if w.Connector != want {
						t.Errorf("%s: one of %s, want %s", name, w.Connector, want)
					}
				}
			}
			if list, err := s.Claim(t.Context(), batch, tt.without); err != nil || len(list) != 0 {
				t.Errorf("%s: %d more, %v", name, len(list), err)
			}
			for left := 6 - len(tt.want); left > 0; left-- {
				if n := len(mustClaim(t, s, batch)); n != batch {
					t.Errorf("%s: %d of a batch of the excepted ones", name, n)
				}
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}

// counting counts the transactions that may change something.
type counting struct {
	engine
	writes *int
}

func (e counting) write(ctx context.Context, step func(*tx) error) error {
	*e.writes++
	return e.engine.write(ctx, step)
}

// When only messages of excepted connectors are due, nothing is written.
func TestClaimOfNothingWritesNothing(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.backlog(t, 1, "a", "b")
		writes := 0
		s.engine = counting{s.engine, &writes}
		if list, err := s.Claim(t.Context(), 5, []string{"a", "b"}); err != nil || len(list) != 0 || writes != 0 {
			t.Errorf("%d claimed in %d transactions, %v", len(list), writes, err)
		}
		if list, err := s.Claim(t.Context(), 5, []string{"a"}); err != nil || len(list) != 1 || writes != 1 {
			t.Errorf("%d claimed in %d transactions, %v", len(list), writes, err)
		}
	})
}

// Excepted connectors, which may have a long backlog, are skipped in the index alone.
func TestExceptedIsSkippedInTheIndex(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)})
	args := []any{int64(1)}
	query := `EXPLAIN QUERY PLAN SELECT EXISTS (SELECT 1 FROM message` + dueMessages + notOf([]string{"a", "b"}, &args) + `)`
	var plan strings.Builder
	err := s.engine.read(t.Context(), func(x *tx) error {
		return x.each(func(rows *sql.Rows) error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan.WriteString(detail + "\n")
			return err
		}, query, args...)
	})
	if err != nil || !strings.Contains(plan.String(), "USING COVERING INDEX message_due") {
		t.Errorf("%v: %s", err, plan.String())
	}
}

// The sweep waits for no message that takes a limit: they would wait in a circle.
func TestSweepSkipsLimitsThatAreLocked(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, Postgres), Ring: testRing(t)})
	taken, whole := s.limit("recipient", "u", 3), s.limit("ip", "i", 3)
	mustAccept(t, s, order{charges: []delivery.Charge{taken, whole}})
	s.run(t, `UPDATE rate_limit SET full_at = 1`)
	var sweeping error
	err := s.engine.write(t.Context(), func(x *tx) error {
		if _, err := x.exec(`UPDATE rate_limit SET full_at = $1 WHERE subject = $2`, micros(s.engine.now().Add(time.Minute)), taken.Subject[:]); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		sweeping = s.sweep(ctx)
		return nil
	})
	if err != nil || sweeping != nil {
		t.Fatalf("it waits: %v, %v", sweeping, err)
	}
	var left int
	err = s.engine.read(t.Context(), func(x *tx) error { return x.row(`SELECT count(*) FROM rate_limit`).Scan(&left) })
	if err != nil || left != 1 {
		t.Errorf("%d limits are left, %v", left, err)
	}
}
