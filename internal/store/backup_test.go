//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dmconnector/internal/delivery"
)

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made", "here")
	path := filepath.Join(folder, "state.db")
	s := openTest(t, Options{State: "sqlite:" + path, Ring: testRing(t)})
	mustAccept(t, s, order{})
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		if got := mode(t, name); got != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(name), got)
		}
	}
	if got := mode(t, folder); got != 0o700 {
		t.Errorf("the folder has mode %o", got)
	}
}

func TestBackupWhileOthersWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "state.db")
	s := openTest(t, Options{State: "sqlite:" + path, Ring: testRing(t)})
	first := mustAccept(t, s, order{mode: delivery.Queued})
	if err := s.InsertConnector(t.Context(), testConnector("a"), change("me", "x", "a")); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				mustAccept(t, s, order{})
			}
		}
	})
	copied := filepath.Join(folder, "file:copy?x=1.db") // no URI
	err := Backup(t.Context(), "sqlite:"+path, copied)
	close(stop)
	writer.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got := mode(t, copied); got != 0o600 {
		t.Errorf("the backup has mode %o", got)
	}

	restored := openTest(t, Options{State: "sqlite:" + copied, Ring: testRing(t)})
	if work := mustClaim(t, restored, 10); len(work) != 1 || work[0].ID != first.ID || string(work[0].Payload) != string(first.Payload) {
		t.Errorf("%+v", work)
	}
	if c := mustConfiguration(t, restored); len(c.Connectors) != 1 || !strings.Contains(string(c.Connectors[0].Config), "hunter2") {
		t.Errorf("%d connectors", len(c.Connectors))
	}
	if restored.Hash("x") != s.Hash("x") {
		t.Error("hashes differ")
	}
}

func TestBackupThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "state.db")
	openTest(t, Options{State: "sqlite:" + path, Ring: testRing(t)})
	there := filepath.Join(folder, "there")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	noState := filepath.Join(folder, "text")
	if err := os.WriteFile(noState, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ state, file, want string }{
		"file is there":  {"sqlite:" + path, there, "file exists"},
		"no state":       {"sqlite:" + filepath.Join(folder, "none.db"), filepath.Join(folder, "new"), "unable to open"},
		"not a state":    {"sqlite:" + noState, filepath.Join(folder, "new"), "not a database"},
		"postgres":       {"postgres://me:secret@127.0.0.1:1/x", filepath.Join(folder, "new"), "pg_dump"},
		"memory":         {"memory", filepath.Join(folder, "new"), "is lost"},
		"no such folder": {"sqlite:" + path, filepath.Join(folder, "no", "new"), "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Backup(t.Context(), test.state, test.file)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %s", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(folder, "new")); !errors.Is(err, fs.ErrNotExist) {
				t.Error("half a backup is left behind")
			}
			if _, err := os.Stat(filepath.Join(folder, "none.db")); !errors.Is(err, fs.ErrNotExist) {
				t.Error("a state was made")
			}
		})
	}
	if data, err := os.ReadFile(there); err != nil || len(data) > 0 {
		t.Errorf("the file that was there has %d bytes, %v", len(data), err)
	}
}
