package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
	"dmconnector/internal/registry"
)

// adminRoutes are Logto's management API as far as it is about mail, and ours.
func (s *Server) adminRoutes(r chi.Router) {
	r.Get("/api/connector-factories", s.admin(s.listFactories))
	r.Get("/api/connector-factories/{id}", s.admin(s.readFactory))
	r.Get("/api/connector-factories/{id}/templates", s.admin(s.readyMade))
	r.Post("/api/connector-factories/{id}/validate", s.admin(s.validate))

	r.Get("/api/connectors", s.admin(s.listConnectors))
	r.Post("/api/connectors", s.admin(s.createConnector))
	r.Get("/api/connectors/{id}", s.admin(s.readConnector))
	r.Patch("/api/connectors/{id}", s.admin(s.patchConnector))
	r.Delete("/api/connectors/{id}", s.admin(s.deleteConnector))
	r.Post("/api/connectors/{id}/preview", s.admin(s.preview))
	r.Post("/api/connectors/{id}/test", s.admin(s.test))
	if s.opts.Examine != nil {
		r.Post("/api/connectors/{id}/doctor", s.admin(s.examine))
	}

	r.Get("/api/email-templates", s.admin(s.listTemplates))
	r.Put("/api/email-templates", s.admin(s.putTemplates))
	r.Delete("/api/email-templates", s.admin(s.deleteTemplates))
	r.Get("/api/email-templates/{id}", s.admin(s.readTemplate))
	r.Delete("/api/email-templates/{id}", s.admin(s.deleteTemplate))
	r.Patch("/api/email-templates/{id}/details", s.admin(s.patchTemplate))

	r.Get("/api/audit", s.admin(s.listChanges))
}

// messageRoutes tell what became of the messages.
func (s *Server) messageRoutes(r chi.Router) {
	r.Get("/api/messages", s.admin(s.listMessages))
	r.Get(eventsPath, s.admin(s.followMessages))
	r.Post("/api/messages/search", s.admin(s.searchMessages))
	r.Get("/api/messages/{id}", s.admin(s.readMessage))
	r.Post("/api/messages/{id}/retry", s.admin(s.retryMessage))
	r.Get("/api/statistics", s.admin(s.readStatistics))
}

// admin adapts a handler that is for admins, and that returns its error instead
// of writing it.
func (s *Server) admin(h func(http.ResponseWriter, *http.Request, caller) error) http.HandlerFunc {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		by, err := s.authorize(r, ScopeAdmin)
		if err != nil {
			return err
		}
		return h(w, r, by)
	})
}

func writeAnswer(w http.ResponseWriter, v any) { writeJSON(w, http.StatusOK, "application/json", v) }

// registryProblem is for a change that the registry refused, or that its state
// could not take.
func registryProblem(err error) error {
	refused, ok := errors.AsType[*registry.Error](err)
	if !ok {
		return stateProblem(err)
	}
	p := &problem{Code: refused.Code, Detail: refused.Detail, Errors: refused.Problems}
	if p.Code == codeInvalidConfig {
		p.Errors = inConfig(refused.Problems)
	}
	return p
}

// stateProblem is for state that could not be read or written.
func stateProblem(err error) error {
	return &problem{Code: errcode.Unavailable, Detail: "the state is not available", retryAfter: time.Second, err: err}
}

// inConfig moves pointers into a config below the config's own place.
func inConfig(problems []connector.Problem) []connector.Problem {
	moved := make([]connector.Problem, len(problems))
	for i, p := range problems {
		moved[i] = connector.Problem{Pointer: "/config" + p.Pointer, Line: p.Line, Detail: p.Detail}
	}
	return moved
}

// setVersion tells the caller the version, for its If-Match.
func setVersion(h http.Header, version int64) {
	if version > 0 {
		h.Set("ETag", fmt.Sprintf(`"%d"`, version))
	}
}

// wantedVersion returns the version that the request's If-Match names; 0 is any.
func wantedVersion(r *http.Request) (int64, error) {
	given := strings.TrimSpace(r.Header.Get("If-Match"))
	if given == "" || given == "*" {
		return 0, nil
	}
	quoted, found := strings.CutPrefix(given, `"`)
	digits, closed := strings.CutSuffix(quoted, `"`)
	version, err := strconv.ParseInt(digits, 10, 64)
	if !found || !closed || err != nil || version < 1 {
		return 0, &problem{Code: codePreconditionFailed, Detail: `If-Match is not the ETag of a version, such as "3"`}
	}
	return version, nil
}

// pageSize is how many lines a page has, unless its request says otherwise.
const (
	pageSize    = 50
	maxPageSize = 200
)

// cut splits off what was read beyond a page, and returns the cursor of the next
// page, or "" if this is the last one.
func cut[T any](list []T, limit int, id func(T) string) ([]T, string) {
	if len(list) <= limit {
		return list, ""
	}
	return list[:limit], id(list[limit-1])
}
