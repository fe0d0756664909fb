package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/registry"
)

// emailTemplateObject is an email template in Logto's shape.
type emailTemplateObject struct {
	TenantID string `json:"tenantId"` // Logto's; there is one tenant here
	registry.EmailTemplate
	CreatedAt int64 `json:"createdAt"` // milliseconds since 1970
}

func templateObject(t registry.EmailTemplate) emailTemplateObject {
	return emailTemplateObject{TenantID: "default", EmailTemplate: t, CreatedAt: t.Created.UnixMilli()}
}

func writeTemplates(w http.ResponseWriter, list []registry.EmailTemplate) {
	objects := make([]emailTemplateObject, len(list))
	for i, t := range list {
		objects[i] = templateObject(t)
	}
	writeAnswer(w, objects)
}

func writeTemplate(w http.ResponseWriter, t registry.EmailTemplate) {
	setVersion(w.Header(), t.Version)
	writeAnswer(w, templateObject(t))
}

func templateFilter(r *http.Request) registry.TemplateFilter {
	query := r.URL.Query()
	return registry.TemplateFilter{LanguageTag: query.Get("languageTag"), TemplateType: query.Get("templateType")}
}

func (s *Server) listTemplates(w http.ResponseWriter, r *http.Request, _ caller) error {
	writeTemplates(w, s.opts.Registry.Templates(templateFilter(r)))
	return nil
}

func (s *Server) readTemplate(w http.ResponseWriter, r *http.Request, _ caller) error {
	t, ok := s.opts.Registry.Template(chi.URLParam(r, "id"))
	if !ok {
		return problemOf(codeEmailTemplateNotFound)
	}
	writeTemplate(w, t)
	return nil
}

// putTemplates inserts email templates, or replaces those of the same language
// and type, all of them or none.
func (s *Server) putTemplates(w http.ResponseWriter, r *http.Request, by caller) error {
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	list := parseTemplates(f)
	if err := f.err(); err != nil {
		return err
	}
	stored, err := s.opts.Registry.PutTemplates(r.Context(), by.actor, list)
	if err != nil {
		return registryProblem(err)
	}
	writeTemplates(w, stored)
	return nil
}

func parseTemplates(f *fields) []registry.EmailTemplate {
	given, ok := member[[]any](f, "templates", "a list")
	if f.missing("templates", "a list of email templates"); ok && len(given) == 0 {
		f.fault("templates", "is empty")
	}
	list := make([]registry.EmailTemplate, 0, len(given))
	for i, item := range given {
		inner := &fields{pointer: fmt.Sprintf("/templates/%d", i)}
		if inner.values, ok = item.(map[string]any); !ok {
			f.faults = append(f.faults, connector.Problem{Pointer: inner.pointer, Detail: "must be an object"})
			continue
		}
		t := registry.EmailTemplate{
			LanguageTag:  inner.required("languageTag", "a language, such as en or zh-CN"),
			TemplateType: inner.required("templateType", "a usage type, such as SignIn"),
		}
		inner.missing("details", "the template itself")
		t.Details, _ = json.Marshal(inner.object("details")) // decoded JSON always marshals
		f.faults = append(f.faults, inner.faults...)
		list = append(list, t)
	}
	return list
}

// patchTemplate lays the body over a template's details.
func (s *Server) patchTemplate(w http.ResponseWriter, r *http.Request, by caller) error {
	version, err := wantedVersion(r)
	if err != nil {
		return err
	}
	f, err := readFields(w, r, adminBody)
	if err != nil {
		return err
	}
	t, err := s.opts.Registry.PatchTemplate(r.Context(), by.actor, chi.URLParam(r, "id"), version, f.values)
	if err != nil {
		return registryProblem(err)
	}
	writeTemplate(w, t)
	return nil
}

func (s *Server) deleteTemplate(w http.ResponseWriter, r *http.Request, by caller) error {
	version, err := wantedVersion(r)
	if err != nil {
		return err
	}
	id := chi.URLParam(r, "id")
	if t, ok := s.opts.Registry.Template(id); ok && version != 0 && version != t.Version {
		return problemOf(codePreconditionFailed)
	}
	if err := s.opts.Registry.DeleteTemplate(r.Context(), by.actor, id); err != nil {
		return registryProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteTemplates wants a filter, so that a forgotten one does not delete all,
// and no other query, so that a misspelt one does not delete too much.
func (s *Server) deleteTemplates(w http.ResponseWriter, r *http.Request, by caller) error {
	for key := range r.URL.Query() {
		if key != "languageTag" && key != "templateType" {
			return &problem{Code: codeInvalidRequest, Detail: "the query has a key besides languageTag and templateType"}
		}
	}
	filter := templateFilter(r)
	if filter == (registry.TemplateFilter{}) {
		return &problem{Code: codeFilterRequired, Detail: "give languageTag, templateType or both in the query"}
	}
	n, err := s.opts.Registry.DeleteTemplates(r.Context(), by.actor, filter)
	if err != nil {
		return registryProblem(err)
	}
	writeAnswer(w, map[string]int{"rowCount": n})
	return nil
}
