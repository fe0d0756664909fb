//go:build unix

package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"dmconnector/internal/postgrestest"
)

const unavailable = "unavailable"

// stopsPostgres stops the database as an administrator does.
func stopsPostgres(t *testing.T) stateTally {
	server := postgrestest.Start(t)
	return outage(t, server, server.Stop, server.Start)
}

// pausesPostgres leaves the connections open, and nobody answers.
func pausesPostgres(t *testing.T) stateTally {
	server := postgrestest.Start(t)
	return outage(t, server, server.Pause, server.Resume)
}

// outage takes the database away while messages come and mails are inside the
// upstream, and brings it back.
func outage(t *testing.T, server *postgrestest.Server, down, up func(testing.TB)) stateTally {
	t.Helper()
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors}, onPostgres(server.Database(t))...)
	tr := trial{upstream: u, address: r.address}
	before := runOnce(20, mixedErrands, r.address)
	allOf(t, "before", before, sent, accepted)
	drained(t, r.address)

	load := startCampaign(2*errandRate(), onceMixed, r.address)
	direct, queued := newErrand(false), newErrand(true)
	finish := u.bring(t, r.address, direct, queued)
	pause(300 * ms)
	away := span{begun: time.Now()}
	down(t)
	load.halt()
	finish()
	if direct.outcome != sent || direct.took > answerTime {
		t.Errorf("a mail that was accepted when the state went away was answered %s after %v: %v", direct.outcome, direct.took, direct.err)
	}
	crossing := load.end()
	allOf(t, "when the state goes away", crossing, sent, accepted, unavailable, unknown)
	visits := len(u.book())
	during := runOnce(40, mixedErrands, r.address)
	allOf(t, "without the state", during, unavailable)
	if outcome, _ := get(t, r.address, "/readyz"); outcome != "503" {
		t.Errorf("/readyz answers %s without the state", outcome)
	}
	if outcome, _ := get(t, r.address, "/healthz"); outcome != "200" {
		t.Errorf("/healthz answers %s without the state", outcome)
	}
	if n := len(u.book()); n != visits {
		t.Errorf("%d mails were sent without the state", n-visits)
	}
	up(t)
	away.ended = time.Now()
	tr.outages = []span{away}
	after := recovers(t, r.address)
	for _, e := range []*errand{direct, queued} {
		remembered(t, r.address, e)
	}
	// What was refused was not sent, and may be brought again.
	again := sendAgain(during, r.address)
	tr.errands = append(slices.Concat(before, crossing, after, again), direct, queued)
	tr.texts = r.logs()
	result := tr.audit(t)
	result.requireOnce(t, u, again)
	r.stop(t)
	return result
}

// bring brings messages until their mails are inside the upstream, which keeps
// its answers back. The returned function lets them go, and waits for the callers'
// answers.
func (u *upstream) bring(t *testing.T, address string, list ...*errand) (finish func()) {
	t.Helper()
	var (
		releases []func()
		running  sync.WaitGroup
	)
	for _, e := range list {
		release := u.hold(e.code)
		t.Cleanup(release)
		releases = append(releases, release)
		e.once = true
		running.Go(func() { e.run([]string{address}, time.Time{}) })
		within(t, patience, "the mail is inside the upstream", func() bool { return u.visited(e.code) })
	}
	return func() {
		for _, release := range releases {
			release()
		}
		running.Wait()
	}
}

// recoveryTime is how long it may take until the service sends again.
const recoveryTime = 15 * time.Second

// recovers waits until messages are sent again, by itself, and returns them.
func recovers(t *testing.T, address string) []*errand {
	t.Helper()
	var list []*errand
	within(t, recoveryTime, "messages are sent again", func() bool {
		e := runOnce(1, mixedErrands, address)[0]
		if e.outcome != sent && e.outcome != accepted {
			return false
		}
		list = append(list, e)
		return true
	})
	within(t, recoveryTime, "the service is ready again", func() bool {
		outcome, _ := get(t, address, "/readyz")
		return outcome == "200"
	})
	return list
}

// remembered waits until a message that was accepted is remembered as sent.
func remembered(t *testing.T, address string, e *errand) {
	t.Helper()
	var r record
	defer func() {
		if r.State != sent {
			t.Logf("answered %s (%s), remembered as %+v", e.outcome, e.id, r)
		}
	}()
	within(t, recoveryTime, "what was accepted is remembered as sent", func() bool {
		return ask(t, address, "/api/messages/"+e.id, &r) == http.StatusOK && r.State == sent
	})
}

// sendAgain brings messages that were refused again, with the same keys.
func sendAgain(refused []*errand, address string) []*errand {
	var (
		list    []*errand
		running sync.WaitGroup
	)
	for _, e := range refused {
		again := &errand{request: e.request, key: e.key, queued: e.queued}
		list = append(list, again)
		running.Go(func() { again.run([]string{address}, time.Now().Add(patience)) })
	}
	running.Wait()
	return list
}

// requireOnce checks that each was sent exactly once.
func (c *stateTally) requireOnce(t *testing.T, u *upstream, list []*errand) {
	t.Helper()
	counts, _ := u.accepted()
	for _, e := range list {
		if counts[e.code] != 1 {
			t.Errorf("%d mails for a message that was refused, and brought again: the second answer was %s", counts[e.code], e.outcome)
		}
	}
}

// fillsDisk fills the disk under the state, and frees it again.
func fillsDisk(t *testing.T) stateTally {
	disk := mountDisk(t, 8*mebi)
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors, "--data", filepath.Join(disk, "data")})
	tr := trial{upstream: u, address: r.address}
	before := runOnce(20, mixedErrands, r.address)
	allOf(t, "before", before, sent, accepted)
	u.setBusy(1) // so that what is queued stays
	waiting := runOnce(20, func(int) *errand { return newErrand(true) }, r.address)
	allOf(t, "before", waiting, accepted)

	full := span{begun: time.Now()}
	free := fill(t, disk)
	filling := untilUnavailable(t, r.address)
	u.setBusy(0)
	during := runOnce(40, mixedErrands, r.address)
	allOf(t, "with a full disk", during, unavailable)
	for _, e := range during {
		if u.visited(e.code) {
			t.Error("a mail was sent though the disk is full")
		}
	}
	within(t, patience, "the service is not ready with a full disk", func() bool {
		outcome, _ := get(t, r.address, "/readyz")
		return outcome == "503"
	})
	free()
	full.ended = time.Now()
	tr.outages = []span{full}
	after := recovers(t, r.address)
	again := sendAgain(during, r.address)
	tr.errands = slices.Concat(before, waiting, filling, after, again)
	tr.texts = r.logs()
	result := tr.audit(t)
	result.requireOnce(t, u, append(again, waiting...))
	r.stop(t)
	return result
}

// untilUnavailable sends until the service says that it cannot. What the state
// still has room for it may take.
func untilUnavailable(t *testing.T, address string) []*errand {
	t.Helper()
	var list []*errand
	within(t, patience, "the full disk is noticed", func() bool {
		next := runOnce(4, mixedErrands, address)
		allOf(t, "while the disk gets full", next, sent, accepted, unavailable, busy)
		list = append(list, next...)
		for _, e := range next {
			if e.outcome != unavailable {
				return false
			}
		}
		return true
	})
	return list
}

// mountDisk returns the folder of a disk of that size. It takes root.
func mountDisk(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0700", size), "tmpfs", folder).CombinedOutput()
	if err != nil {
		if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
			t.Fatalf("mount a small disk: %v: %s", err, out)
		}
		t.Skipf("SKIPPED, for a small disk cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("unmount the small disk: %v: %s", err, out)
		}
	})
	return folder
}

// fill takes what is free of a disk.
func fill(t *testing.T, disk string) (free func()) {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		_, err := io.WriteString(f, filler[:size])
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}
