package store

import (
	"context"
	"database/sql"
	"time"

	"dmconnector/internal/delivery"
)

// tallyChunk is how many messages are read at once: in memory others wait.
const tallyChunk = 1000

const tallyQuery = `SELECT id, connector, type, state, created_at, updated_at FROM message WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3`

// Tally calls f for the newest messages created from since on and before until,
// from the newest on, up to a number. Of each record it gives only connector, type,
// state and times. It reports whether these were all.
func (s *Store) Tally(ctx context.Context, since, until time.Time, most int, f func(delivery.Record)) (complete bool, err error) {
	least, before := leastID(since), leastID(until)
	for left := most; ; {
		limit := min(tallyChunk, left+1) // one more tells whether these are all
		list, err := s.tallied(ctx, least, before, limit)
		if err != nil {
			return false, err
		}
		for _, r := range list[:min(len(list), left)] {
			f(r)
		}
		if len(list) > left {
			return false, nil
		}
		if len(list) < limit {
			return true, nil
		}
		left, before = left-len(list), list[len(list)-1].ID
	}
}

// tallied reads the newest messages of a range of ids, in whose order they are
// stored.
func (s *Store) tallied(ctx context.Context, least, before string, limit int) ([]delivery.Record, error) {
	var list []delivery.Record
	err := s.engine.read(ctx, func(t *tx) error {
		read := make([]delivery.Record, 0, limit)
		err := t.each(func(rows *sql.Rows) error {
			var (
				r               delivery.Record
				created, update int64
			)
			err := rows.Scan(&r.ID, &r.Connector, &r.Type, &r.State, &created, &update)
			r.Created, r.Updated = fromMicros(created), fromMicros(update)
			read = append(read, r)
			return err
		}, tallyQuery, least, before, limit)
		list = read
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
