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

// toggleLevel switches between debug and the level that serve was started with.
func (s *service) toggleLevel() {
	level := slog.LevelDebug
	if s.level.Level() == slog.LevelDebug {
		level = s.started
	}
	s.level.Set(level)
	s.log.Warn("SIGUSR1: log level changed", "level", level.String())
}
