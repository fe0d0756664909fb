package main

import (
	"io"
	"log/slog"

	"dmconnector/internal/tracing"
	"dmconnector/internal/words"
)

// newLog writes JSON lines, at level info and above.
func newLog(w io.Writer) *slog.Logger { return newLeveledLog(w, new(slog.LevelVar)) }

func newLeveledLog(w io.Writer, level *slog.LevelVar) *slog.Logger {
	return slog.New(tracing.Logged(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
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
