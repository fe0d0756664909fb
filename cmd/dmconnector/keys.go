package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"dmconnector/internal/plaintext"
	"dmconnector/internal/seal"
	"dmconnector/internal/store"
)

const (
	// keyVariable has no flag, which the process list would show.
	keyVariable = "DMCONNECTOR_SECRET_KEY"
	keyFile     = "secret-key" // in --data
)

// stateOptions returns the state that the flags name, with its sealing keys.
func stateOptions(state, data string) (store.Options, error) {
	opts := store.Options{State: stateAddress(state, data)}
	address, err := store.ParseAddress(opts.State)
	if err != nil || address.Kind == store.Memory {
		return opts, err
	}
	keys, err := secretKeys(address, data)
	if err != nil {
		return opts, store.ExplainAccess(err, data, filepath.Join(data, keyFile))
	}
	opts.Ring, err = seal.NewRing(keys...)
	return opts, err
}

// warnOfAccess logs which of these folders other users of the machine may write to, and
// which files they may use. It is not refused: some systems show such modes for all of a
// volume.
func warnOfAccess(log *slog.Logger, paths []string) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		info, err := os.Stat(path)
		folder, folderErr := os.Stat(filepath.Dir(path))
		if err != nil || folderErr != nil {
			continue
		}
		others, fix := fs.FileMode(0o077), "chmod 600 "
		if info.IsDir() {
			folder, others, fix = info, 0o022, "chmod 700 "
		}
		if folder.Mode()&fs.ModeSetgid != 0 {
			others &= 0o007 // the group was chosen, as by Kubernetes' fsGroup
		}
		// In a folder such as /tmp, only a file's owner may replace it.
		if info.Mode()&others != 0 && info.Mode()&fs.ModeSticky == 0 {
			log.Warn("other users of the machine may read or change the state or its secrets", "fix", fix+path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
		}
	}
}

// stateAddress returns --state, or its default.
func stateAddress(state, data string) string {
	switch {
	case state != "":
		return state
	case data == "":
		return string(store.Memory)
	}
	return "sqlite:" + filepath.Join(data, "state.db")
}

// secretKeys returns the keys of a state that lasts: those of the environment, else for
// SQLite those of the file in the data folder, which is created before the state.
func secretKeys(state store.Address, folder string) ([][]byte, error) {
	keys, err := environmentKeys()
	if err != nil || keys != nil {
		return keys, err
	}
	if state.Kind == store.Postgres {
		return nil, fmt.Errorf("set %s or %[1]s_FILE: PostgreSQL needs a sealing key, the same for all processes; create one with: openssl rand -base64 %d", keyVariable, seal.KeySize)
	}
	// Check this before the key: another process that creates both creates the key first.
	exists := stateExists(state)
	keys, err = fileKeys(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if exists {
		return nil, fmt.Errorf("the sealing key of the state is missing: restore %s, or set %s to its content", filepath.Join(folder, keyFile), keyVariable)
	}
	return makeKey(folder)
}

// environmentKeys returns the keys in the environment, or nil.
func environmentKeys() ([][]byte, error) {
	text, ok, err := lookUp(keyVariable, true)
	if err != nil || !ok {
		return nil, err
	}
	keys, err := seal.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyVariable, err)
	}
	return keys, nil
}

func fileKeys(folder string) ([][]byte, error) {
	path := filepath.Join(folder, keyFile)
	text, err := plaintext.ReadFile(path, maxSecretFile)
	if err != nil {
		return nil, err
	}
	keys, err := seal.ParseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// openingKeys returns every key that may open a state to be read.
func openingKeys(state store.Address, folder string) ([][]byte, error) {
	keys, err := secretKeys(state, folder)
	if err != nil {
		return nil, err
	}
	more, err := fileKeys(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return append(keys, more...), nil
}

// stateExists reports whether the state exists; for PostgreSQL always true.
func stateExists(state store.Address) bool {
	if state.Kind != store.SQLite {
		return true
	}
	_, err := os.Stat(state.Path)
	return !errors.Is(err, fs.ErrNotExist)
}

// makeKey creates the file of a fresh key. If another process has just created one, it
// returns that.
func makeKey(folder string) ([][]byte, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	fresh := seal.NewKey()
	temporary, err := writeKeys(folder, fresh)
	if err != nil {
		return nil, err
	}
	// Unlike a rename, a link does not replace what is there.
	err = os.Link(temporary, filepath.Join(folder, keyFile))
	if errors.Is(err, fs.ErrExist) {
		err = os.Remove(temporary)
		keys, readErr := fileKeys(folder)
		return keys, errors.Join(err, readErr)
	}
	if err := errors.Join(err, os.Remove(temporary), syncFolder(folder)); err != nil {
		return nil, err
	}
	return [][]byte{fresh}, nil
}

// replaceKeys replaces the file's keys. Whatever happens, the file has the old
// ones or the new ones.
func replaceKeys(folder string, keys ...[]byte) error {
	temporary, err := writeKeys(folder, keys...)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, keyFile)
	if err := keepOwner(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(folder)
}

// writeKeys writes keys to a new file of mode 0600, and syncs it: without its key a
// state is lost.
func writeKeys(folder string, keys ...[]byte) (path string, err error) {
	f, err := os.CreateTemp(folder, keyFile+".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(seal.FormatKeys(keys...))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncFolder syncs the names of a folder's files to the disk.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
