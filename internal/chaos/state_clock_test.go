//go:build unix

package chaos_test

import (
	"encoding/json"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dmconnector/internal/postgrestest"
)

// clockProgram builds the program with a wall clock that can be set: Go's package time
// adds what a file says, in seconds. The monotonic clock stays as it is.
var clockProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programFolder, "with-clock")
	source := filepath.Join(build.Default.GOROOT, "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		return "", err
	}
	const wall = "	sec += unixToInternal - minWall\n"
	before, after, found := strings.Cut(string(text), wall)
	if !found {
		return "", os.ErrNotExist
	}
	replace := map[string]string{}
	for name, content := range map[string]string{"time.go": before + "	sec += wallStep.Load()\n" + wall + after, "step.go": clockStep} {
		file := filepath.Join(programFolder, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(source, name)] = file
	}
	overlay := filepath.Join(programFolder, "overlay.json")
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", path, "dmconnector/cmd/dmconnector").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
})

const clockStep = `package time

import (
	"sync/atomic"
	"syscall"
)

var wallStep atomic.Int64

func init() {
	path, _ := syscall.Getenv("CHAOS_CLOCK")
	if path == "" {
		return
	}
	go func() {
		for ; ; Sleep(5 * Millisecond) {
			fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
			if err != nil {
				continue
			}
			var text [32]byte
			n, _ := syscall.Read(fd, text[:])
			syscall.Close(fd)
			sign, step := int64(1), int64(0)
			for _, c := range text[:max(n, 0)] {
				if c == '-' {
					sign = -1
				} else if '0' <= c && c <= '9' {
					step = 10*step + int64(c-'0')
				}
			}
			wallStep.Store(sign * step)
		}
	}()
}
`

// A wallClock is the wall clock of one process.
type wallClock string

func newWallClock(t *testing.T) wallClock {
	t.Helper()
	c := wallClock(filepath.Join(t.TempDir(), "clock"))
	c.set(t, 0)
	return c
}

func (c wallClock) env() string { return "CHAOS_CLOCK=" + string(c) }

// set sets how far the clock is ahead.
func (c wallClock) set(t *testing.T, ahead time.Duration) {
	t.Helper()
	next := string(c) + ".next"
	if err := os.WriteFile(next, []byte(strconv.Itoa(int(ahead/time.Second))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, string(c)); err != nil {
		t.Fatal(err)
	}
}

// stepsOnPostgres steps the wall clock of one of two replicas while they send what is
// queued.
func stepsOnPostgres(t *testing.T) stateTally {
	dsn := postgrestest.Start(t).Database(t)
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, map[string]any{"recipient": "off", "connector": "30/1s"}))
	clock := newWallClock(t)
	stepping := newClockReplica(t, connectors, append(onPostgres(dsn), clock.env())...)
	other := newReplica(t, []string{"--connectors", connectors}, onPostgres(dsn)...)
	ev := evidence{upstream: u, address: other.address}
	for _, ahead := range []time.Duration{time.Hour, time.Minute, -time.Hour} {
		load := startLoad(60, everyOtherQueuedOnce, stepping.address, other.address)
		pause(500 * ms)
		clock.set(t, ahead)
		pause(1500 * ms)
		list := load.end()
		clock.set(t, 0)
		allAnswered(t, "with a clock that is wrong by "+ahead.String(), list, sent, accepted, overloaded)
		ev.messages = append(ev.messages, list...)
	}
	ev.texts = append(stepping.logs(), other.logs()...)
	result := ev.audit(t)
	result.requireSent(t)
	stepping.stop(t)
	other.stop(t)
	return result
}

// stepsOnSQLite steps the wall clock while messages are queued and sent, and sets it back
// during a restart.
func stepsOnSQLite(t *testing.T) stateTally {
	u := newUpstream(t, 0)
	connectors := writeConnector(t, connectorTo(u.url, map[string]any{"recipient": "20/10m", "connector": "20/1s"}))
	clock := newWallClock(t)
	r := newClockReplica(t, connectors, "DMCONNECTOR_STATE=sqlite:"+filepath.Join(t.TempDir(), "state.db"), "DMCONNECTOR_SECRET_KEY="+secretKey, clock.env())
	ev := evidence{upstream: u, address: r.address}
	to := "u" + mark + "-clock@example.com"
	burst := func(when string) {
		list := runOnce(40, func(n int) *message {
			m := newMessage(true)
			if n < 4 {
				m.to = to // five times four of the limit
			}
			return m
		}, r.address)
		allAnswered(t, when, list, accepted)
		ev.messages = append(ev.messages, list...)
	}
	burst("before")
	for _, ahead := range []time.Duration{time.Hour, 0, -time.Hour} {
		clock.set(t, ahead)
		within(t, clientTimeout, "the step is noticed", func() bool {
			moved := strings.Count(r.service.log.String(), "the clock has changed, moved")
			return moved > 0 && (ahead != 0 || moved > 1) && (ahead >= 0 || moved > 2)
		})
		burst("after a step to " + ahead.String())
	}
	ev.kills = append(ev.kills, r.kill())
	clock.set(t, -3*time.Hour)
	r.restart(t)
	burst("after a restart with the clock set back")
	ev.texts = r.logs()
	result := ev.audit(t)
	result.requireSent(t)
	r.stop(t)
	return result
}

// newClockReplica starts the program whose wall clock can be set.
func newClockReplica(t *testing.T, connectors string, env ...string) *replica {
	t.Helper()
	program, err := clockProgram()
	if err != nil {
		t.Fatal(err)
	}
	return newReplicaOf(t, program, []string{"--connectors", connectors}, env...)
}

// requireSent checks that each queued message was sent.
func (c *stateTally) requireSent(t *testing.T) {
	t.Helper()
	if c.states[sent] != c.queued {
		t.Errorf("of %d queued messages: %s", c.queued, listCounts(c.states))
	}
}
