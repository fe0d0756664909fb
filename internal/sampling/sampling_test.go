package sampling_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/internal/sampling"
)

// A lockedBuffer may be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// take returns what was written since the last time.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.buf.String()
	b.buf.Reset()
	return text
}

// newLog returns a log whose lines have no time.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestFirstLinesAndTheNumberOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := sampling.New(newLog(&out, slog.LevelInfo), 2, 10*time.Second)
		lines := func(kind string, n int) {
			for i := range n {
				l.LogAttrs(t.Context(), kind, slog.LevelWarn, "rejected", slog.String("of", kind), slog.Int("n", i))
			}
		}
		want := func(lines ...string) {
			t.Helper()
			synctest.Wait()
			if got := out.take(); got != strings.Join(lines, "") {
				t.Errorf("the log has\n%s", got)
			}
		}
		lines("a", 5)
		lines("b", 2)
		want("level=WARN msg=rejected of=a n=0\n", "level=WARN msg=rejected of=a n=1\n", "level=WARN msg=rejected of=b n=0\n", "level=WARN msg=rejected of=b n=1\n")
		time.Sleep(9 * time.Second) //nolint:forbidigo // the clock of synctest
		lines("a", 1)
		want()
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		want("level=WARN msg=\"log lines left out\" message=rejected kind=a count=4 seconds=10\n")
		lines("a", 1)
		want("level=WARN msg=rejected of=a n=0\n")
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		want()
	})
}

// Lines below the log's level do not count: they are not left out by sampling.
func TestLinesBelowTheLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := sampling.New(newLog(&out, slog.LevelError), 1, time.Second)
		for range 5 {
			l.LogAttrs(t.Context(), "a", slog.LevelWarn, "rejected")
		}
		time.Sleep(2 * time.Second) //nolint:forbidigo // the clock of synctest
		synctest.Wait()
		if got := out.take(); got != "" {
			t.Errorf("the log has\n%s", got)
		}
	})
}

func TestNumberIsExactUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		l := sampling.New(newLog(&out, slog.LevelInfo), 10, time.Second)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					l.LogAttrs(t.Context(), "a", slog.LevelInfo, "x")
				}
			})
		}
		all.Wait()
		time.Sleep(2 * time.Second) //nolint:forbidigo // the clock of synctest
		synctest.Wait()
		if got := out.take(); strings.Count(got, "msg=x") != 10 || !strings.Contains(got, "count=790") {
			t.Errorf("the log has\n%s", got)
		}
	})
}
