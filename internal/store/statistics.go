package store

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"slices"
	"strconv"
	"time"

	"dmconnector/internal/delivery"
)

// Statistics counts the messages that the query chooses.
func (s *Store) Statistics(ctx context.Context, q delivery.StatisticsQuery) (delivery.Statistics, error) {
	if !storable(q.Connector, q.Type) {
		return emptyStatistics(q), nil
	}
	// Callers tell times by the clock of this process.
	skew := s.skew().Round(time.Millisecond)
	args := []any{micros(q.Since.Add(skew)), micros(q.Until.Add(skew)), q.Step.Microseconds()}
	chosen := ` WHERE created_at >= $1 AND created_at < $2`
	if q.Connector != "" {
		args = append(args, q.Connector)
		chosen += ` AND connector = $` + strconv.Itoa(len(args))
	}
	if q.Type != "" {
		args = append(args, q.Type)
		chosen += ` AND type = $` + strconv.Itoa(len(args))
	}
	var result delivery.Statistics
	err := s.engine.snapshot(ctx, func(t *tx) error {
		counted := emptyStatistics(q)
		if err := countMessages(t, &counted, chosen, args); err != nil {
			return err
		}
		if err := measureLatency(t, &counted, chosen, args); err != nil {
			return err
		}
		result = counted
		return nil
	})
	if err != nil {
		return delivery.Statistics{}, err
	}
	return result, nil
}

func emptyStatistics(q delivery.StatisticsQuery) delivery.Statistics {
	return delivery.Statistics{Series: []delivery.Series{}, Latency: make([]*delivery.Latency, q.Buckets())}
}

// bucket is the number of a message's bucket of time. SQLite groups faster if it comes
// first: messages are read in that order.
const bucket = `(created_at - $1) / $3`

func countMessages(t *tx, counted *delivery.Statistics, chosen string, args []any) error {
	type kind struct{ connector, usageType, state string }
	places := make(map[kind]int)
	err := t.each(func(rows *sql.Rows) error {
		var (
			at, n int
			k     kind
		)
		if err := rows.Scan(&at, &k.connector, &k.usageType, &k.state, &n); err != nil {
			return err
		}
		place, ok := places[k]
		if !ok {
			place = len(counted.Series)
			places[k] = place
			counted.Series = append(counted.Series, delivery.Series{
				Connector: k.connector, Type: k.usageType, State: delivery.State(k.state), Counts: make([]int, len(counted.Latency)),
			})
		}
		counted.Series[place].Counts[at] = n
		return nil
	}, `SELECT `+bucket+`, connector, type, state, count(*) FROM `+t.messages("message_created")+chosen+` GROUP BY 1, 2, 3, 4`, args...)
	slices.SortFunc(counted.Series, func(a, b delivery.Series) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Type, b.Type), cmp.Compare(a.State, b.State))
	})
	return err
}

// latencyClass is a class of milliseconds, each class a tenth wider than the one before:
// quantiles are right within 10 %. Less than one millisecond is class -1.
const latencyClass = `CASE WHEN updated_at - created_at < 1000 THEN -1
	ELSE CAST(floor(ln(CAST(updated_at - created_at AS DOUBLE PRECISION) / 1000) / ln(1.1)) AS BIGINT) END`

func measureLatency(t *tx, counted *delivery.Statistics, chosen string, args []any) error {
	classes := make([][]latencyCount, len(counted.Latency))
	err := t.each(func(rows *sql.Rows) error {
		var (
			at int
			c  latencyCount
		)
		err := rows.Scan(&at, &c.class, &c.n, &c.longest)
		if err == nil {
			classes[at] = append(classes[at], c)
		}
		return err
	}, `SELECT `+bucket+`, `+latencyClass+`, count(*), max(updated_at - created_at) FROM `+t.messages("message_created")+chosen+` AND state = 'sent' GROUP BY 1, 2`, args...)
	for at, list := range classes {
		if len(list) > 0 {
			counted.Latency[at] = latencyOf(list)
		}
	}
	return err
}

type latencyCount struct {
	class, n int
	longest  int64 // microseconds
}

func latencyOf(list []latencyCount) *delivery.Latency {
	slices.SortFunc(list, func(a, b latencyCount) int { return cmp.Compare(a.class, b.class) })
	all, longest := 0, int64(0)
	for _, c := range list {
		all += c.n
		longest = max(longest, c.longest/1000)
	}
	quantile := func(q float64) int64 {
		rank := int(math.Ceil(q * float64(all)))
		for _, c := range list {
			if rank -= c.n; rank > 0 {
				continue
			}
			if c.class < 0 {
				return 0
			}
			return min(int64(math.Round(math.Pow(1.1, float64(c.class)+0.5))), longest) // the middle of the class
		}
		return longest
	}
	return &delivery.Latency{P50: quantile(0.5), P95: quantile(0.95), Max: longest}
}

// maxBacklog is how many queued messages are counted.
const maxBacklog = 100_000

// It reads the index of what is due alone.
const backlogQuery = `
SELECT count(*), coalesce(min(due_at), 0) FROM (
	SELECT due_at FROM message WHERE state IN ('queued', 'sending') AND state = 'queued' ORDER BY due_at LIMIT $1
) AS waiting`

// Backlog returns what is queued, for all processes that share the state. It counts up
// to 100,000 messages.
func (s *Store) Backlog(ctx context.Context) (delivery.Backlog, error) {
	var queued, due int64
	err := s.engine.read(ctx, func(t *tx) error {
		return t.row(backlogQuery, maxBacklog).Scan(&queued, &due)
	})
	if err != nil || queued == 0 {
		return delivery.Backlog{}, err
	}
	return delivery.Backlog{Queued: int(queued), Late: max(0, s.engine.now().Sub(time.UnixMicro(due)))}, nil
}

// Expired is how many queued messages this process has ended because they were not sent
// within their lifetime.
func (s *Store) Expired() int64 { return s.expired.Load() }
