package store

import (
	"context"
	"time"

	"dmconnector/internal/delivery"
)

// maxBacklog is how many queued messages are counted.
const maxBacklog = 100_000

// It reads the index of what is due alone.
const backlogQuery = `
SELECT count(*), coalesce(min(due_at), 0) FROM (
	SELECT due_at FROM message WHERE state IN ('queued', 'sending') AND state = 'queued' ORDER BY due_at LIMIT $1
) AS waiting`

// Backlog tells what is queued in the state, for all who share it. Beyond
// 100,000 messages it does not count on.
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

// Expired is how many queued messages this process has ended because they were
// not sent while they were good.
func (s *Store) Expired() int64 { return s.expired.Load() }
