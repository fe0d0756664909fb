package store

import (
	"context"
	"fmt"

	"dmconnector/internal/seal"
)

// Reseal seals with the first key of a ring what another of its keys has sealed, all or
// nothing. It returns how many values that were. The store keeps its own ring: close it
// if that does not have the key.
func (s *Store) Reseal(ctx context.Context, ring *seal.Ring) (int, error) {
	return transact(ctx, s.write, func(t *tx) (int, error) {
		count := 0
		for _, tb := range tables() {
			if tb.sealed == "" {
				continue
			}
			n, err := tb.resealAll(t, ring)
			if err != nil {
				return 0, fmt.Errorf("reseal table %s: %w", tb.name, err)
			}
			count += n
		}
		return count, nil
	})
}

func (tb *table) resealAll(t *tx, ring *seal.Ring) (count int, err error) {
	values := table{name: tb.name, columns: []string{tb.columns[0], tb.sealed}, only: tb.sealed + ` IS NOT NULL`}
	var last any
	for {
		rows, err := values.after(t, last, chunk)
		if err != nil || len(rows) == 0 {
			return count, err
		}
		last = rows[len(rows)-1][0]
		for _, row := range rows {
			if ring.Current(row[1].([]byte)) {
				continue
			}
			n, err := tb.replace(t, ring, row[0], row[1])
			if err != nil {
				return count, err
			}
			count += n
		}
	}
}

// replace seals a value again, unless a process that shares the state has changed it
// meanwhile, and so sealed it itself, or erased it.
func (tb *table) replace(t *tx, ring *seal.Ring, key, value any) (int, error) {
	resealed, err := tb.reseal(key, value, ring, ring)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(fmt.Sprintf(`UPDATE %s SET %s = $3 WHERE %s = $1 AND %[2]s = $2`, tb.name, tb.sealed, tb.columns[0]), key, value, resealed)
	return int(n), err
}
