package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
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

func templateFilter(r *request) registry.TemplateFilter {
	query := r.URL.Query()
	return registry.TemplateFilter{LanguageTag: query.Get("languageTag"), TemplateType: query.Get("templateType")}
}

func (s *Server) listTemplates(w http.ResponseWriter, r *request) error {
	writeTemplates(w, s.opts.Registry.Templates(templateFilter(r)))
	return nil
}

func (s *Server) readTemplate(w http.ResponseWriter, r *request) error {
	t, ok := s.opts.Registry.Template(chi.URLParam(r.Request, "id"))
	if !ok {
		return &problem{Code: errcode.EmailTemplateNotFound}
	}
	writeTemplate(w, t)
	return nil
}

// putTemplates inserts email templates, or replaces those of the same language and
// type: all of them or none.
func (s *Server) putTemplates(w http.ResponseWriter, r *request) error {
	var given struct {
		Templates []struct {
			LanguageTag  string         `json:"languageTag" required:"a language, such as en or zh-CN"`
			TemplateType string         `json:"templateType" required:"a usage type, such as SignIn"`
			Details      map[string]any `json:"details" required:"the template itself"`
		} `json:"templates" required:"a list of email templates"`
	}
	if err := r.decode(&given, lenient); err != nil {
		return err
	}
	if len(given.Templates) == 0 {
		return invalidRequest([]connector.Problem{{Pointer: "/templates", Detail: "is empty"}})
	}
	list := make([]registry.EmailTemplate, len(given.Templates))
	for i, t := range given.Templates {
		list[i] = registry.EmailTemplate{LanguageTag: t.LanguageTag, TemplateType: t.TemplateType}
		list[i].Details, _ = json.Marshal(t.Details) // decoded JSON always marshals
	}
	stored, err := s.opts.Registry.PutTemplates(r.Context(), r.by.actor, list)
	if err != nil {
		return stateError(err)
	}
	writeTemplates(w, stored)
	return nil
}

// patchTemplate replaces those of a template's details that the body has.
func (s *Server) patchTemplate(w http.ResponseWriter, r *request) error {
	version, err := r.wantedVersion()
	if err != nil {
		return err
	}
	details, err := r.object()
	if err != nil {
		return err
	}
	t, err := s.opts.Registry.PatchTemplate(r.Context(), r.by.actor, chi.URLParam(r.Request, "id"), version, details)
	if err != nil {
		return stateError(err)
	}
	writeTemplate(w, t)
	return nil
}

func (s *Server) deleteTemplate(w http.ResponseWriter, r *request) error {
	version, err := r.wantedVersion()
	if err != nil {
		return err
	}
	id := chi.URLParam(r.Request, "id")
	if t, ok := s.opts.Registry.Template(id); ok && version != 0 && version != t.Version {
		return &problem{Code: errcode.PreconditionFailed}
	}
	if err := s.opts.Registry.DeleteTemplate(r.Context(), r.by.actor, id); err != nil {
		return stateError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteTemplates requires a filter, so that a forgotten one does not delete all
// templates, and no other key, so that a misspelt one does not delete too many.
func (s *Server) deleteTemplates(w http.ResponseWriter, r *request) error {
	for key := range r.URL.Query() {
		if key != "languageTag" && key != "templateType" {
			return &problem{Code: errcode.InvalidRequest, Detail: "the query may only have languageTag and templateType"}
		}
	}
	filter := templateFilter(r)
	if filter == (registry.TemplateFilter{}) {
		return &problem{Code: errcode.FilterRequired, Detail: "add languageTag, templateType or both to the query"}
	}
	n, err := s.opts.Registry.DeleteTemplates(r.Context(), r.by.actor, filter)
	if err != nil {
		return stateError(err)
	}
	writeAnswer(w, map[string]int{"rowCount": n})
	return nil
}
