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

// Statistics counts the messages that the query chooses, each in the bucket of its
// arrival, which its id tells. A query for each bucket is faster than one for all, for
// which SQLite would have to sort everything in temporary files.
func (s *Store) Statistics(ctx context.Context, q delivery.StatisticsQuery) (delivery.Statistics, error) {
	if !storable(q.Connector, q.Type) {
		return emptyStatistics(q), nil
	}
	chosen, args := ` WHERE id >= $1 AND id < $2`, []any{"", ""}
	if q.Connector != "" {
		args = append(args, q.Connector)
		chosen += ` AND connector = $` + strconv.Itoa(len(args))
	}
	if q.Type != "" {
		args = append(args, q.Type)
		chosen += ` AND type = $` + strconv.Itoa(len(args))
	}
	return transact(ctx, s.engine.snapshot, func(t *tx) (delivery.Statistics, error) {
		counted := emptyStatistics(q)
		for i := range counted.Latency {
			begin := q.Since.Add(time.Duration(i) * q.Step)
			args[0], args[1] = leastID(begin), min(leastID(begin.Add(q.Step)), leastID(q.Until))
			if err := countMessages(t, &counted, i, chosen, args); err != nil {
				return counted, err
			}
			if err := measureLatency(t, &counted, i, chosen, args); err != nil {
				return counted, err
			}
		}
		slices.SortFunc(counted.Series, func(a, b delivery.Series) int {
			return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Type, b.Type), cmp.Compare(a.State, b.State))
		})
		return counted, nil
	})
}

func emptyStatistics(q delivery.StatisticsQuery) delivery.Statistics {
	return delivery.Statistics{Series: []delivery.Series{}, Latency: make([]*delivery.Latency, q.Buckets())}
}

func countMessages(t *tx, counted *delivery.Statistics, bucket int, chosen string, args []any) error {
	return t.each(func(rows *sql.Rows) error {
		var found delivery.Series
		var n int
		if err := rows.Scan(&found.Connector, &found.Type, &found.State, &n); err != nil {
			return err
		}
		at := slices.IndexFunc(counted.Series, func(s delivery.Series) bool {
			return s.Connector == found.Connector && s.Type == found.Type && s.State == found.State
		})
		if at < 0 {
			at = len(counted.Series)
			found.Counts = make([]int, len(counted.Latency))
			counted.Series = append(counted.Series, found)
		}
		counted.Series[at].Counts[bucket] = n
		return nil
	}, `SELECT connector, type, state, count(*) FROM `+t.messages("message_kind")+chosen+` GROUP BY connector, type, state`, args...)
}

// latencyClass is a class of milliseconds, each class a tenth wider than the one before:
// quantiles are right within 10 %. Less than one millisecond is class -1.
const latencyClass = `CASE WHEN updated_at - created_at < 1000 THEN -1
	ELSE CAST(floor(ln(CAST(updated_at - created_at AS DOUBLE PRECISION) / 1000) / ln(1.1)) AS BIGINT) END`

func measureLatency(t *tx, counted *delivery.Statistics, bucket int, chosen string, args []any) error {
	classes, err := collect(t, func(row scanner) (c latencyCount, err error) {
		err = row.Scan(&c.class, &c.n, &c.longest)
		return c, err
	}, `SELECT `+latencyClass+`, count(*), max(updated_at - created_at) FROM `+t.messages("message_kind")+chosen+` AND state = 'sent' GROUP BY 1 ORDER BY 1`, args...)
	if err == nil && len(classes) > 0 {
		counted.Latency[bucket] = latencyOf(classes)
	}
	return err
}

type latencyCount struct {
	class, n int
	longest  int64 // microseconds
}

// latencyOf takes the classes in their order.
func latencyOf(list []latencyCount) *delivery.Latency {
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

// Backlog returns what is queued, for all processes that share the state, unless the state
// is not ready. It counts up to 100,000 messages.
func (s *Store) Backlog(ctx context.Context) (delivery.Backlog, error) {
	if err := s.Ready(ctx); err != nil {
		return delivery.Backlog{}, err
	}
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
