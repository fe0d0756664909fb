package httpapi

import "github.com/go-chi/chi/v5"

// Routes are all routes that there are.
func (s *Server) Routes() chi.Routes { return s.all.(chi.Routes) }
