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
	// programFolder is where TestMain builds the program.
	programFolder = filepath.Join(os.TempDir(), fmt.Sprintf("dmconnector-chaos-%d", os.Getpid()))
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The scenarios wait most of the time, so that many may run at once.
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

// buildFlags are those with which this test was built. The program is built with
// them as well, for what Go then compiles is in its cache.
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

// raceEnabled reports whether this test and the program are built with the race
// detector.
func raceEnabled() bool { return slices.Contains(buildFlags(), "-race=true") }

// times returns n, or many times n in a long run. The race detector makes the
// program several times as slow.
func times(n int) int {
	switch {
	case *long:
		return 6 * n
	case raceEnabled():
		return max(1, n/4)
	}
	return n
}

// late is the longest that a tick of this process came too late.
var late atomic.Int64

// watch finds out whether the machine is too busy to tell times.
func watch(tick *time.Ticker) {
	for at := time.Now(); ; at = time.Now() {
		<-tick.C
		late.Store(max(late.Load(), int64(time.Since(at)-20*time.Millisecond)))
	}
}

// maxLate is what is left of the service's own 7.5 s to the 8 s it has.
const maxLate = 300 * time.Millisecond

// unjudged says that some figures could not be judged.
var unjudged atomic.Bool

func tooBusy() bool { return time.Duration(late.Load()) > maxLate }

// timing is an error that a machine which is too busy also makes. There it is
// only noted.
func timing(t *testing.T, format string, args ...any) {
	t.Helper()
	if tooBusy() {
		unjudged.Store(true)
		t.Logf("NOT JUDGED, for this machine kept processes waiting for %v: "+format, append([]any{time.Duration(late.Load())}, args...)...)
		return
	}
	t.Errorf(format, args...)
}
