package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
	"dmconnector/internal/strictjson"
	"dmconnector/internal/words"
)

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

// Template returns the email template with the id.
func (r *Registry) Template(id string) (EmailTemplate, bool) {
	for _, t := range r.view.Load().templates {
		if t.ID == id {
			return t, true
		}
	}
	return EmailTemplate{}, false
}

// PutTemplates inserts email templates, or replaces those with the same language
// and type.
func (r *Registry) PutTemplates(ctx context.Context, by string, list []EmailTemplate) ([]EmailTemplate, error) {
	checked, problems := checkTemplates(list)
	if len(problems) > 0 {
		return nil, &Error{Code: errcode.InvalidRequest, Detail: "the email templates have errors", Problems: problems}
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	names := make([]string, len(checked))
	for i := range checked {
		t := &checked[i]
		t.ID, t.Version, t.Created = newID(21), 1, now // an id as Logto's
		names[i] = t.LanguageTag + "/" + t.TemplateType
	}
	var stored []EmailTemplate
	err := r.change(ctx, "store email templates", func() (err error) {
		change := Change{Actor: by, Action: "email_template.put", Subject: "email-templates", Detail: fieldsDetail(names)}
		stored, err = r.opts.Store.PutTemplates(ctx, checked, change)
		return err
	})
	return stored, err
}

// checkTemplates returns templates with the details that are known, and what is
// wrong with them.
func checkTemplates(list []EmailTemplate) (checked []EmailTemplate, problems []connector.Problem) {
	add := func(detail, pointer string, args ...any) {
		problems = append(problems, connector.Problem{Pointer: fmt.Sprintf(pointer, args...), Detail: detail})
	}
	if len(list) == 0 {
		add("must have at least one email template", "/templates")
	}
	first := make(map[TemplateFilter]int)
	for i, t := range list {
		identity := TemplateFilter{t.LanguageTag, t.TemplateType}
		if j, twice := first[identity]; twice {
			add(fmt.Sprintf("is for the same language and type as /templates/%d", j), "/templates/%d", i)
		} else {
			first[identity] = i
		}
		// Logto stores 16 characters.
		if _, err := language.Parse(t.LanguageTag); t.LanguageTag == "" || err != nil || len(t.LanguageTag) > 16 {
			add("must be a language tag such as en, zh-CN or pt-BR, of at most 16 characters", "/templates/%d/languageTag", i)
		}
		if !slices.Contains(connector.UsageTypes(), t.TemplateType) {
			add("must be one of: "+strings.Join(connector.UsageTypes(), ", ")+words.DidYouMean(t.TemplateType, connector.UsageTypes()), "/templates/%d/templateType", i)
		}
		tree, _ := strictjson.Decode(t.Details)
		if root, ok := tree.(map[string]any); ok {
			details, found := checkDetails(fmt.Sprintf("/templates/%d/details", i), root)
			problems = append(problems, found...)
			checked = append(checked, EmailTemplate{LanguageTag: t.LanguageTag, TemplateType: t.TemplateType, Details: details})
		} else {
			add("must be an object {subject, content, contentType?, replyTo?, sendFrom?}", "/templates/%d/details", i)
		}
	}
	return checked, problems
}

// checkDetails returns the details that are known, and what is wrong with them.
func checkDetails(pointer string, root map[string]any) (json.RawMessage, []connector.Problem) {
	var problems []connector.Problem
	add := func(key, detail string) {
		problems = append(problems, connector.Problem{Pointer: pointer + "/" + key, Detail: detail})
	}
	details := make(map[string]any)
	for _, key := range []string{"subject", "content", "contentType", "replyTo", "sendFrom"} {
		value, given := root[key]
		_, isText := value.(string)
		switch {
		case isText:
			details[key] = value
		case given:
			add(key, "must be a string")
		case key == "subject" || key == "content":
			add(key, "is missing: it must be a string")
		}
	}
	if kind, given := details["contentType"]; given && kind != "text/html" && kind != "text/plain" {
		add("contentType", "must be one of: text/html, text/plain")
	}
	text := func(key string) string { s, _ := details[key].(string); return s }
	for _, p := range connector.CheckTemplateSize(connector.Template{
		Subject: text("subject"), Content: text("content"), ReplyTo: text("replyTo"), SendFrom: text("sendFrom"),
	}) {
		problems = append(problems, connector.Problem{Pointer: pointer + p.Pointer, Detail: p.Detail})
	}
	return marshal(details), problems
}

// PatchTemplate replaces some details of an email template, if it still has the
// version; 0 means any.
func (r *Registry) PatchTemplate(ctx context.Context, by, id string, version int64, patch map[string]any) (EmailTemplate, error) {
	var patched EmailTemplate
	err := r.change(ctx, "update email template "+id, func() error {
		stored, ok := r.Template(id)
		if !ok {
			return noTemplate(id)
		}
		if version != 0 && version != stored.Version {
			return errChangedMeanwhile
		}
		merged := objectOf(stored.Details)
		maps.Copy(merged, patch)
		details, problems := checkDetails("", merged)
		if len(problems) > 0 {
			return &Error{Code: errcode.InvalidRequest, Detail: "the email template has errors", Problems: problems}
		}
		patched = stored
		fields := changedFields(stored.Details, details)
		if len(fields) == 0 {
			return nil
		}
		patched.Details = details
		patched.Version++
		return r.opts.Store.UpdateTemplate(ctx, patched, Change{Actor: by, Action: "email_template.update", Subject: id, Detail: fieldsDetail(fields)})
	})
	return patched, err
}

func noTemplate(id string) error {
	return &Error{Code: errcode.EmailTemplateNotFound, Detail: "there is no email template " + id}
}

// DeleteTemplate deletes an email template.
func (r *Registry) DeleteTemplate(ctx context.Context, by, id string) error {
	return r.change(ctx, "delete email template "+id, func() error {
		if _, ok := r.Template(id); !ok {
			return noTemplate(id)
		}
		return r.opts.Store.DeleteTemplate(ctx, id, Change{Actor: by, Action: "email_template.delete", Subject: id})
	})
}

// DeleteTemplates deletes the email templates that the filter, which must not be
// empty, selects. It returns how many there were.
func (r *Registry) DeleteTemplates(ctx context.Context, by string, f TemplateFilter) (int, error) {
	if f == (TemplateFilter{}) {
		return 0, &Error{Code: errcode.InvalidRequest, Detail: "select email templates: give languageTag, templateType or both"}
	}
	n := 0
	err := r.change(ctx, "delete email templates", func() (err error) {
		detail := fieldsDetail([]string{f.LanguageTag + "/" + f.TemplateType})
		n, err = r.opts.Store.DeleteTemplates(ctx, f, Change{Actor: by, Action: "email_template.delete", Subject: "email-templates", Detail: detail})
		return err
	})
	return n, err
}
