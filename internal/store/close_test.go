//go:build unix

package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/postgrestest"
)

func (s *Store) fillRejected() {
	for range maxRejected {
		e := s.testEntry(order{})
		s.RecordRejected(e, delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateFailed, Steps: e.Steps})
	}
}

// A disk that hangs does not keep a process from ending.
func TestCloseOfAFileThatHangs(t *testing.T) {
	for name, path := range map[string]string{"memory": "memory", "file": "sqlite:" + filepath.Join(t.TempDir(), "state.db")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { closeWhatHangs(t, path) })
		})
	}
}

func closeWhatHangs(t *testing.T, path string) {
	t.Helper()
	open := func() *Store {
		s, err := Open(t.Context(), Options{State: path, Ring: testRing(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	hold, held := make(chan struct{}), make(chan struct{})
	var hanging sync.WaitGroup
	hanging.Go(func() {
		_ = s.engine.write(context.Background(), func(*tx) error { close(held); <-hold; return nil })
	})
	<-held
	s.fillRejected()
	begun := time.Now()
	if err := s.Close(); !errors.Is(err, errHangs) {
		t.Errorf("closed with %v", err)
	}
	if took := time.Since(begun); took > rejectedCloseTime+closeTime {
		t.Errorf("it took %v", took)
	}
	// Once it moves again, all is let go.
	close(hold)
	hanging.Wait()
	synctest.Wait()
	if err := open().Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseWithAServerThatHangs(t *testing.T) {
	server := postgrestest.Start(t, "fsync=off")
	s, err := Open(t.Context(), Options{State: server.Database(t), Ring: testRing(t)})
	if err != nil {
		t.Fatal(err)
	}
	server.Pause(t)
	defer server.Resume(t)
	s.fillRejected()
	begun := time.Now()
	_ = s.Close()
	if took := time.Since(begun); took > rejectedCloseTime+3*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A file is one process's, whoever had it before.
func TestSQLiteHasNoReplicas(t *testing.T) {
	address := addressOf(t, SQLite)
	for range 3 {
		s, err := Open(t.Context(), Options{State: address, Ring: testRing(t)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.heartbeat(t.Context()); err != nil || s.Replicas() != 1 {
			t.Errorf("it knows of %d replicas, %v", s.Replicas(), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
