package httpapi

import (
	"encoding/json"

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

func (e emailTemplateObject) version() int64 { return e.Version }

func templateObject(t registry.EmailTemplate) emailTemplateObject {
	return emailTemplateObject{TenantID: "default", EmailTemplate: t, CreatedAt: t.Created.UnixMilli()}
}

func templateObjects(list []registry.EmailTemplate) []emailTemplateObject {
	objects := make([]emailTemplateObject, len(list))
	for i, t := range list {
		objects[i] = templateObject(t)
	}
	return objects
}

func templateFilter(r *request) registry.TemplateFilter {
	query := r.URL.Query()
	return registry.TemplateFilter{LanguageTag: query.Get("languageTag"), TemplateType: query.Get("templateType")}
}

func (s *Server) listTemplates(r *request) (any, error) {
	return templateObjects(s.opts.Registry.Templates(templateFilter(r))), nil
}

func (s *Server) readTemplate(r *request) (any, error) {
	t, ok := s.opts.Registry.Template(r.id())
	if !ok {
		return nil, &problem{Code: errcode.EmailTemplateNotFound}
	}
	return templateObject(t), nil
}

// emailTemplates are Logto's request to put some.
type emailTemplates struct {
	Templates []struct {
		LanguageTag  string         `json:"languageTag" required:"a language, such as en or zh-CN"`
		TemplateType string         `json:"templateType" required:"a usage type, such as SignIn"`
		Details      map[string]any `json:"details" required:"the template itself"`
	} `json:"templates" required:"a list of email templates"`
}

// putTemplates inserts email templates, or replaces those of the same language and
// type: all of them or none.
func (s *Server) putTemplates(r *request, given emailTemplates) (any, error) {
	if len(given.Templates) == 0 {
		return nil, invalidRequest([]connector.Problem{{Pointer: "/templates", Detail: "is empty"}})
	}
	list := make([]registry.EmailTemplate, len(given.Templates))
	for i, t := range given.Templates {
		list[i] = registry.EmailTemplate{LanguageTag: t.LanguageTag, TemplateType: t.TemplateType}
		list[i].Details, _ = json.Marshal(t.Details) // decoded JSON always marshals
	}
	stored, err := s.opts.Registry.PutTemplates(r.Context(), r.by.actor, list)
	return templateObjects(stored), stateError(err)
}

// patchTemplate replaces those of a template's details that the body has.
func (s *Server) patchTemplate(r *request) (any, error) {
	details, err := r.object()
	if err != nil {
		return nil, err
	}
	t, err := s.opts.Registry.PatchTemplate(r.Context(), r.by.actor, r.id(), r.version, details)
	return templateObject(t), stateError(err)
}

func (s *Server) deleteTemplate(r *request) (any, error) {
	if t, ok := s.opts.Registry.Template(r.id()); ok && r.version != 0 && r.version != t.Version {
		return nil, &problem{Code: errcode.PreconditionFailed}
	}
	return nil, stateError(s.opts.Registry.DeleteTemplate(r.Context(), r.by.actor, r.id()))
}

// deleteTemplates requires a filter, so that a forgotten one does not delete all
// templates, and no other key, so that a misspelt one does not delete too many.
func (s *Server) deleteTemplates(r *request) (any, error) {
	for key := range r.URL.Query() {
		if key != "languageTag" && key != "templateType" {
			return nil, &problem{Code: errcode.InvalidRequest, Detail: "the query may only have languageTag and templateType"}
		}
	}
	filter := templateFilter(r)
	if filter == (registry.TemplateFilter{}) {
		return nil, &problem{Code: errcode.FilterRequired, Detail: "add languageTag, templateType or both to the query"}
	}
	n, err := s.opts.Registry.DeleteTemplates(r.Context(), r.by.actor, filter)
	return map[string]int{"rowCount": n}, stateError(err)
}
