//go:build unix

package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
)

// fillNumbered has messages of one second each, with numbers in their ids.
func fillNumbered(t *testing.T, s *Store, start time.Time, n int) {
	t.Helper()
	for i := range n {
		id := leastID(start.Add(time.Duration(i) * time.Second))
		at := micros(start.Add(time.Duration(i) * time.Second))
		s.run(t, `
INSERT INTO message (id, connector, type, mode, state, code, recipient, address, body, overtaken, hold,
	attempts, owner, due_at, expires_at, created_at, updated_at, limits, report)
VALUES ($1, 'mine', 'SignIn', 'direct', 'sent', '', 'u***@example.com', $2, $2, 0, 0, 1, '', 0, 0, $3, $4, '', '{}')`,
			id, []byte{1}, at, at+250_000)
	}
}

func TestTally(t *testing.T) {
	start := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	const all = tallyChunk + 5
	tests := map[string]struct {
		since, until int // seconds
		most         int
		newest, n    int
		complete     bool
	}{
		"all":                  {0, all, all, all - 1, all, true},
		"more than all":        {-10, all + 10, all + 10, all - 1, all, true},
		"too many":             {0, all, all - 1, all - 1, all - 1, false},
		"too many for a chunk": {0, all, 3, all - 1, 3, false},
		"a chunk":              {0, tallyChunk, tallyChunk, tallyChunk - 1, tallyChunk, true},
		"a chunk of more":      {0, all, tallyChunk, all - 1, tallyChunk, false},
		"a range":              {5, 8, all, 7, 3, true},
		"none":                 {all, all + 1, all, 0, 0, true},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		fillNumbered(t, s, start, all)
		for name, tt := range tests {
			at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
			var got []delivery.Record
			complete, err := s.Tally(t.Context(), at(tt.since), at(tt.until), tt.most, func(r delivery.Record) { got = append(got, r) })
			if err != nil || complete != tt.complete || len(got) != tt.n {
				t.Errorf("%s: %d messages, complete %v, %v", name, len(got), complete, err)
			}
			for i, r := range got {
				created := at(tt.newest - i)
				want := delivery.Record{
					ID: leastID(created), Connector: "mine", Type: "SignIn", State: delivery.StateSent,
					Created: created, Updated: created.Add(250 * time.Millisecond),
				}
				if diff := cmp.Diff(want, r); diff != "" {
					t.Fatalf("%s, message %d (-want +got):\n%s", name, i, diff)
				}
			}
		}
	})
}

func TestTallyReadsTheIndexOfIDs(t *testing.T) {
	s := openTest(t, Options{State: "memory"})
	var plan string
	err := s.engine.read(t.Context(), func(x *tx) error {
		var id, parent, unused int
		return x.row(`EXPLAIN QUERY PLAN `+tallyQuery, "0", "1", 10).Scan(&id, &parent, &unused, &plan)
	})
	if want := "SEARCH message USING INDEX sqlite_autoindex_message_1 (id>? AND id<?)"; err != nil || plan != want {
		t.Errorf("%s, %v", plan, err)
	}
}
