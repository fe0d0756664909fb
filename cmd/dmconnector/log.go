package main

import (
	"fmt"
	"io"
	"log/slog"

	"dmconnector/internal/tracing"
)

// newLog writes JSON lines, at level info and above.
func newLog(w io.Writer) *slog.Logger { return newLeveledLog(w, new(slog.LevelVar)) }

func newLeveledLog(w io.Writer, level *slog.LevelVar) *slog.Logger {
	return slog.New(tracing.Logged(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
}

func parseLevel(name string) (slog.Level, error) {
	level, ok := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[name]
	if !ok {
		return level, fmt.Errorf("--log-level %q is not debug, info, warn or error", name)
	}
	return level, nil
}
