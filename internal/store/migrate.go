package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrations only add, so that a replica of the version before goes on while the
// next one starts.
//
//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// newProvider finds the migrations of a folder.
func newProvider(db *sql.DB, kind goose.Dialect, folder string, locker lock.Locker) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable)}
	if locker != nil {
		options = append(options, goose.WithLocker(locker))
	}
	return goose.NewProvider(kind, db, files, options...)
}

const versionTable = "dmconnector_version"

// migrate brings the tables up to date. It refuses tables of a later version of
// the program.
func migrate(ctx context.Context, db *sql.DB, kind goose.Dialect, folder string, locker lock.Locker) error {
	provider, err := newProvider(db, kind, folder, locker)
	if err != nil {
		return err
	}
	current, latest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the tables' version: %w", err)
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

// checkVersion refuses tables that another process is about to bring up to date,
// or has brought to another version.
func checkVersion(ctx context.Context, db *sql.DB, kind goose.Dialect, folder string, locker lock.Locker) error {
	provider, err := newProvider(db, kind, folder, locker)
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
