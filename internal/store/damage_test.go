//go:build unix

package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/seal"
)

const pageSize = 4096

// queuedFile makes a state with queued messages, the last of which has pages of its own
// for its payload, and returns the pages of its tables and indexes.
func queuedFile(t *testing.T, opts Options, n int) (ids []string, pages map[string][]int64) {
	t.Helper()
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e := s.testEntry(order{mode: delivery.Queued})
		if i == n-1 {
			e.Payload = bytes.Repeat([]byte("x"), 10*pageSize)
		}
		if _, err := s.Accept(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	pages = map[string][]int64{}
	err = s.engine.write(t.Context(), func(x *tx) error {
		rows, err := x.run.QueryContext(t.Context(), `SELECT name || ' ' || pagetype, pageno FROM dbstat ORDER BY path`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var page int64
			if err := rows.Scan(&name, &page); err != nil {
				return err
			}
			pages[name] = append(pages[name], page)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// All of it is in the file itself.
	db, err := sql.Open("sqlite", fileName(pathOf(t, opts)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return ids, pages
}

// overwrite replaces a page of a file, the first of which is 1.
func overwrite(t *testing.T, opts Options, page int64) {
	t.Helper()
	file, err := os.OpenFile(pathOf(t, opts), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xa5}, pageSize), (page-1)*pageSize); err != nil {
		t.Fatal(err)
	}
}

func pathOf(t *testing.T, opts Options) string {
	t.Helper()
	address, err := ParseAddress(opts.State)
	if err != nil {
		t.Fatal(err)
	}
	return address.Path
}

// middle is a page in the middle of those of a kind.
func middle(t *testing.T, pages map[string][]int64, kind string) int64 {
	t.Helper()
	list := pages[kind]
	if len(list) < 2 {
		t.Fatalf("%d pages are %s", len(list), kind)
	}
	return list[len(list)/2]
}

// refusesToQueue checks that a damaged state takes direct messages alone.
func refusesToQueue(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Ready(t.Context()); err == nil {
		t.Error("it is ready")
	}
	if _, err := s.Accept(t.Context(), s.testEntry(order{mode: delivery.Queued})); err == nil {
		t.Error("it queues")
	}
	if _, err := s.Backlog(t.Context()); err == nil {
		t.Error("state_up is 1")
	}
	direct := mustAccept(t, s, order{})
	mustComplete(t, s, delivery.Outcome{ID: direct.ID, Attempt: 1, State: delivery.StateSent})
	if err := s.Ready(t.Context()); err == nil {
		t.Error("it is ready after a success")
	}
}

func TestOtherRowsGoOnWhenAPageIsDamaged(t *testing.T) {
	const all = 400
	for kind, least := range map[string]int{
		"message leaf":                    all - 20,
		"message overflow":                all - 1,
		"message_due leaf":                1, // each claim changes its pages
		"message_kind leaf":               all / 2,
		"message_sealed leaf":             all / 3,
		"sqlite_autoindex_message_1 leaf": all / 3,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
			_, pages := queuedFile(t, opts, all)
			overwrite(t, opts, middle(t, pages, kind))
			var log bytes.Buffer
			opts.Log = slog.New(slog.NewTextHandler(&log, nil))
			s, err := Open(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			claimed := map[string]bool{}
			for {
				list := mustClaim(t, s, 100)
				for _, job := range list {
					if job.Payload == nil {
						continue
					}
					if claimed[job.ID] {
						t.Fatalf("%s was claimed twice", job.ID)
					}
					claimed[job.ID] = true
					_, _ = s.Complete(t.Context(), delivery.Outcome{ID: job.ID, Attempt: job.Attempt, State: delivery.StateSent})
				}
				if len(list) < 100 {
					break
				}
			}
			t.Logf("%d of %d were claimed", len(claimed), all)
			if len(claimed) < least || len(claimed) == all && kind == "message leaf" {
				t.Errorf("%d of %d were claimed", len(claimed), all)
			}
			refusesToQueue(t, s)
			if !strings.Contains(log.String(), "the state is damaged") || !strings.Contains(log.String(), "dmconnector state recover") {
				t.Errorf("the log: %s", log.String())
			}
		})
	}
}

func TestDamagedRowsDoNotStopExpiryAndReclaim(t *testing.T) {
	opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
	ids, pages := queuedFile(t, opts, 100)
	overwrite(t, opts, middle(t, pages, "message leaf"))
	s := openTest(t, opts)
	mustClaim(t, s, 50)
	if err := s.reclaim(t.Context(), everyLease); err != nil {
		t.Error(err)
	}
	if r := mustMessage(t, s, ids[0]); r.State != delivery.StateQueued {
		t.Errorf("reclaimed as %s", r.State)
	}
	s.run(t, `UPDATE message SET expires_at = 1 WHERE rowid IN (1, 100)`)
	if err := s.expire(t.Context()); err != nil {
		t.Error(err)
	}
	for _, id := range []string{ids[0], ids[99]} {
		if r := mustMessage(t, s, id); r.State != delivery.StateExpired {
			t.Errorf("expired as %s", r.State)
		}
	}
}

func TestUnreadableColumnsDoNotStopAClaim(t *testing.T) {
	onEveryKind(t, func(t *testing.T, s *Store) {
		bad, good := mustAccept(t, s, order{mode: delivery.Queued}), mustAccept(t, s, order{mode: delivery.Queued})
		s.run(t, `UPDATE message SET steps = '{' WHERE id = $1`, bad.ID)
		if list := mustClaim(t, s, 10); len(list) != 1 || list[0].ID != good.ID {
			t.Errorf("claimed %+v", list)
		}
		if r := mustMessage(t, s, bad.ID); r.State != delivery.StateDead {
			t.Errorf("it is %s", r.State)
		}
	})
}

func TestFileWithoutItsHeaderIsRefused(t *testing.T) {
	opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
	queuedFile(t, opts, 2)
	overwrite(t, opts, 1)
	if _, err := Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "state recover, start the service, or restore a backup") {
		t.Errorf("%v", err)
	}
}

// What happens to a file while it is open is noticed, and stays until it is undone.
func TestLostFileIsNoticed(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"deleted":         os.Remove,
		"log deleted":     func(path string) error { return os.Remove(path + "-wal") },
		"index deleted":   func(path string) error { return os.Remove(path + "-shm") },
		"lock deleted":    func(path string) error { return os.Remove(path + ".lock") },
		"folder deleted":  func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"replaced":        func(path string) error { return os.Rename(path+".older", path) },
		"truncated":       func(path string) error { return os.Truncate(path, pageSize) },
		"written over":    func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"folder replaced": func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+"-old") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data", "state.db")
			opts := Options{State: "sqlite:" + path, Ring: testRing(t)}
			queuedFile(t, opts, 20)
			if err := Backup(t.Context(), opts.State, path+".older"); err != nil {
				t.Fatal(err)
			}
			s := openTest(t, opts)
			mustAccept(t, s, order{mode: delivery.Queued})
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			s.engine.(*sqliteEngine).checkFiles()
			if strings.Contains("truncated written over", name) {
				if err := s.Ready(t.Context()); err == nil {
					t.Error("it is ready")
				}
				return
			}
			refusesToQueue(t, s)
		})
	}
}

func TestWatchChecksTheFiles(t *testing.T) {
	s := openTest(t, Options{State: addressOf(t, SQLite), Ring: testRing(t)})
	path := s.engine.(*sqliteEngine).path
	go s.engine.watch(t.Context())
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is noticed", func() bool { return s.Ready(t.Context()) != nil })
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	until(t, "it is back", func() bool { return s.Ready(t.Context()) == nil })
	mustAccept(t, s, order{mode: delivery.Queued})
}

// A stop saves what a lost file held, up to the last outcome.
func TestLostFileIsSaved(t *testing.T) {
	opts := Options{State: "sqlite:" + filepath.Join(t.TempDir(), "data", "state.db"), Ring: testRing(t)}
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	sent, waiting := mustAccept(t, s, order{mode: delivery.Queued}), mustAccept(t, s, order{mode: delivery.Queued})
	if err := os.RemoveAll(filepath.Dir(pathOf(t, opts))); err != nil {
		t.Fatal(err)
	}
	s.engine.(*sqliteEngine).checkFiles()
	job := mustClaim(t, s, 1)[0]
	mustComplete(t, s, delivery.Outcome{ID: job.ID, Attempt: job.Attempt, State: delivery.StateSent})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	saved, err := filepath.Glob(pathOf(t, opts) + ".saved-*")
	if err != nil || len(saved) != 1 {
		t.Fatalf("saved as %v, %v", saved, err)
	}
	if err := os.Rename(saved[0], pathOf(t, opts)); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, opts)
	states := fmt.Sprint(mustMessage(t, s, sent.ID).State, " ", mustMessage(t, s, waiting.ID).State)
	if states != "sent queued" {
		t.Errorf("saved as %s", states)
	}
}

// A file has one lock, by whatever name it is opened.
func TestLinksToAFileHaveItsLock(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "data", "state.db")
	openTest(t, Options{State: "sqlite:" + path, Ring: testRing(t)})
	for name, target := range map[string]string{"link.db": path, "relative.db": "data/state.db", "folder": "data"} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link.db", "relative.db", "folder/state.db"} {
		_, err := Open(t.Context(), Options{State: "sqlite:" + filepath.Join(folder, name), Ring: testRing(t), LockWait: time.Millisecond})
		if err == nil || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A link may name a file that is not there yet.
	if err := os.Symlink("new.db", filepath.Join(folder, "data", "later.db")); err != nil {
		t.Fatal(err)
	}
	openTest(t, Options{State: "sqlite:" + filepath.Join(folder, "data", "later.db"), Ring: testRing(t)})
	if _, err := os.Stat(filepath.Join(folder, "data", "new.db.lock")); err != nil {
		t.Error(err)
	}
}

func TestRecoverSavesWhatCanBeRead(t *testing.T) {
	const all = 400
	for kind, least := range map[string]int{
		"message leaf":                    all - 20,
		"message overflow":                all - 1,
		"message_due leaf":                all,
		"message_kind leaf":               all,
		"sqlite_autoindex_message_1 leaf": all,
		"rate_limit leaf":                 all,
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
			_, pages := queuedFile(t, opts, all)
			if problems, err := Check(t.Context(), opts); err != nil || len(problems) > 0 {
				t.Fatalf("before: %v, %v", problems, err)
			}
			list := pages[kind]
			overwrite(t, opts, list[len(list)/2])
			if problems, err := Check(t.Context(), opts); err != nil || len(problems) == 0 {
				t.Fatalf("damaged: %v, %v", problems, err)
			}
			recovered, old, err := Recover(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(old); err != nil {
				t.Error(err)
			}
			if problems, err := Check(t.Context(), opts); err != nil || len(problems) > 0 && kind != "message overflow" {
				t.Errorf("after: %v, %v", problems, err)
			}
			for _, r := range recovered {
				if r.Table == "message" && r.Saved+len(r.Lost) != all {
					t.Errorf("%d saved, %d lost", r.Saved, len(r.Lost))
				}
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(pathOf(t, opts)), ".recover*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
			s := openTest(t, opts)
			n := 0
			for _, job := range mustClaim(t, s, all) {
				if job.Payload != nil {
					n++
				}
			}
			if n < least {
				t.Errorf("%d of %d go on: %+v", n, all, recovered)
			}
		})
	}
}

func TestRecoverNeedsTheStateAlone(t *testing.T) {
	opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
	openTest(t, opts)
	if _, _, err := Recover(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("%v", err)
	}
}

func TestRecoverLeavesAFileOfWhichNothingCanBeRead(t *testing.T) {
	opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
	queuedFile(t, opts, 2)
	overwrite(t, opts, 1)
	before, err := os.ReadFile(pathOf(t, opts))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Recover(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("%v", err)
	}
	after, err := os.ReadFile(pathOf(t, opts))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
}

func TestCheckFindsAnotherKey(t *testing.T) {
	opts := Options{State: addressOf(t, SQLite), Ring: testRing(t)}
	openTest(t, opts) // it may be open meanwhile
	opts.Ring = ringOf(t, seal.NewKey())
	problems, err := Check(t.Context(), opts)
	if err != nil || !strings.Contains(strings.Join(problems, ";"), "sealed with another key") {
		t.Errorf("%v, %v", problems, err)
	}
}
