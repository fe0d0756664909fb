package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ExplainAccess adds to an error that this process may not use a folder, or one of its
// files, which of them it is, who owns it, and how to change that. Other errors stay as
// they are.
func ExplainAccess(err error, folder string, files ...string) error {
	refused := errors.Is(err, fs.ErrPermission)
	if failed, ok := errors.AsType[*sqlite.Error](err); ok {
		code := failed.Code() & 0xff
		refused = code == sqlite3.SQLITE_CANTOPEN || code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_PERM
	}
	if !refused {
		return err
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if _, missing := os.Stat(folder); missing != nil {
		parent := folder
		for missing != nil && parent != filepath.Dir(parent) {
			parent = filepath.Dir(parent)
			_, missing = os.Stat(parent)
		}
		return fmt.Errorf("cannot use the folder %s: %s %s, and this process runs as %d:%d; as root, run: install -d -o %[4]d -g %[5]d -m 700 %[1]s: %[6]w",
			folder, parent, ownerOf(parent), uid, gid, err)
	}
	culprit := folder
	for _, path := range files {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		f, failed := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(failed, fs.ErrPermission) {
			culprit = path
			break
		}
		_ = f.Close() // it may be nil
	}
	cure := fmt.Sprintf("as root, run: chown -R %d:%d %[3]s && chmod -R u+rwX %[3]s; in Kubernetes, set fsGroup to %[2]d", uid, gid, folder)
	if info, err := os.Stat(folder); err != nil || info.Mode()&fs.ModeSticky != 0 || folder == filepath.Dir(folder) {
		cure = "use a folder of its own for the state" // this one is for everybody
	}
	return fmt.Errorf("cannot use %s, which %s, and this process runs as %d:%d; %s: %w", culprit, ownerOf(culprit), uid, gid, cure, err)
}

// ownerOf says whose a file is, and what its mode is.
func ownerOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "cannot be looked at"
	}
	if uid, gid, ok := owner(info); ok {
		return fmt.Sprintf("belongs to %d:%d with mode %04o", uid, gid, info.Mode().Perm())
	}
	return fmt.Sprintf("has mode %04o", info.Mode().Perm())
}
