package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"dmconnector/connector"
	"dmconnector/internal/strictjson"
)

// maxLanguageTag is what Logto stores of a language tag.
const maxLanguageTag = 16

// details are what an email template says.
type details struct {
	Subject     *string `json:"subject"`
	Content     *string `json:"content"`
	ContentType *string `json:"contentType,omitempty"`
	ReplyTo     *string `json:"replyTo,omitempty"`
	SendFrom    *string `json:"sendFrom,omitempty"`
}

// Templates returns the email templates by language and type.
func (r *Registry) Templates(f TemplateFilter) []EmailTemplate {
	found := []EmailTemplate{}
	for _, t := range r.view.Load().templates {
		if (f.LanguageTag == "" || f.LanguageTag == t.LanguageTag) && (f.TemplateType == "" || f.TemplateType == t.TemplateType) {
			found = append(found, t)
		}
	}
	return found
}

// Template returns the email template of that id.
func (r *Registry) Template(id string) (EmailTemplate, bool) {
	for _, t := range r.view.Load().templates {
		if t.ID == id {
			return t, true
		}
	}
	return EmailTemplate{}, false
}

// PutTemplates inserts email templates, or replaces those of the same language
// and type.
func (r *Registry) PutTemplates(ctx context.Context, by string, list []EmailTemplate) ([]EmailTemplate, error) {
	wanted, problems := checkTemplates(list)
	if len(problems) > 0 {
		return nil, &Error{Code: invalidRequest, Detail: "the email templates have errors", Problems: problems}
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	named := make([]string, len(wanted))
	for i := range wanted {
		wanted[i].ID, wanted[i].Version, wanted[i].Created = newID(templateIDSize), 1, now
		named[i] = wanted[i].LanguageTag + "/" + wanted[i].TemplateType
	}
	change := Change{Actor: by, Action: "email_template.put", Subject: "email-templates", Detail: fieldsDetail(named)}
	stored, err := r.opts.Keeper.PutTemplates(ctx, wanted, change)
	if err != nil {
		return nil, fmt.Errorf("store email templates: %w", err)
	}
	r.catchUpAfter(ctx)
	return stored, nil
}

// checkTemplates returns the templates as they are to be stored.
func checkTemplates(list []EmailTemplate) ([]EmailTemplate, []connector.Problem) {
	if len(list) == 0 {
		return nil, []connector.Problem{{Pointer: "/templates", Detail: "must have at least one email template"}}
	}
	var problems []connector.Problem
	first := make(map[TemplateFilter]int)
	wanted := make([]EmailTemplate, len(list))
	for i, t := range list {
		pointer := fmt.Sprintf("/templates/%d", i)
		identity := TemplateFilter{t.LanguageTag, t.TemplateType}
		if j, twice := first[identity]; twice {
			problems = append(problems, connector.Problem{Pointer: pointer, Detail: fmt.Sprintf("is for the same language and type as /templates/%d", j)})
		} else {
			first[identity] = i
		}
		var found []connector.Problem
		wanted[i], found = checkTemplate(pointer, t)
		problems = append(problems, found...)
	}
	return wanted, problems
}

func checkTemplate(pointer string, t EmailTemplate) (EmailTemplate, []connector.Problem) {
	var problems []connector.Problem
	if _, err := language.Parse(t.LanguageTag); t.LanguageTag == "" || err != nil || len(t.LanguageTag) > maxLanguageTag {
		problems = append(problems, connector.Problem{Pointer: pointer + "/languageTag", Detail: "must be a language tag such as en, zh-CN or pt-BR, of at most 16 characters"})
	}
	if !slices.Contains(connector.UsageTypes(), t.TemplateType) {
		problems = append(problems, connector.Problem{Pointer: pointer + "/templateType", Detail: "must be one of: " + strings.Join(connector.UsageTypes(), ", ")})
	}
	tree, _ := strictjson.Decode(t.Details)
	root, ok := tree.(map[string]any)
	if !ok {
		problems = append(problems, connector.Problem{Pointer: pointer + "/details", Detail: "must be an object {subject, content, contentType?, replyTo?, sendFrom?}"})
		return EmailTemplate{}, problems
	}
	d, found := checkDetails(pointer+"/details", root)
	return EmailTemplate{LanguageTag: t.LanguageTag, TemplateType: t.TemplateType, Details: marshal(d)}, append(problems, found...)
}

// checkDetails keeps of the details what is known of them.
func checkDetails(pointer string, root map[string]any) (details, []connector.Problem) {
	var (
		d        details
		problems []connector.Problem
	)
	for _, field := range []struct {
		key      string
		target   **string
		required bool
	}{
		{"subject", &d.Subject, true},
		{"content", &d.Content, true},
		{"contentType", &d.ContentType, false},
		{"replyTo", &d.ReplyTo, false},
		{"sendFrom", &d.SendFrom, false},
	} {
		value, there := root[field.key]
		s, ok := value.(string)
		switch {
		case ok:
			*field.target = &s
		case there:
			problems = append(problems, connector.Problem{Pointer: pointer + "/" + field.key, Detail: "must be a string"})
		case field.required:
			problems = append(problems, connector.Problem{Pointer: pointer + "/" + field.key, Detail: "is missing: it must be a string"})
		}
	}
	if d.ContentType != nil && *d.ContentType != "text/html" && *d.ContentType != "text/plain" {
		problems = append(problems, connector.Problem{Pointer: pointer + "/contentType", Detail: "must be one of: text/html, text/plain"})
	}
	return d, problems
}

// PatchTemplate lays details over those of a template, if it still has the
// version; 0 is any.
func (r *Registry) PatchTemplate(ctx context.Context, by, id string, version int64, patch map[string]any) (EmailTemplate, error) {
	var patched EmailTemplate
	err := r.retry(ctx, version, func() error {
		stored, ok := r.Template(id)
		switch {
		case !ok:
			return ErrNotFound
		case version != 0 && version != stored.Version:
			return ErrChanged
		}
		merged, fields, err := laidOver(stored.Details, patch)
		patched = stored
		if err != nil || len(fields) == 0 {
			return err
		}
		patched.Details = merged
		patched.Version++
		return r.opts.Keeper.UpdateTemplate(ctx, patched, Change{Actor: by, Action: "email_template.update", Subject: id, Detail: fieldsDetail(fields)})
	})
	if err != nil {
		return EmailTemplate{}, templateRefusal("update", id, err)
	}
	r.catchUpAfter(ctx)
	return patched, nil
}

// laidOver returns stored details with a patch over them, and what it changes.
func laidOver(stored json.RawMessage, patch map[string]any) (json.RawMessage, []string, error) {
	before := objectOf(stored)
	after := objectOf(stored)
	maps.Copy(after, patch)
	d, problems := checkDetails("", after)
	if len(problems) > 0 {
		return nil, nil, &Error{Code: invalidRequest, Detail: "the email template has errors", Problems: problems}
	}
	merged := marshal(d)
	return merged, changedFields(before, any(objectOf(merged))), nil
}

// DeleteTemplate deletes an email template.
func (r *Registry) DeleteTemplate(ctx context.Context, by, id string) error {
	err := r.opts.Keeper.DeleteTemplate(ctx, id, Change{Actor: by, Action: "email_template.delete", Subject: id})
	if err != nil {
		return templateRefusal("delete", id, err)
	}
	r.catchUpAfter(ctx)
	return nil
}

// DeleteTemplates deletes the email templates that the filter, which must not be
// empty, chooses. It returns how many there were.
func (r *Registry) DeleteTemplates(ctx context.Context, by string, f TemplateFilter) (int, error) {
	if f == (TemplateFilter{}) {
		return 0, &Error{Code: invalidRequest, Detail: "say which email templates: give languageTag, templateType or both"}
	}
	detail := fieldsDetail([]string{f.LanguageTag + "/" + f.TemplateType})
	n, err := r.opts.Keeper.DeleteTemplates(ctx, f, Change{Actor: by, Action: "email_template.delete", Subject: "email-templates", Detail: detail})
	if err != nil {
		return 0, fmt.Errorf("delete email templates: %w", err)
	}
	r.catchUpAfter(ctx)
	return n, nil
}

func templateRefusal(what, id string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return &Error{Code: templateNotFound, Detail: "there is no email template " + id}
	case errors.Is(err, ErrChanged):
		return &Error{Code: preconditionFailed, Detail: "the email template " + id + " was changed meanwhile"}
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	return fmt.Errorf("%s email template %s: %w", what, id, err)
}
