//go:build linux

package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// asUser calls f with the rights of another user on files.
func asUser(t *testing.T, uid int, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root acts for another user")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // which ends with the goroutine
		if err := syscall.Setfsuid(uid); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// What belongs to another user is named, with its owner and what to do.
func TestFilesOfAnotherUserAreNamed(t *testing.T) {
	const service, other = 65532, 4321
	const cure = "chown -R 0:0 "
	type file struct {
		name  string
		owner int
		mode  fs.FileMode
	}
	tests := map[string]struct {
		files []file // in the folder above the data folder
		want  []string
	}{
		"no folder":     {nil, []string{"belongs to 0:0 with mode 0755", "install -d -o 0 -g 0 -m 700 "}},
		"closed folder": {[]file{{"data", other, 0o700}}, []string{"/data, which belongs to 4321:4321 with mode 0700", cure}},
		"folder":        {[]file{{"data", other, 0o755}}, []string{"/data, which belongs to 4321:4321 with mode 0755", "runs as 0:0", cure}},
		"database":      {[]file{{"data", service, 0o700}, {"data/state.db", other, 0o644}}, []string{"/data/state.db, which belongs to 4321:4321 with mode 0644", cure, "fsGroup"}},
		"lock":          {[]file{{"data", service, 0o700}, {"data/state.db.lock", other, 0o600}}, []string{"/state.db.lock, which belongs to 4321:4321 with mode 0600", cure}},
		"log": {
			[]file{{"data", service, 0o700}, {"data/state.db", service, 0o600}, {"data/state.db-wal", other, 0o600}},
			[]string{"/state.db-wal, which belongs to 4321:4321 with mode 0600", cure},
		},
		"index": {
			[]file{{"data", service, 0o700}, {"data/state.db", service, 0o600}, {"data/state.db-shm", other, 0o600}},
			[]string{"/state.db-shm, which belongs to 4321:4321 with mode 0600", cure},
		},
		"log in a closed folder": {
			[]file{{"data", other, 0o755}, {"data/state.db", service, 0o600}, {"data/state.db.lock", service, 0o600}},
			[]string{"/data, which belongs to 4321:4321", cure},
		},
		"folder of everybody": {
			[]file{{"data", other, 0o777 | fs.ModeSticky}, {"data/state.db", other, 0o600}},
			[]string{"/data/state.db, which belongs to 4321:4321", "use a folder of its own"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			base, err := os.MkdirTemp("", "") //nolint:usetesting // the other user must get through to it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(base) })
			if err := os.Chmod(base, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(base, "data", "state.db")
			for _, f := range tt.files {
				at := filepath.Join(base, f.name)
				if f.name == "data" {
					err = os.Mkdir(at, 0o700)
				} else {
					err = os.WriteFile(at, nil, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range tt.files {
				at := filepath.Join(base, f.name)
				if err := os.Chown(at, f.owner, f.owner); err != nil {
					t.Skip("this root may not give files away")
				}
				if err := os.Chmod(at, f.mode); err != nil {
					t.Fatal(err)
				}
			}
			ring := testRing(t)
			asUser(t, service, func() {
				s, err := Open(t.Context(), Options{State: "sqlite:" + path, Ring: ring})
				if err == nil {
					_ = s.Close()
					t.Error("it opens")
					return
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v; want %q", err, want)
					}
				}
			})
		})
	}
}
