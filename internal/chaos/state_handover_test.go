//go:build unix

package chaos_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// handsOver has successors on the same state. It has one writer, for whose end the
// successor waits.
func handsOver(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, limitsOff))
	r := newReplica(t, []string{"--connectors", connectors, "--data", t.TempDir()})
	errands := startCampaign(errandRate(), onceMixed, r.address)
	handOvers := times(1)
	for range handOvers {
		pause(500 * ms)
		successor := begin(t, r.launch)
		r.service.terminate(t)
		successor.listens(t)
		r.service.stopped(t.Context(), t)
		r.past = append(r.past, r.service)
		r.service = successor
	}
	pause(500 * ms)
	tr := trial{upstream: u, address: r.address, errands: errands.end()}
	allOf(t, "handed over", tr.errands, sent, accepted)
	tr.texts = r.logs()
	result := tr.audit(t)
	r.stop(t)
	return result
}

// reloads writes the connectors' file again and again while messages are sent.
func reloads(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	versions := newVersions(t, u.url)
	r := newReplica(t, []string{"--connectors", versions.path, "--data", t.TempDir()})
	errands := startCampaign(errandRate(), func(n int) *errand {
		e := newErrand(n%10 == 0)
		e.once = true
		return e
	}, r.address)
	n := 20
	if *long {
		n = 1000
	}
	for version := range n {
		versions.write(t, version)
		within(t, patience, fmt.Sprintf("mails are of version %d", version), func() bool { return u.showed(version) })
	}
	tr := trial{upstream: u, address: r.address, errands: errands.end()}
	allOf(t, "with reloads", tr.errands, sent, accepted)
	tr.texts = r.logs()
	result := tr.audit(t)
	result.reloads = n
	r.stop(t)
	return result
}

// versions writes a connector's file, whose mails tell its version.
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

// write writes the next version, by turns in place, as some editors do, and as a
// new file under the same name.
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

// showed reports whether a mail of that version has come lately.
func (u *upstream) showed(version int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := len(u.visits) - 1; i >= 0 && time.Since(u.visits[i].begun) < patience; i-- {
		if strings.Contains(u.visits[i].html, versionText(version)) {
			return true
		}
	}
	return false
}
