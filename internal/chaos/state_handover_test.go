//go:build unix

package chaos_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// handsOver replaces the process on the same state. SQLite has one writer, so the new
// process waits until the old one has ended.
func handsOver(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors, "--data", t.TempDir()})
	load := startLoad(messageRate(), everyOtherQueuedOnce, r.address)
	handOvers := times(1)
	for range handOvers {
		pause(500 * ms)
		next := begin(t, r.launch)
		r.service.terminate(t)
		next.listens(t)
		r.service.stopped(t.Context(), t)
		r.past = append(r.past, r.service)
		r.service = next
	}
	pause(500 * ms)
	ev := evidence{upstream: u, address: r.address, messages: load.end()}
	allAnswered(t, "handed over", ev.messages, sent, accepted)
	ev.texts = r.logs()
	result := ev.audit(t)
	r.stop(t)
	return result
}

// reloads rewrites the connector file repeatedly while messages are sent.
func reloads(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	versions := newVersions(t, u.url)
	r := newReplica(t, []string{"--connectors", versions.path, "--data", t.TempDir()})
	load := startLoad(messageRate(), func(n int) *message {
		m := newMessage(n%10 == 0)
		m.once = true
		return m
	}, r.address)
	n := 20
	if *long {
		n = 1000
	}
	for version := range n {
		versions.write(t, version)
		// Polling takes up to 2 s, so most of a long run's versions are announced.
		if *long && version%20 != 0 {
			if err := r.service.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		within(t, clientTimeout, fmt.Sprintf("mails have version %d", version), func() bool { return u.sawVersion(version) })
	}
	ev := evidence{upstream: u, address: r.address, messages: load.end()}
	allAnswered(t, "with reloads", ev.messages, sent, accepted)
	ev.texts = r.logs()
	result := ev.audit(t)
	result.reloads = n
	r.stop(t)
	return result
}

// versions writes versions of a connector file. Its mails contain the version.
type versions struct {
	path   string
	config map[string]any
}

func newVersions(t *testing.T, endpoint string) *versions {
	t.Helper()
	v := &versions{config: connectorTo(endpoint, limitsOff)}
	v.path = writeConnector(t, v.config)
	return v
}

// write writes a version, alternately in place, as some editors do, and by renaming a
// new file.
func (v *versions) write(t *testing.T, version int) {
	t.Helper()
	for _, template := range v.config["templates"].([]any) {
		template.(map[string]any)["content"] = "<p>{{code}}</p>" + versionText(version)
	}
	data, err := json.Marshal(v.config)
	if err != nil {
		t.Fatal(err)
	}
	path := v.path
	if version%2 == 0 {
		path += ".new"
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if path != v.path {
		if err := os.Rename(path, v.path); err != nil {
			t.Fatal(err)
		}
	}
}

func versionText(version int) string { return fmt.Sprintf("<p>version %d.</p>", version) }

// sawVersion reports whether the upstream received a mail of that version recently.
func (u *upstream) sawVersion(version int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := len(u.calls) - 1; i >= 0 && time.Since(u.calls[i].begun) < clientTimeout; i-- {
		if strings.Contains(u.calls[i].html, versionText(version)) {
			return true
		}
	}
	return false
}
