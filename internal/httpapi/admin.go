package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// readVersion reads the version that the request's If-Match names.
func readVersion(_ http.ResponseWriter, r *request) error {
	given := strings.Join(r.Header.Values("If-Match"), ", ")
	if given == "*" || len(r.Header["If-Match"]) == 0 {
		return nil
	}
	quoted, found := strings.CutPrefix(given, `"`)
	digits, closed := strings.CutSuffix(quoted, `"`)
	version, err := strconv.ParseInt(digits, 10, 64)
	if !found || !closed || err != nil || version < 1 {
		return &problem{Code: errcode.PreconditionFailed, Detail: `If-Match must be the ETag of one version, such as "3"`}
	}
	r.version = version
	return nil
}

// changePage is a page of the audit trail. Next is the id to continue before, if there
// are more changes.
type changePage struct {
	Changes []registry.Change `json:"changes"`
	Next    string            `json:"next,omitempty"`
}

func (s *Server) listChanges(r *request) (any, error) {
	var given struct {
		Before string   `json:"before" form:"cursor"`
		Limit  pageSize `json:"limit"`
	}
	if err := r.decodeQuery(&given, "before", "limit"); err != nil {
		return nil, err
	}
	limit := cmp.Or(int(given.Limit), defaultPageSize)
	list, err := s.opts.Registry.Changes(r.Context(), given.Before, limit+1)
	page := changePage{Changes: list}
	if len(list) > limit {
		page = changePage{list[:limit], list[limit-1].ID}
	}
	return page, stateError(err)
}

// logLevel is the level of this process' log.
type logLevel struct {
	Level string `json:"level" required:"debug, info, warn or error" form:"level"`
}

func (s *Server) readLogLevel(*request) (any, error) {
	return logLevel{strings.ToLower(s.opts.LogLevel.Level().String())}, nil
}

// putLogLevel sets the level until it is set again or the process ends.
func (s *Server) putLogLevel(r *request, given logLevel) (any, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(given.Level)); err != nil {
		return nil, err
	}
	s.opts.LogLevel.Set(level)
	s.opts.Log.WarnContext(r.Context(), "log level changed", "level", given.Level, "actor", r.by.actor)
	return given, nil
}

func health(*request) (any, error) { return map[string]string{"status": "ok"}, nil }

// readyTime is how long the state may take to answer whether it is available.
const readyTime = 2 * time.Second

// readiness is for load balancers; Details are for admins.
type readiness struct {
	Status     string            `json:"status"`
	Connectors int               `json:"connectors"` // active
	Problems   int               `json:"problems"`   // connectors and files whose newest version is not active
	Details    []brokenConnector `json:"details,omitempty"`
}

// brokenConnector is a connector, or a file, whose newest version is not active.
type brokenConnector struct {
	ID       string              `json:"id"`
	Path     string              `json:"path,omitempty"` // of its file
	Problems []connector.Problem `json:"problems"`
}

// ready says whether a send would work, with details for admins where they are known.
// Broken connectors do not count: the others still send.
func (s *Server) ready(admins bool) func(http.ResponseWriter, *request) error {
	return func(w http.ResponseWriter, r *request) error {
		unavailable := func(status string) {
			writeJSON(w, http.StatusServiceUnavailable, "application/json", map[string]string{"status": status})
		}
		if s.draining.Load() != nil {
			unavailable("shutting down")
			return nil
		}
		if s.opts.Ready != nil {
			ctx, cancel := context.WithTimeout(r.Context(), readyTime)
			defer cancel()
			if err := s.opts.Ready(ctx); err != nil {
				s.sampled.LogAttrs(r.Context(), "not ready", slog.LevelWarn, "not ready", slog.Any("error", err))
				unavailable("state unavailable")
				return nil
			}
		}
		answer := s.readiness()
		if !admins {
			answer.Details = nil
		} else if _, err := s.authorize(r.Context(), r, ScopeAdmin); err != nil {
			answer.Details = nil
		}
		writeAnswer(w, answer)
		return nil
	}
}

func (s *Server) readiness() readiness {
	answer := readiness{Status: "ready"}
	if s.opts.Registry == nil {
		return answer
	}
	inFiles := make(map[string]bool)
	for _, f := range s.opts.Registry.FileProblems() {
		inFiles[f.ID] = true
		answer.Details = append(answer.Details, brokenConnector{f.ID, f.Path, f.Problems})
	}
	for _, c := range s.opts.Registry.Connectors() {
		if c.Active {
			answer.Connectors++
		}
		if len(c.Problems) > 0 && !inFiles[c.ID] {
			answer.Details = append(answer.Details, brokenConnector{ID: c.ID, Problems: c.Problems})
		}
	}
	answer.Problems = len(answer.Details)
	return answer
}
