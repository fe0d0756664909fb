package httpapi

import "github.com/go-chi/chi/v5"

// Routes are all routes that there are.
func (s *Server) Routes() chi.Routes { return s.router }

// Answers returns each code's status and title.
func Answers() map[string]struct {
	Status int
	Title  string
} {
	list := make(map[string]struct {
		Status int
		Title  string
	})
	for code, answer := range answers {
		list[string(code)] = struct {
			Status int
			Title  string
		}{answer.status, answer.title}
	}
	return list
}
