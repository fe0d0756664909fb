//go:build unix

package chaos_test

import (
	"bytes"
	"database/sql"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to find the pages of a state
)

// damagesPage damages a page of the messages while the service is stopped, starts it on
// that, and recovers the state.
func damagesPage(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	data := t.TempDir()
	r := newReplica(t, []string{"--connectors", writeConnector(t, connectorTo(u.url, limitsOff)), "--data", data})
	ev := evidence{upstream: u, address: r.address}
	u.setBusy(1) // so that queued messages wait
	waiting := runOnce(60, func(int) *message { return newMessage(true) }, r.address)
	allAnswered(t, "before", waiting, accepted)
	r.stop(t)
	overwriteLeaf(t, filepath.Join(data, "state.db"))
	u.setBusy(0)

	damaged := span{begun: time.Now()}
	r.restart(t)
	during := rejectsQueued(t, r.address)
	r.service.logged(t, "the state is damaged", 1)
	r.kill()
	damaged.ended = time.Now()
	ev.kills = []span{damaged} // an outcome that could not be recorded is like one of a killed process
	out, err := exec.Command(program(), "state", "recover", "--data", data).CombinedOutput()
	if err != nil {
		t.Fatalf("recover: %v: %s", err, out)
	}
	r.restart(t)
	within(t, recoveryTime, "the service is ready again", func() bool {
		outcome, _ := get(t, r.address, "/readyz")
		return outcome == "200"
	})
	after := runOnce(10, everyOtherQueued, r.address)
	allAnswered(t, "after", after, sent, accepted)
	gone := 0
	saved := slices.DeleteFunc(slices.Concat(waiting, during), func(m *message) bool {
		var found record
		lost := m.outcome != unavailable && ask(t, r.address, "/api/messages/"+m.id, &found) == http.StatusNotFound
		if lost {
			gone++
		}
		return lost
	})
	if gone == 0 || gone > 20 || !bytes.Contains(out, []byte("lost: message ")) {
		t.Errorf("%d messages were on the damaged page: %s\n%s", gone, out, r.logs())
	}
	ev.messages, ev.texts = append(saved, after...), r.logs()
	result := ev.audit(t)
	r.stop(t)
	return result
}

// overwriteLeaf overwrites a page of the table of messages.
func overwriteLeaf(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	var page int64
	err = db.QueryRow(`SELECT pageno FROM dbstat WHERE name = 'message' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 8`).Scan(&page)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), (page-1)*4096); err != nil {
		t.Fatal(err)
	}
}

// rejectsQueued waits until the service is not ready, and checks that it takes direct
// messages alone.
func rejectsQueued(t *testing.T, address string) []*message {
	t.Helper()
	within(t, recoveryTime, "the service is not ready", func() bool {
		outcome, _ := get(t, address, "/readyz")
		return outcome == "503"
	})
	queued := runOnce(20, func(int) *message { return newMessage(true) }, address)
	allAnswered(t, "queued while the state is damaged", queued, unavailable)
	direct := runOnce(20, func(int) *message { return newMessage(false) }, address)
	allAnswered(t, "direct while the state is damaged", direct, sent)
	if outcome, _ := get(t, address, "/readyz"); outcome != "503" {
		t.Errorf("/readyz answers %s after sends that succeeded", outcome)
	}
	return append(queued, direct...)
}

// deletesState deletes the state's files while the service runs, and puts back what a
// stop saves of them.
func deletesState(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	data := t.TempDir()
	r := newReplica(t, []string{"--connectors", writeConnector(t, connectorTo(u.url, limitsOff)), "--data", data})
	ev := evidence{upstream: u, address: r.address}
	u.setBusy(1)
	waiting := runOnce(40, func(int) *message { return newMessage(true) }, r.address)
	allAnswered(t, "before", waiting, accepted)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(data, "state.db"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	u.setBusy(0)
	during := rejectsQueued(t, r.address)
	r.service.logged(t, "the file of the state is lost", 1)
	r.stop(t)
	saved, err := filepath.Glob(filepath.Join(data, "state.db.saved-*"))
	if err != nil || len(saved) != 1 {
		t.Fatalf("saved as %v, %v: %s", saved, err, r.service.log)
	}
	if err := os.Rename(saved[0], filepath.Join(data, "state.db")); err != nil {
		t.Fatal(err)
	}
	r.restart(t)
	after := recovers(t, r.address)
	ev.messages, ev.texts = slices.Concat(waiting, during, after), r.logs()
	result := ev.audit(t)
	result.requireOnce(t, u, waiting)
	r.stop(t)
	searchFolder(t, data)
	return result
}
