package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations are the same for both kinds of database; see [dialect] for the words in
// braces. They only add, so that a replica of the previous version goes on while the
// next one starts.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	versionTable = "dmconnector_schema"
	// unreleasedTable is the version table of states from before the first release.
	unreleasedTable = "dmconnector_version"
)

func newProvider(db *sql.DB, d *dialect, locker lock.Locker) (*goose.Provider, error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var list []*goose.Migration
	for _, file := range files {
		version, err := goose.NumericComponent(file.Name())
		if err != nil {
			return nil, err
		}
		text, err := migrations.ReadFile(path.Join("migrations", file.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, t *sql.Tx) error {
			_, err := t.ExecContext(ctx, d.words.Replace(string(text)))
			return err
		}}, nil))
	}
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable), goose.WithGoMigrations(list...),
	}
	if locker != nil {
		options = append(options, goose.WithLocker(locker))
	}
	return goose.NewProvider(d.goose, db, nil, options...)
}

// migrate brings the tables up to date. It refuses tables of a later version of the
// program, and of unreleased ones.
func migrate(ctx context.Context, db *sql.DB, d *dialect, locker lock.Locker) error {
	var unreleased bool
	if err := db.QueryRowContext(ctx, d.hasTable, unreleasedTable).Scan(&unreleased); err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if unreleased {
		return errors.New("the state is of an unreleased version of the program: use a new data folder, or a new database or schema for PostgreSQL")
	}
	provider, err := newProvider(db, d, locker)
	if err != nil {
		return err
	}
	current, latest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if current > latest {
		return fmt.Errorf("the state is of version %d, and this program knows only %d: start the newer program", current, latest)
	}
	if current == latest {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	return nil
}

// checkVersion refuses tables that another process is about to bring up to date, or
// has brought to another version.
func checkVersion(ctx context.Context, db *sql.DB, d *dialect) error {
	provider, err := newProvider(db, d, nil)
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	latest := sources[len(sources)-1].Version
	var current sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT max(version_id) FROM `+versionTable).Scan(&current)
	if err != nil || current.Int64 != latest {
		return errors.Join(errors.New("the process that uses the state is just starting, or of another version than this program: try again, or stop it"), err)
	}
	return nil
}
