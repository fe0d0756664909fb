//go:build unix

package store

import (
	"database/sql"
	"path"
	"strings"
	"testing"
)

// A state from before the first release is refused, and left as it is.
func TestUnreleasedStateIsRefused(t *testing.T) {
	for _, kind := range []Kind{SQLite, Postgres} {
		t.Run(string(kind), func(t *testing.T) {
			address := addressOf(t, kind)
			db := openDatabase(t, kind, address)
			if _, err := db.Exec(`CREATE TABLE dmconnector_version (id BIGINT)`); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), Options{State: address, Ring: testRing(t)}); err == nil || !strings.Contains(err.Error(), "use a new data folder") {
				t.Errorf("%v", err)
			}
			if _, err := db.Exec(`SELECT count(*) FROM message`); err == nil {
				t.Error("there are tables")
			}
		})
	}
}

func openDatabase(t *testing.T, kind Kind, address string) *sql.DB {
	t.Helper()
	driver, name := "pgx", address
	if kind == SQLite {
		driver, name = "sqlite", fileName(strings.TrimPrefix(address, "sqlite:"))
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Each word in braces is one of both dialects.
func TestMigrationsHaveNoUnknownWord(t *testing.T) {
	files, err := migrations.ReadDir("migrations")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := migrations.ReadFile(path.Join("migrations", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []*dialect{sqliteDialect, postgresDialect} {
			if written := d.words.Replace(string(text)); strings.ContainsAny(written, "{}") {
				t.Errorf("%s has a word that %s does not know", file.Name(), d.goose)
			}
		}
	}
}
