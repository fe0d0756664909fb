//go:build unix

package store

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
)

var statisticsStart = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

// insertAt inserts a message of some time after the start that took so long.
func (s *Store) insertAt(t *testing.T, after time.Duration, connector, usageType string, state delivery.State, took time.Duration) {
	t.Helper()
	created := statisticsStart.Add(after)
	s.run(t, `
INSERT INTO message (id, connector, type, mode, state, code, detail, recipient, address, body, superseded, hold,
	attempts, owner, due_at, expires_at, created_at, updated_at, charges, steps)
VALUES ($1, $2, $3, 'direct', $4, '', '', 'u***@example.com', $5, $5, 0, 0, 1, '', 0, 0, $6, $7, '[]', '{}')`,
		leastID(created)[:24]+delivery.NewID()[24:], connector, usageType, string(state), []byte{1}, micros(created), micros(created.Add(took)))
}

func TestStatistics(t *testing.T) {
	minutes := func(n int) delivery.StatisticsQuery {
		return delivery.StatisticsQuery{Since: statisticsStart, Until: statisticsStart.Add(time.Duration(n) * time.Minute), Step: time.Minute}
	}
	series := func(connector, usageType string, state delivery.State, counts ...int) delivery.Series {
		return delivery.Series{Connector: connector, Type: usageType, State: state, Counts: counts}
	}
	ofConnector, ofType, longer := minutes(3), minutes(3), minutes(3)
	ofConnector.Connector, ofType.Type = "other", "Generic"
	longer.Step, longer.Since = 100*time.Second, longer.Since.Add(-time.Minute)
	none := minutes(3)
	none.Connector = "no\x00ne"
	zero, ms := &delivery.Latency{}, func(p50, p95, most int64) *delivery.Latency {
		return &delivery.Latency{P50: p50, P95: p95, Max: most}
	}
	tests := map[string]struct {
		query delivery.StatisticsQuery
		want  delivery.Statistics
	}{
		"all": {minutes(3), delivery.Statistics{
			Series: []delivery.Series{
				series("mine", "Generic", "queued", 0, 1, 0), series("mine", "SignIn", "failed", 2, 0, 1),
				series("mine", "SignIn", "sent", 0, 1, 1), series("other", "Register", "sent", 0, 0, 1),
			},
			Latency: []*delivery.Latency{nil, zero, ms(39, 1000, 1000)},
		}},
		"a connector": {ofConnector, delivery.Statistics{
			Series: []delivery.Series{series("other", "Register", "sent", 0, 0, 1)}, Latency: []*delivery.Latency{nil, nil, ms(1000, 1000, 1000)},
		}},
		"a type": {ofType, delivery.Statistics{
			Series: []delivery.Series{series("mine", "Generic", "queued", 0, 1, 0)}, Latency: make([]*delivery.Latency, 3),
		}},
		"another step": {longer, delivery.Statistics{
			Series: []delivery.Series{
				series("mine", "Generic", "queued", 0, 1, 0), series("mine", "SignIn", "failed", 2, 1, 0),
				series("mine", "SignIn", "sent", 1, 1, 1), series("other", "Register", "sent", 0, 0, 1),
			},
			Latency: []*delivery.Latency{zero, zero, ms(39, 1000, 1000)},
		}},
		"nothing": {none, delivery.Statistics{Series: []delivery.Series{}, Latency: make([]*delivery.Latency, 3)}},
	}
	onEveryKind(t, func(t *testing.T, s *Store) {
		s.insertAt(t, -time.Millisecond, "mine", "SignIn", "sent", 0)
		s.insertAt(t, 0, "mine", "SignIn", "failed", 0)
		s.insertAt(t, time.Second, "mine", "SignIn", "failed", 0)
		s.insertAt(t, 119*time.Second, "mine", "Generic", "queued", 0)
		s.insertAt(t, 119*time.Second, "mine", "SignIn", "sent", 0)
		s.insertAt(t, 120*time.Second, "mine", "SignIn", "failed", time.Hour)
		s.insertAt(t, 179*time.Second, "mine", "SignIn", "sent", 40*time.Millisecond)
		s.insertAt(t, 180*time.Second-time.Millisecond, "other", "Register", "sent", time.Second)
		s.insertAt(t, 180*time.Second, "mine", "SignIn", "sent", 0)
		for name, tt := range tests {
			got, err := s.Statistics(t.Context(), tt.query)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
			}
		}
	})
}

// Callers do not know the state's clock.
func TestStatisticsOfAnotherClock(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		right := s.engine
		for clock, by := range skews {
			s.engine = skewed{right, by}
			e := mustAccept(t, s, order{})
			mustComplete(t, s, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateSent})
			now := time.Now()
			got, err := s.Statistics(t.Context(), delivery.StatisticsQuery{Since: now.Add(-90 * time.Second), Until: now.Add(90 * time.Second), Step: time.Minute})
			want := []delivery.Series{{Connector: "mine", Type: "SignIn", State: "sent", Counts: []int{0, 1, 0}}}
			if diff := cmp.Diff(want, got.Series); err != nil || diff != "" || got.Latency[1] == nil {
				t.Errorf("%s: %v, %v, %s", clock, err, got.Latency, diff)
			}
			s.run(t, `DELETE FROM message`)
		}
	})
}

// Quantiles are right within 10 %, and the longest is exact.
func TestLatencyQuantiles(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		for n, unit := range []time.Duration{time.Millisecond, 37 * time.Millisecond, time.Minute} {
			s.run(t, `DELETE FROM message`)
			for range 18 {
				s.insertAt(t, time.Minute, "mine", "SignIn", "sent", time.Duration(n+1)*unit)
			}
			s.insertAt(t, time.Minute, "mine", "SignIn", "sent", 7*time.Duration(n+1)*unit)
			s.insertAt(t, time.Minute, "mine", "SignIn", "sent", 8*time.Duration(n+1)*unit)
			got, err := s.Statistics(t.Context(), delivery.StatisticsQuery{Since: statisticsStart, Until: statisticsStart.Add(time.Hour), Step: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			l, ms := got.Latency[0], float64((time.Duration(n+1) * unit).Milliseconds())
			if math.Abs(float64(l.P50)/ms-1) > 0.1 || math.Abs(float64(l.P95)/(7*ms)-1) > 0.1 || float64(l.Max) != 8*ms {
				t.Errorf("%v ms: %+v", ms, *l)
			}
		}
	})
}
