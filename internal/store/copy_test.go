//go:build unix

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
	"dmconnector/internal/registry"
	"dmconnector/internal/seal"
)

// dump is all that a state has, with what is sealed opened.
func dump(t *testing.T, s *Store) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, tb := range tables() {
		var last any
		sealed := slices.Index(tb.columns, tb.sealed)
		for {
			rows, err := transact(t.Context(), s.engine.read, func(x *tx) ([][]any, error) { return tb.after(x, last, copyChunk) })
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			last = rows[len(rows)-1][0]
			for _, row := range rows {
				if sealed >= 0 && row[sealed] != nil {
					text, err := s.ring.Open(tb.purpose(row[0].(string)), row[sealed].([]byte))
					if err != nil {
						t.Fatalf("%s %v: %v", tb.name, row[0], err)
					}
					row[sealed] = text
				}
				all[tb.name] = append(all[tb.name], fmt.Sprintf("%x", row))
			}
		}
	}
	return all
}

// fillAll has something in every table.
func fillAll(t *testing.T, s *Store) []string {
	t.Helper()
	ids := fillSealed(t, s, copyChunk+3)
	mustAccept(t, s, order{key: "k", supersede: "p", charges: []delivery.Charge{s.limit("recipient", "u", 10)}})
	mustCreateToken(t, s, Token{Scope: "send", Note: "Ünïcode"})
	if _, err := s.PutTemplates(t.Context(), []registry.EmailTemplate{testTemplate("1", "en", "SignIn")}, change("me", "x", "")); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestCopyThereAndBack(t *testing.T) {
	fileKey, databaseKey := seal.NewKey(), seal.NewKey()
	file := Options{State: addressOf(t, SQLite), Ring: ringOf(t, fileKey)}
	database := Options{State: addressOf(t, Postgres), Ring: ringOf(t, databaseKey)}
	back := Options{State: addressOf(t, SQLite), Ring: ringOf(t, fileKey)}

	s, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ids := fillAll(t, s)
	want, hash := dump(t, s), s.Hash("x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, way := range [][2]Options{{file, database}, {database, back}} {
		copied, err := Copy(t.Context(), way[0], way[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range copied {
			if c.Rows == 0 || c.Rows != len(want[c.Table]) {
				t.Errorf("%d rows of %s were copied, want %d", c.Rows, c.Table, len(want[c.Table]))
			}
		}
		target, err := open(t.Context(), way[1])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, dump(t, target)); diff != "" {
			t.Error(diff)
		}
		if err := target.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = openTest(t, database)
	if s.Hash("x") != hash {
		t.Error("the hashes have changed")
	}
	checkSealed(t, s, ids)
}

// A table or column that is forgotten would be lost without a word.
func TestEveryTableIsCopied(t *testing.T) {
	s := openTest(t, Options{State: "memory"})
	want := make(map[string][]string)
	err := s.engine.read(t.Context(), func(x *tx) error {
		return x.each(func(rows *sql.Rows) error {
			var table, column string
			err := rows.Scan(&table, &column)
			want[table] = append(want[table], column)
			return err
		}, `SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT IN ('replica', 'session', 'dmconnector_schema') ORDER BY m.name, c.cid`)
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	for _, tb := range tables() {
		got[tb.name] = tb.columns
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCopyThatCannotBe(t *testing.T) {
	ring := testRing(t)
	filled := func(t *testing.T, kind Kind) Options {
		opts := Options{State: addressOf(t, kind), Ring: ring}
		s, err := Open(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		mustAccept(t, s, order{mode: delivery.Queued})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return opts
	}
	empty := func(t *testing.T, kind Kind) Options { return Options{State: addressOf(t, kind), Ring: ring} }
	used := func(t *testing.T, opts Options) Options { openTest(t, opts); return opts }
	for name, test := range map[string]struct {
		options func(t *testing.T) (from, to Options)
		want    string
	}{
		"from a file in use": {func(t *testing.T) (from, to Options) {
			return used(t, filled(t, SQLite)), empty(t, SQLite)
		}, "to copy from: open the state: .* is in use by another process"},
		"to a file in use": {func(t *testing.T) (from, to Options) {
			return filled(t, SQLite), used(t, empty(t, SQLite))
		}, "to copy to: open the state: .* is in use by another process"},
		"from a database in use": {func(t *testing.T) (from, to Options) {
			return used(t, filled(t, Postgres)), empty(t, SQLite)
		}, "to copy from: it is in use by 1 other processes"},
		"to a database in use": {func(t *testing.T) (from, to Options) {
			return filled(t, SQLite), used(t, empty(t, Postgres))
		}, "to copy to: it is in use by 1 other processes"},
		"to one that has something": {func(t *testing.T) (from, to Options) {
			return filled(t, SQLite), filled(t, Postgres)
		}, "to copy to is not empty: table message has 1 rows"},
		"from one that has nothing": {func(t *testing.T) (from, to Options) {
			return empty(t, SQLite), empty(t, SQLite)
		}, "nothing to copy"},
		"from one of another key": {func(t *testing.T) (from, to Options) {
			from = filled(t, SQLite)
			from.Ring = ringOf(t, seal.NewKey())
			return from, empty(t, SQLite)
		}, "sealed with another key"},
		"to itself":   {func(t *testing.T) (from, to Options) { from = filled(t, SQLite); return from, from }, "into itself"},
		"from memory": {func(t *testing.T) (from, to Options) { return Options{State: "memory"}, empty(t, SQLite) }, "is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := test.options(t)
			copied, err := Copy(t.Context(), from, to)
			if err == nil || !matches(test.want, err.Error()) || copied != nil {
				t.Errorf("%v, %v; want %s", copied, err, test.want)
			}
		})
	}
}

func matches(pattern, text string) bool {
	first, last, _ := strings.Cut(pattern, ".*")
	_, rest, found := strings.Cut(text, first)
	return found && strings.Contains(rest, last)
}

// A target that a server was once started on has a key of its own for hashes,
// which nothing uses yet.
func TestCopyIntoOneThatWasStarted(t *testing.T) {
	for _, kind := range []Kind{SQLite, Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			from := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
			to := Options{State: addressOf(t, kind), Ring: testRing(t)}
			hashes := make(map[string]delivery.Hash)
			for _, opts := range []Options{from, to} {
				s, err := Open(t.Context(), opts)
				if err != nil {
					t.Fatal(err)
				}
				hashes[opts.State] = s.Hash("x")
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Copy(t.Context(), from, to); err != nil {
				t.Fatal(err)
			}
			if s := openTest(t, to); s.Hash("x") != hashes[from.State] || s.Hash("x") == hashes[to.State] {
				t.Error("the key of the hashes was not copied")
			}
		})
	}
}

// stopping ends a context at a read in mid-copy.
type stopping struct {
	engine
	reads  int
	cancel context.CancelFunc
}

func (e *stopping) read(ctx context.Context, step func(*tx) error) error {
	if e.reads--; e.reads == 0 {
		e.cancel()
	}
	return e.engine.read(ctx, step)
}

func TestCopyThatIsStoppedLeavesNothing(t *testing.T) {
	for _, kind := range []Kind{SQLite, Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			from, to := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)}), Options{State: addressOf(t, kind), Ring: testRing(t)}
			fillAll(t, from)
			target, err := open(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			inner := from.engine
			from.engine = &stopping{engine: inner, reads: 12, cancel: cancel}
			_, err = copyAll(ctx, from, target)
			if closing := target.Close(); !errors.Is(err, context.Canceled) || closing != nil {
				t.Errorf("%v, %v", err, closing)
			}
			from.engine = inner
			if s := openTest(t, to); s.rows(t) != 0 || len(mustTokens(t, s)) != 0 {
				t.Error("half a copy is left behind")
			}
		})
	}
}
