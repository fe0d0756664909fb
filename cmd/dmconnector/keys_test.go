package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"dmconnector/internal/seal"
	"dmconnector/internal/store"
)

func TestFirstStartsAtOnceMakeOneKey(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	const starts = 16
	var made [starts][]byte
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() {
			keys, err := secretKeys(store.Address{Kind: store.SQLite, Path: filepath.Join(folder, "state.db")}, folder)
			if err != nil || len(keys) != 1 {
				t.Errorf("%d keys, %v", len(keys), err)
				return
			}
			made[i] = keys[0]
		})
	}
	all.Wait()
	for _, key := range made {
		if !bytes.Equal(key, made[0]) {
			t.Fatal("there are several keys")
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestReplacedKeysAreWhole(t *testing.T) {
	folder := t.TempDir()
	older, newer := seal.NewKey(), seal.NewKey()
	for _, keys := range [][][]byte{{older}, {newer, older}, {newer}} {
		if err := replaceKeys(folder, keys...); err != nil {
			t.Fatal(err)
		}
		got, err := fileKeys(folder)
		if err != nil || !bytes.Equal(bytes.Join(got, nil), bytes.Join(keys, nil)) {
			t.Errorf("%d keys, want %d; %v", len(got), len(keys), err)
		}
		info, err := os.Stat(filepath.Join(folder, keyFile))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, keyFile), []byte("half-a-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fileKeys(folder); err == nil || !strings.Contains(err.Error(), keyFile) || strings.Contains(err.Error(), "half-a-key") {
		t.Errorf("%v", err)
	}
}

// Modes that let other users in are warned of, with what to do.
func TestModesAreWarnedOf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	tests := map[string]struct {
		folder, file fs.FileMode
		want         []string // what to run
	}{
		"own":                 {0o700, 0o600, nil},
		"readable folder":     {0o755, 0o400, nil},
		"writable by all":     {0o777, 0o600, []string{"chmod 700 data"}},
		"writable by a group": {0o770, 0o600, []string{"chmod 700 data"}},
		"readable by a group": {0o700, 0o640, []string{"chmod 600 data/file"}},
		"readable by all":     {0o700, 0o604, []string{"chmod 600 data/file"}},
		"both":                {0o777, 0o666, []string{"chmod 700 data", "chmod 600 data/file"}},
		"Kubernetes' group":   {0o770 | fs.ModeSetgid, 0o660, nil},
		"group, but all":      {0o777 | fs.ModeSetgid, 0o664, []string{"chmod 700 data", "chmod 600 data/file"}},
		"like /tmp":           {0o777 | fs.ModeSticky, 0o600, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			path := filepath.Join("data", "file")
			err := errors.Join(os.Mkdir("data", 0o700), os.WriteFile(path, nil, 0o600), os.Chmod(path, tt.file), os.Chmod("data", tt.folder))
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			warnOfAccess(slog.New(slog.NewTextHandler(&log, nil)), []string{path, "data", path, "missing"})
			if n := strings.Count(log.String(), "fix="); n != len(tt.want) {
				t.Errorf("%d warnings, want %d: %s", n, len(tt.want), log.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(log.String(), `fix="`+want+`"`) {
					t.Errorf("no %q: %s", want, log.String())
				}
			}
		})
	}
}

// A key that root replaces stays the service's.
func TestReplacedKeysKeepTheirOwner(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	folder := t.TempDir()
	if _, err := makeKey(folder); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, keyFile)
	if err := os.Chown(path, 65532, 65531); err != nil {
		t.Fatal(err)
	}
	if err := replaceKeys(folder, seal.NewKey()); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "stat", "-c", "%u %g %a", path).Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != "65532 65531 600" {
		t.Errorf("owner and mode %s, %v", got, err)
	}
}

// cutOff is a state in which a rekey ends: the file must open both what was sealed
// before and what is sealed anew.
type cutOff struct {
	t       *testing.T
	folder  string
	before  *seal.Ring
	failure error
}

func (c *cutOff) Reseal(_ context.Context, ring *seal.Ring) (int, error) {
	keys, err := fileKeys(c.folder)
	if err != nil {
		c.t.Fatal(err)
	}
	now, err := seal.NewRing(keys...)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, sealed := range [][]byte{c.before.Seal("x", nil), ring.Seal("x", nil)} {
		if _, err := now.Open("x", sealed); err != nil {
			c.t.Errorf("the file's keys do not open the state: %v", err)
		}
	}
	if c.before.Current(ring.Seal("x", nil)) {
		c.t.Error("the old key seals")
	}
	return 1, c.failure
}

func TestFileOpensTheStateAtEachMoment(t *testing.T) {
	for name, test := range map[string]struct {
		failure error
		opens   bool // what was sealed before
	}{
		"done":    {nil, false},
		"cut off": {errors.New("the disk is full"), true},
	} {
		t.Run(name, func(t *testing.T) {
			folder, older := t.TempDir(), seal.NewKey()
			if err := replaceKeys(folder, older); err != nil {
				t.Fatal(err)
			}
			before, err := seal.NewRing(older)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rekeyFile(t.Context(), &cutOff{t, folder, before, test.failure}, folder); !errors.Is(err, test.failure) {
				t.Fatal(err)
			}
			keys, err := fileKeys(folder)
			if err != nil {
				t.Fatal(err)
			}
			after, err := seal.NewRing(keys...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := after.Open("x", before.Seal("x", nil)); (err == nil) != test.opens {
				t.Errorf("what the old key has sealed: %v", err)
			}
		})
	}
}
