package httpapi

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// consoleRoutes are the page for admins, and what only that needs.
func (s *Server) consoleRoutes(r chi.Router) {
	if console := s.opts.Console; console != nil {
		for _, pattern := range []string{"/", "/assets/*"} {
			r.Method(http.MethodGet, pattern, console)
			r.Method(http.MethodHead, pattern, console)
		}
	}
	if s.opts.Sessions != nil {
		s.sessionRoutes(r)
	}
	if s.opts.Inbox != nil {
		inbox := s.admin(func(w http.ResponseWriter, r *http.Request, _ caller) error {
			s.opts.Inbox.ServeHTTP(w, r)
			return nil
		})
		r.Get("/api/inbox", inbox)
		r.Delete("/api/inbox", inbox)
	}
}
