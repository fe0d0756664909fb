package main

import (
	"io"
	"log/slog"

	"dmconnector/internal/tracing"
	"dmconnector/internal/words"
)

// newLog writes JSON lines, at level info and above.
func newLog(w io.Writer) *slog.Logger { return newLeveledLog(w, "json", new(slog.LevelVar)) }

// newLeveledLog writes lines in a format: "text", "json", or "" for text on a terminal
// and JSON elsewhere.
func newLeveledLog(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "text" || format == "" && isTerminal(w) {
		return slog.New(tracing.Logged(slog.NewTextHandler(w, opts)))
	}
	return slog.New(tracing.Logged(slog.NewJSONHandler(w, opts)))
}

// parseLevel reads a level in any case.
func parseLevel(text string) (slog.Level, error) {
	name, err := words.Level(text)
	if err != nil {
		return 0, err
	}
	var level slog.Level
	err = level.UnmarshalText([]byte(name))
	return level, err
}
