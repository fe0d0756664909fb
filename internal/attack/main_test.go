//go:build linux

package attack_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

var (
	writeDoc = flag.Bool("attack.write", false, "write the figures to docs/security.md")
	// programFolder is where the suite puts the program.
	programFolder = filepath.Join(os.TempDir(), fmt.Sprintf("dmconnector-attack-%d", os.Getpid()))
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Scenarios mostly wait, so many can run at once.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	go watch(time.NewTicker(20 * time.Millisecond))
	os.Exit(m.Run())
}

// build builds the program without the race detector, which would use several times the
// memory.
func build(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { os.RemoveAll(programFolder) })
	command := exec.Command("go", "build", "-o", program(), "dmconnector/cmd/dmconnector")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
}

func program() string { return filepath.Join(programFolder, "dmconnector") }

// late is the longest delay of a timer in this process, in nanoseconds.
var late atomic.Int64

// watch measures how busy the machine is.
func watch(tick *time.Ticker) {
	for at := time.Now(); ; at = time.Now() {
		<-tick.C
		late.Store(max(late.Load(), int64(time.Since(at)-20*time.Millisecond)))
	}
}

// maxLate is the delay above which times are not judged.
const maxLate = time.Second

// unjudged is set when the machine was too busy to judge a time.
var unjudged atomic.Bool

// timing reports an error that a busy machine can cause too. On such a machine it only
// logs it.
func timing(t *testing.T, format string, args ...any) {
	t.Helper()
	if delay := time.Duration(late.Load()); delay > maxLate {
		unjudged.Store(true)
		t.Logf("NOT JUDGED, as this machine delayed processes by %v: "+format, append([]any{delay}, args...)...)
		return
	}
	t.Errorf(format, args...)
}

// waitFor waits until a condition holds, and reports whether it did so in time.
func waitFor(limit time.Duration, condition func() bool) bool {
	end := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(end) {
			return false
		}
		<-tick.C
	}
	return true
}
