package httpapi

import (
	"net/http"

	"dmconnector/internal/registry"
)

// changePage is a page of the audit trail. Next is the id to go on before, if
// there are more.
type changePage struct {
	Changes []registry.Change `json:"changes"`
	Next    string            `json:"next,omitempty"`
}

func (s *Server) listChanges(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := queryFields(r, "before", "limit")
	if err != nil {
		return err
	}
	before, limit := f.cursor("before"), f.pageSize("limit")
	if err := f.err(); err != nil {
		return err
	}
	list, err := s.opts.Registry.Changes(r.Context(), before, limit+1)
	if err != nil {
		return registryProblem(err)
	}
	page := changePage{}
	page.Changes, page.Next = cut(list, limit, func(c registry.Change) string { return c.ID })
	if page.Changes == nil {
		page.Changes = []registry.Change{}
	}
	writeAnswer(w, page)
	return nil
}
