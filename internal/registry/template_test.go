package registry_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/registry"
)

func template(language, usageType, details string) registry.EmailTemplate {
	return registry.EmailTemplate{LanguageTag: language, TemplateType: usageType, Details: []byte(details)}
}

func putTemplates(s *stage, list ...registry.EmailTemplate) []registry.EmailTemplate {
	s.t.Helper()
	put, err := s.PutTemplates(s.t.Context(), "admin", list)
	must(s.t, err)
	return put
}

// identities are languages and types, such as "en/SignIn ja/Register".
func identities(list []registry.EmailTemplate) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.LanguageTag + "/" + t.TemplateType
	}
	return strings.Join(names, " ")
}

func TestPutTemplates(t *testing.T) {
	s := newStage(t, nil).load()
	put := putTemplates(
		s,
		template("zh-CN", "SignIn", `{"subject":"zh <{{code}}>","content":"<p>{{code}}</p>","unknown":1}`),
		template("en", "SignIn", `{"subject":"en","content":"","contentType":"text/html","replyTo":"help@example.com","sendFrom":""}`),
		template("ja", "Register", `{"subject":"ja","content":"c","contentType":"text/plain"}`),
	)
	if identities(put) != "zh-CN/SignIn en/SignIn ja/Register" || !regexp.MustCompile(`^[a-z0-9]{21}$`).MatchString(put[0].ID) || put[0].Created.IsZero() {
		t.Errorf("%+v", put)
	}
	same(t, put[0].Details, `{"subject":"zh <{{code}}>","content":"<p>{{code}}</p>"}`)
	same(t, put[1].Details, `{"subject":"en","content":"","contentType":"text/html","replyTo":"help@example.com","sendFrom":""}`)
	again := putTemplates(s, template("en", "SignIn", `{"subject":"en2","content":"c"}`))
	if again[0].ID != put[1].ID {
		t.Errorf("%+v, was %+v", again, put[1])
	}
	for filter, want := range map[registry.TemplateFilter]string{
		{}:                         "en/SignIn ja/Register zh-CN/SignIn",
		{LanguageTag: "en"}:        "en/SignIn",
		{TemplateType: "Register"}: "ja/Register",
		{LanguageTag: "ja", TemplateType: "SignIn"}: "",
	} {
		if got := s.Templates(filter); identities(got) != want || got == nil {
			t.Errorf("%+v: %s, want %s", filter, identities(got), want)
		}
	}
	got, ok := s.Template(put[1].ID)
	if !ok {
		t.Fatal("not found by its id")
	}
	same(t, got.Details, `{"subject":"en2","content":"c"}`)
	if _, ok := s.Template("none"); ok {
		t.Error("found")
	}
}

func TestPutTemplatesRefuses(t *testing.T) {
	const good = `{"subject":"s","content":"c"}`
	tests := map[string]struct {
		list     []registry.EmailTemplate
		pointers string
	}{
		"none":              {nil, "/templates"},
		"language":          {[]registry.EmailTemplate{template("en", "SignIn", good), template("not a tag", "SignIn", good)}, "/templates/1/languageTag"},
		"no language":       {[]registry.EmailTemplate{template("", "SignIn", good)}, "/templates/0/languageTag"},
		"long language":     {[]registry.EmailTemplate{template("zh-Hant-HK-x-abcd", "SignIn", good)}, "/templates/0/languageTag"},
		"type":              {[]registry.EmailTemplate{template("en", "Nope", good)}, "/templates/0/templateType"},
		"Test":              {[]registry.EmailTemplate{template("en", "Test", good)}, "/templates/0/templateType"},
		"no details":        {[]registry.EmailTemplate{template("en", "SignIn", "")}, "/templates/0/details"},
		"details no object": {[]registry.EmailTemplate{template("en", "SignIn", "[]")}, "/templates/0/details"},
		"nothing in them":   {[]registry.EmailTemplate{template("en", "SignIn", "{}")}, "/templates/0/details/subject /templates/0/details/content"},
		"kinds":             {[]registry.EmailTemplate{template("en", "SignIn", `{"subject":1,"content":null,"replyTo":[],"sendFrom":null,"contentType":"text/rtf"}`)}, "/templates/0/details/subject /templates/0/details/content /templates/0/details/replyTo /templates/0/details/sendFrom /templates/0/details/contentType"},
		"sizes": {
			[]registry.EmailTemplate{template("en", "SignIn", `{"subject":"`+strings.Repeat("s", 4097)+`","content":"`+strings.Repeat("c", 409_601)+`"}`)},
			"/templates/0/details/subject /templates/0/details/content",
		},
		"twice": {[]registry.EmailTemplate{template("en", "SignIn", good), template("ja", "SignIn", good), template("en", "SignIn", good)}, "/templates/2"},
	}
	s := newStage(t, nil).load()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.PutTemplates(t.Context(), "admin", tt.list)
			if got := pointers(refusal(t, err, "invalid_request").Problems); got != tt.pointers {
				t.Errorf("%s, want %s", got, tt.pointers)
			}
		})
	}
	if len(s.store.changes) != 0 {
		t.Error("stored all the same")
	}
}

func TestPatchTemplate(t *testing.T) {
	s := newStage(t, nil).load()
	id := putTemplates(s, template("en", "SignIn", `{"subject":"s","content":"c","sendFrom":"Foo"}`))[0].ID
	tests := []struct {
		patch       string
		version     int64
		want        string
		wantVersion int64
	}{
		{`{"subject":"s2","unknown":1}`, 0, `{"subject":"s2","content":"c","sendFrom":"Foo"}`, 2},
		{`{"contentType":"text/plain","sendFrom":""}`, 2, `{"subject":"s2","content":"c","contentType":"text/plain","sendFrom":""}`, 3},
		{`{}`, 0, `{"subject":"s2","content":"c","contentType":"text/plain","sendFrom":""}`, 3},
	}
	for _, tt := range tests {
		got, err := s.PatchTemplate(t.Context(), "admin", id, tt.version, decode(t, tt.patch).(map[string]any))
		must(t, err)
		same(t, got.Details, tt.want)
		if stored, _ := s.Template(id); got.Version != tt.wantVersion || !cmp.Equal(stored, got) {
			t.Errorf("%s: %d %s", tt.patch, got.Version, got.Details)
		}
	}
	_, err := s.PatchTemplate(t.Context(), "admin", id, 1, map[string]any{"subject": "x"})
	refusal(t, err, "precondition_failed")
	_, err = s.PatchTemplate(t.Context(), "admin", "none", 0, map[string]any{"subject": "x"})
	refusal(t, err, "email_template_not_found")
	_, err = s.PatchTemplate(t.Context(), "admin", id, 0, map[string]any{"subject": nil, "contentType": "x"})
	if got := pointers(refusal(t, err, "invalid_request").Problems); got != "/subject /contentType" {
		t.Error(got)
	}
	if last := s.store.changes[1]; last.Action != "email_template.update" || last.Subject != id || string(last.Detail) != `{"fields":["subject"]}` {
		t.Errorf("%+v", last)
	}
}

func TestDeleteTemplates(t *testing.T) {
	s := newStage(t, nil).load()
	const details = `{"subject":"s","content":"c"}`
	put := putTemplates(s, template("en", "SignIn", details), template("en", "Register", details), template("ja", "SignIn", details))
	must(t, s.DeleteTemplate(t.Context(), "admin", put[2].ID))
	refusal(t, s.DeleteTemplate(t.Context(), "admin", put[2].ID), "email_template_not_found")
	_, err := s.DeleteTemplates(t.Context(), "admin", registry.TemplateFilter{})
	refusal(t, err, "invalid_request")
	n, err := s.DeleteTemplates(t.Context(), "admin", registry.TemplateFilter{LanguageTag: "en"})
	if err != nil || n != 2 || len(s.Templates(registry.TemplateFilter{})) != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if last := s.store.changes[len(s.store.changes)-1]; last.Action != "email_template.delete" || string(last.Detail) != `{"fields":["en/"]}` {
		t.Errorf("%+v", last)
	}
}
