package store

import (
	"context"
	"database/sql"
	"fmt"

	"dmconnector/internal/seal"
)

// A sealedColumn is a column of sealed values.
type sealedColumn struct {
	table, key, column string
	purpose            func(key string) string
}

func sealedColumns() []sealedColumn {
	return []sealedColumn{
		{"secret", "name", "value", func(name string) string { return name }},
		{"connector", "id", "config", connectorPurpose},
		{"message", "id", "payload", payloadPurpose},
	}
}

// Reseal seals with the first key of a ring whatever another of its keys has
// sealed, all or nothing. It returns how many values that were. The store itself
// keeps its own ring: it is to be closed if that does not have the key.
func (s *Store) Reseal(ctx context.Context, ring *seal.Ring) (int, error) {
	var count int
	err := s.write(ctx, func(t *tx) error {
		resealed := 0
		for _, c := range sealedColumns() {
			n, err := c.reseal(t, ring)
			if err != nil {
				return fmt.Errorf("reseal table %s: %w", c.table, err)
			}
			resealed += n
		}
		count = resealed
		return nil
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}

// A sealedValue is a value of a sealedColumn.
type sealedValue struct {
	key   string
	value []byte
}

func (c sealedColumn) reseal(t *tx, ring *seal.Ring) (count int, err error) {
	last := ""
	for {
		values, err := c.after(t, last)
		if err != nil || len(values) == 0 {
			return count, err
		}
		for _, old := range values {
			last = old.key
			if ring.Current(old.value) {
				continue
			}
			n, err := c.replace(t, ring, old)
			if err != nil {
				return count, fmt.Errorf("%s %q: %w", c.key, old.key, err)
			}
			count += n
		}
	}
}

// after returns the next values behind a key.
func (c sealedColumn) after(t *tx, key string) ([]sealedValue, error) {
	var list []sealedValue
	err := t.each(func(rows *sql.Rows) error {
		var next sealedValue
		err := rows.Scan(&next.key, &next.value)
		list = append(list, next)
		return err
	}, fmt.Sprintf(`SELECT %[1]s, %[2]s FROM %[3]s WHERE %[2]s IS NOT NULL AND %[1]s > $1 ORDER BY %[1]s LIMIT $2`, c.key, c.column, c.table), key, chunk)
	return list, err
}

// replace seals a value anew, unless a process that shares the state has just
// changed it, and so sealed it anew itself, or erased it.
func (c sealedColumn) replace(t *tx, ring *seal.Ring, old sealedValue) (int, error) {
	text, err := ring.Open(c.purpose(old.key), old.value)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(fmt.Sprintf(`UPDATE %s SET %s = $3 WHERE %s = $1 AND %[2]s = $2`, c.table, c.column, c.key),
		old.key, old.value, ring.Seal(c.purpose(old.key), text))
	return int(n), err
}
