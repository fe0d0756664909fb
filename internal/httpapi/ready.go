package httpapi

import (
	"context"
	"net/http"
	"time"

	"dmconnector/connector"
)

// readyTime is how long the state may take to say that it is there.
const readyTime = 2 * time.Second

// readiness is for load balancers; Details are for admins.
type readiness struct {
	Status     string            `json:"status"`
	Connectors int               `json:"connectors"` // in force
	Problems   int               `json:"problems"`   // connectors and files that are not in force as they were written last
	Details    []brokenConnector `json:"details,omitempty"`
}

// brokenConnector is a connector, or a file that could be none, whose last
// version is not in force.
type brokenConnector struct {
	ID       string              `json:"id"`
	Path     string              `json:"path,omitempty"` // of its file
	Problems []connector.Problem `json:"problems"`
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.draining.Load() != nil:
		writeJSON(w, http.StatusServiceUnavailable, "application/json", map[string]string{"status": "shutting down"})
	case !s.stateReady(r):
		writeJSON(w, http.StatusServiceUnavailable, "application/json", map[string]string{"status": "state unavailable"})
	default:
		// Broken connectors keep nobody from the good ones.
		answer := s.readiness()
		if _, err := s.authorize(r, ScopeAdmin); err != nil {
			answer.Details = nil
		}
		writeAnswer(w, answer)
	}
}

func (s *Server) stateReady(r *http.Request) bool {
	if s.opts.Ready == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	err := s.opts.Ready(ctx)
	if err != nil {
		s.opts.Log.WarnContext(r.Context(), "not ready", "error", err)
	}
	return err == nil
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
