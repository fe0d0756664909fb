// Package sampling bounds the log lines that callers can cause at will.
package sampling

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Logger writes the first lines of each kind in an interval. It counts the others, and
// writes their number when the interval ends. It is safe for concurrent use.
type Logger struct {
	log      *slog.Logger
	first    int
	interval time.Duration

	mu   sync.Mutex
	seen map[string]int // lines of each kind in its interval
}

// New returns a Logger that writes so many lines of a kind in an interval.
func New(log *slog.Logger, first int, interval time.Duration) *Logger {
	return &Logger{log: log, first: first, interval: interval, seen: make(map[string]int)}
}

// LogAttrs logs a line, or counts it. Callers must not be able to choose the kind, which
// the line with the number names.
func (l *Logger) LogAttrs(ctx context.Context, kind string, level slog.Level, msg string, attrs ...slog.Attr) {
	if !l.log.Enabled(ctx, level) {
		return
	}
	l.mu.Lock()
	l.seen[kind]++
	n := l.seen[kind]
	l.mu.Unlock()
	if n == 1 {
		time.AfterFunc(l.interval, func() { l.end(kind, level, msg) })
	}
	if n <= l.first {
		l.log.LogAttrs(ctx, level, msg, attrs...) //nolint:sloglint // its caller has the text
	}
}

// end ends the interval of a kind.
func (l *Logger) end(kind string, level slog.Level, msg string) {
	l.mu.Lock()
	left := l.seen[kind] - l.first
	delete(l.seen, kind)
	l.mu.Unlock()
	if left > 0 {
		l.log.LogAttrs(context.Background(), level, "log lines left out", slog.String("message", msg),
			slog.String("kind", kind), slog.Int("count", left), slog.Int("seconds", int(l.interval.Seconds())))
	}
}
