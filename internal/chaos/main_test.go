//go:build unix

package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

var (
	long     = flag.Bool("chaos.long", false, "make many times as many requests")
	writeDoc = flag.Bool("chaos.write", false, "write the figures to docs/reliability.md")
	// programFolder is where TestMain puts the program.
	programFolder = filepath.Join(os.TempDir(), fmt.Sprintf("dmconnector-chaos-%d", os.Getpid()))
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Scenarios mostly wait, so many can run at once.
	parallel := "14"
	if raceEnabled() {
		parallel = "10"
	}
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	go watch(time.NewTicker(20 * time.Millisecond))
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer os.RemoveAll(programFolder)
	args := append([]string{"build", "-o", program()}, buildFlags()...)
	build := exec.Command("go", append(args, "dmconnector/cmd/dmconnector")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func program() string { return filepath.Join(programFolder, "dmconnector") }

// buildFlags returns the flags of this test binary. The program is built with the
// same, so that compiled packages come from Go's cache.
func buildFlags() []string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	var flags []string
	for _, setting := range info.Settings {
		if setting.Key == "-race" || setting.Key == "-gcflags" {
			flags = append(flags, setting.Key+"="+setting.Value)
		}
	}
	return flags
}

// raceEnabled reports whether the test and the program have the race detector.
func raceEnabled() bool { return slices.Contains(buildFlags(), "-race=true") }

// times scales the number of requests: more in a long run, fewer with the race
// detector, which makes the program several times slower.
func times(n int) int {
	switch {
	case *long:
		return 6 * n
	case raceEnabled():
		return max(1, n/4)
	}
	return n
}

// late is the longest delay of a timer in this process, in nanoseconds.
var late atomic.Int64

// watch measures how busy the machine is.
func watch(tick *time.Ticker) {
	for at := time.Now(); ; at = time.Now() {
		<-tick.C
		late.Store(max(late.Load(), int64(time.Since(at)-20*time.Millisecond)))
	}
}

// maxLate is the delay above which timing is not judged. The service ends its last
// attempt at 7.5 s and must answer within 8 s.
const maxLate = 300 * time.Millisecond

// unjudged is set when the machine was too busy to judge a figure.
var unjudged atomic.Bool

func tooBusy() bool { return time.Duration(late.Load()) > maxLate }

// timing reports an error that a busy machine can cause too. On such a machine it only
// logs it.
func timing(t *testing.T, format string, args ...any) {
	t.Helper()
	if tooBusy() {
		unjudged.Store(true)
		t.Logf("NOT JUDGED, as this machine delayed processes by %v: "+format, append([]any{time.Duration(late.Load())}, args...)...)
		return
	}
	t.Errorf(format, args...)
}
