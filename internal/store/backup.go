package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of a SQLite state, as of one moment, into a new file for its owner
// alone. A process may be serving on the state meanwhile. The copy needs the same key,
// which it does not contain.
func Backup(ctx context.Context, state, path string) error {
	source, err := ParseAddress(state)
	switch {
	case err != nil:
		return err
	case source.Kind == Postgres:
		return errors.New("use PostgreSQL's own pg_dump to back up a state in PostgreSQL")
	case source.Kind == Memory:
		return errMemory
	}
	// An absolute path cannot be mistaken for a URI.
	path, err = filepath.Abs(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := backUp(ctx, source.Path, file); err != nil {
		return errors.Join(fmt.Errorf("back up the state: %w", explainFile(err, source.Path)), file.Close(), os.Remove(path))
	}
	return file.Close()
}

var errMemory = errors.New("the state memory is lost when its process ends: there is nothing to work on")

// backUp fills an empty file.
func backUp(ctx context.Context, source string, file *os.File) error {
	db, err := sql.Open("sqlite", fileName(source)+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, file.Name()); err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(db.Close(), file.Sync())
}
