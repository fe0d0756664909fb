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

// stopsPostgres shuts the database down and starts it again.
func stopsPostgres(t *testing.T) stateTally {
	server := postgrestest.Start(t)
	return outage(t, server, server.Stop, server.Start)
}

// pausesPostgres makes the database unresponsive, with connections open.
func pausesPostgres(t *testing.T) stateTally {
	server := postgrestest.Start(t)
	return outage(t, server, server.Pause, server.Resume)
}

// outage makes the database unavailable while messages arrive and mails are in flight,
// and available again.
func outage(t *testing.T, server *postgrestest.Server, down, up func(testing.TB)) stateTally {
	t.Helper()
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors}, onPostgres(server.Database(t))...)
	ev := evidence{upstream: u, address: r.address}
	before := runOnce(20, everyOtherQueued, r.address)
	allAnswered(t, "before", before, sent, accepted)
	drained(t, r.address)

	load := startLoad(2*messageRate(), everyOtherQueuedOnce, r.address)
	direct, queued := newMessage(false), newMessage(true)
	finish := u.sendHeld(t, r.address, direct, queued)
	pause(300 * ms)
	unavailableFor := span{begun: time.Now()}
	down(t)
	load.halt()
	finish()
	if direct.outcome != sent || direct.took > answerTime {
		t.Errorf("a mail that was accepted while the state became unavailable was answered %s after %v: %v", direct.outcome, direct.took, direct.err)
	}
	crossing := load.end()
	allAnswered(t, "while the state becomes unavailable", crossing, sent, accepted, unavailable, unknown)
	calls := len(u.history())
	during := runOnce(40, everyOtherQueued, r.address)
	allAnswered(t, "without the state", during, unavailable)
	if outcome, _ := get(t, r.address, "/readyz"); outcome != "503" {
		t.Errorf("/readyz answers %s without the state", outcome)
	}
	if outcome, _ := get(t, r.address, "/healthz"); outcome != "200" {
		t.Errorf("/healthz answers %s without the state", outcome)
	}
	if n := len(u.history()); n != calls {
		t.Errorf("%d mails were sent without the state", n-calls)
	}
	up(t)
	unavailableFor.ended = time.Now()
	ev.outages = []span{unavailableFor}
	after := recovers(t, r.address)
	for _, m := range []*message{direct, queued} {
		recordedSent(t, r.address, m)
	}
	// Rejected messages were not sent, and may be sent again.
	again := sendAgain(during, r.address)
	ev.messages = append(slices.Concat(before, crossing, after, again), direct, queued)
	ev.texts = r.logs()
	result := ev.audit(t)
	result.requireOnce(t, u, again)
	r.stop(t)
	return result
}

// sendHeld sends messages until their mails are in flight at the upstream, which holds
// its answers. The returned function releases them, and waits until the callers have
// their answers.
func (u *upstream) sendHeld(t *testing.T, address string, list ...*message) (finish func()) {
	t.Helper()
	var (
		releases []func()
		running  sync.WaitGroup
	)
	for _, m := range list {
		release := u.hold(m.code)
		t.Cleanup(release)
		releases = append(releases, release)
		m.once = true
		running.Go(func() { m.run([]string{address}, time.Time{}) })
		within(t, clientTimeout, "the mail is at the upstream", func() bool { return u.received(m.code) })
	}
	return func() {
		for _, release := range releases {
			release()
		}
		running.Wait()
	}
}

// recoveryTime is how long the service may take to send again.
const recoveryTime = 15 * time.Second

// recovers waits until the service sends again and is ready, and returns the messages
// sent meanwhile.
func recovers(t *testing.T, address string) []*message {
	t.Helper()
	var list []*message
	within(t, recoveryTime, "messages are sent again", func() bool {
		m := runOnce(1, everyOtherQueued, address)[0]
		if m.outcome != sent && m.outcome != accepted {
			return false
		}
		list = append(list, m)
		return true
	})
	within(t, recoveryTime, "the service is ready again", func() bool {
		outcome, _ := get(t, address, "/readyz")
		return outcome == "200"
	})
	return list
}

// recordedSent waits until an accepted message is recorded as sent.
func recordedSent(t *testing.T, address string, m *message) {
	t.Helper()
	var r record
	defer func() {
		if r.State != sent {
			t.Logf("answered %s (%s), recorded as %+v", m.outcome, m.id, r)
		}
	}()
	within(t, recoveryTime, "an accepted message is recorded as sent", func() bool {
		return ask(t, address, "/api/messages/"+m.id, &r) == http.StatusOK && r.State == sent
	})
}

// sendAgain sends rejected messages again, with the same keys.
func sendAgain(list []*message, address string) []*message {
	var (
		repeated []*message
		running  sync.WaitGroup
	)
	for _, m := range list {
		again := &message{request: m.request, key: m.key, queued: m.queued}
		repeated = append(repeated, again)
		running.Go(func() { again.run([]string{address}, time.Now().Add(clientTimeout)) })
	}
	running.Wait()
	return repeated
}

// requireOnce checks that each was sent exactly once.
func (c *stateTally) requireOnce(t *testing.T, u *upstream, list []*message) {
	t.Helper()
	counts, _ := u.accepted()
	for _, m := range list {
		if counts[m.code] != 1 {
			t.Errorf("%d mails for a message that was rejected and sent again: the second answer was %s", counts[m.code], m.outcome)
		}
	}
}

// fillsDisk fills the disk of the state, and frees it again.
func fillsDisk(t *testing.T) stateTally {
	disk := mountDisk(t, 8*mebi)
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors, "--data", filepath.Join(disk, "data")})
	ev := evidence{upstream: u, address: r.address}
	before := runOnce(20, everyOtherQueued, r.address)
	allAnswered(t, "before", before, sent, accepted)
	u.setBusy(1) // so that queued messages wait
	waiting := runOnce(20, func(int) *message { return newMessage(true) }, r.address)
	allAnswered(t, "before", waiting, accepted)

	full := span{begun: time.Now()}
	free := fill(t, disk)
	filling := untilUnavailable(t, r.address)
	u.setBusy(0)
	during := runOnce(40, everyOtherQueued, r.address)
	allAnswered(t, "with a full disk", during, unavailable)
	for _, m := range during {
		if u.received(m.code) {
			t.Error("a mail was sent with a full disk")
		}
	}
	within(t, clientTimeout, "the service is not ready with a full disk", func() bool {
		outcome, _ := get(t, r.address, "/readyz")
		return outcome == "503"
	})
	free()
	full.ended = time.Now()
	ev.outages = []span{full}
	after := recovers(t, r.address)
	again := sendAgain(during, r.address)
	ev.messages = slices.Concat(before, waiting, filling, after, again)
	ev.texts = r.logs()
	result := ev.audit(t)
	result.requireOnce(t, u, append(again, waiting...))
	r.stop(t)
	return result
}

// untilUnavailable sends messages until the service answers unavailable. Until then it
// may accept them, as the state has some free space.
func untilUnavailable(t *testing.T, address string) []*message {
	t.Helper()
	var list []*message
	within(t, clientTimeout, "the full disk is noticed", func() bool {
		next := runOnce(4, everyOtherQueued, address)
		allAnswered(t, "while the disk fills up", next, sent, accepted, unavailable, busy)
		list = append(list, next...)
		for _, m := range next {
			if m.outcome != unavailable {
				return false
			}
		}
		return true
	})
	return list
}

// mountDisk mounts a disk of that many bytes, which needs root, and returns its folder.
func mountDisk(t *testing.T, size int) string {
	t.Helper()
	folder := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0700", size), "tmpfs", folder).CombinedOutput()
	if err != nil {
		if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
			t.Fatalf("mount a small disk: %v: %s", err, out)
		}
		t.Skipf("SKIPPED, as a small disk cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("unmount the small disk: %v: %s", err, out)
		}
	})
	return folder
}

// fill uses up the free space of a disk.
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
