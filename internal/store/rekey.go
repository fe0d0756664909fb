package store

import (
	"context"
	"database/sql"
	"fmt"

	"dmconnector/internal/seal"
)

// A vault is a column of sealed values.
type vault struct {
	table, key, column string
	purpose            func(key string) string
}

// vaults are all of them.
func vaults() []vault {
	return []vault{
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
		for _, v := range vaults() {
			n, err := v.reseal(t, ring)
			if err != nil {
				return fmt.Errorf("reseal table %s: %w", v.table, err)
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

// A sealedValue is a value in a vault.
type sealedValue struct {
	key   string
	value []byte
}

func (v vault) reseal(t *tx, ring *seal.Ring) (count int, err error) {
	last := ""
	for {
		values, err := v.after(t, last)
		if err != nil || len(values) == 0 {
			return count, err
		}
		for _, old := range values {
			last = old.key
			if ring.Current(old.value) {
				continue
			}
			n, err := v.replace(t, ring, old)
			if err != nil {
				return count, fmt.Errorf("%s %q: %w", v.key, old.key, err)
			}
			count += n
		}
	}
}

// after returns the next values behind a key.
func (v vault) after(t *tx, key string) ([]sealedValue, error) {
	var list []sealedValue
	err := t.each(func(rows *sql.Rows) error {
		var next sealedValue
		err := rows.Scan(&next.key, &next.value)
		list = append(list, next)
		return err
	}, fmt.Sprintf(`SELECT %[1]s, %[2]s FROM %[3]s WHERE %[2]s IS NOT NULL AND %[1]s > $1 ORDER BY %[1]s LIMIT $2`, v.key, v.column, v.table), key, chunk)
	return list, err
}

// replace seals a value anew, unless a process that shares the state has just
// changed it, and so sealed it anew itself, or erased it.
func (v vault) replace(t *tx, ring *seal.Ring, old sealedValue) (int, error) {
	text, err := ring.Open(v.purpose(old.key), old.value)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(fmt.Sprintf(`UPDATE %s SET %s = $3 WHERE %s = $1 AND %[2]s = $2`, v.table, v.column, v.key),
		old.key, old.value, ring.Seal(v.purpose(old.key), text))
	return int(n), err
}
