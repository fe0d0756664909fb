package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
)

// logLevels are the levels by the names that callers use.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

type logLevel struct {
	Level string `json:"level"`
}

func (s *Server) logLevelRoutes(r chi.Router) {
	r.Get("/api/log-level", s.admin(s.readLogLevel))
	r.Put("/api/log-level", s.admin(s.putLogLevel))
}

func (s *Server) readLogLevel(w http.ResponseWriter, _ *http.Request, _ caller) error {
	now := s.opts.LogLevel.Level()
	for name, level := range logLevels {
		if level == now {
			writeAnswer(w, logLevel{name})
			return nil
		}
	}
	writeAnswer(w, logLevel{now.String()})
	return nil
}

// putLogLevel sets this process' level, until it ends or is told otherwise.
func (s *Server) putLogLevel(w http.ResponseWriter, r *http.Request, by caller) error {
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	name := f.text("level")
	level, ok := logLevels[name]
	if !ok && f.err() == nil {
		f.faults = append(f.faults, connector.Problem{Pointer: "/level", Detail: "must be one of: debug, info, warn, error"})
	}
	if err := f.err(); err != nil {
		return err
	}
	s.opts.LogLevel.Set(level)
	s.opts.Log.WarnContext(r.Context(), "the log's level was changed", "level", name, "actor", by.actor)
	writeAnswer(w, logLevel{name})
	return nil
}
