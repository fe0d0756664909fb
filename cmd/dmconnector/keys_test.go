package main

import (
	"bytes"
	"os"
	"path/filepath"
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
			keys, err := secretKeys(store.SQLite, "sqlite:"+filepath.Join(folder, "state.db"), folder)
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
