package registry_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/registry"
)

func create(s *stage, id, config string) registry.Connector {
	s.t.Helper()
	c, err := s.Create(s.t.Context(), "admin", id, registry.Patch{Config: decode(s.t, config)})
	must(s.t, err)
	return c
}

// same compares JSON texts.
func same(t testing.TB, got json.RawMessage, want string) {
	t.Helper()
	if diff := cmp.Diff(decode(t, want), decode(t, string(got))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCreate(t *testing.T) {
	s := newStage(t, nil).load()
	yes := true
	c, err := s.Create(t.Context(), "admin", "", registry.Patch{
		Config: decode(t, `{"extra": 1, "fromAlias": "", "limits": {"ip": ""}, "templates": "builtin", "securityToken": "sts-token-1",
			"accessKeyId": "STS.Example", "accessKeySecret": "hunter2-hunter2", "accountName": "noreply@mail.example.com"}`),
		Metadata: map[string]any{"logo": "<b>"}, SyncProfile: &yes, EnableTokenStorage: &yes,
	})
	must(t, err)
	if !regexp.MustCompile(`^[a-z0-9]{12}$`).MatchString(c.ID) || c.Version != 1 || !c.Active || c.Source != registry.FromState ||
		!c.SyncProfile || !c.EnableTokenStorage || c.Created.IsZero() || c.Updated != c.Created || pointers(c.Warnings) != "/extra" {
		t.Errorf("%+v", c)
	}
	same(t, c.Config, `{"extra": 1, "templates": "builtin", "accessKeyId": "STS.Example", "accountName": "noreply@mail.example.com",
		"accessKeySecret": "***", "securityToken": "***"}`)
	same(t, c.Metadata, `{"logo": "<b>"}`)
	same(t, s.store.connectors[c.ID].Config, `{"extra": 1, "templates": "builtin", "accessKeyId": "STS.Example", "accountName": "noreply@mail.example.com",
		"accessKeySecret": "hunter2-hunter2", "securityToken": "sts-token-1"}`)
	if target, ok := s.active()[c.ID]; !ok || string(target.Composer.Config().AccessKeySecret) != secret {
		t.Error("it is not active")
	}
	if read, ok := s.Connector(c.ID); !ok || !cmp.Equal(read, c) {
		t.Errorf("read back as %+v", read)
	}
	if c := create(s, "My-own_1.x", connectorJSON("A")); string(c.Metadata) != "{}" || c.ID != "My-own_1.x" {
		t.Errorf("%+v", c)
	}
}

func TestCreateRefuses(t *testing.T) {
	s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path, opts.Volatile = s.folder, true })
	s.write("filed.json", connectorJSON("F"))
	s.load()
	create(s, "stored", connectorJSON("S"))
	tests := map[string]struct{ id, config, code, pointers string }{
		"a reserved id":     {"aliyun-direct-mail", connectorJSON("A"), "connector_reserved", ""},
		"an id of a file":   {"filed", connectorJSON("A"), "connector_exists", ""},
		"an id of another":  {"stored", connectorJSON("A"), "connector_exists", ""},
		"a bad id":          {"a/b", connectorJSON("A"), "invalid_request", "/id"},
		"a hidden id":       {"..", connectorJSON("A"), "invalid_request", "/id"},
		"a long id":         {strings.Repeat("a", 129), connectorJSON("A"), "invalid_request", "/id"},
		"nothing":           {"", `{}`, "invalid_config", "/accessKeyId /accessKeySecret /accountName /templates"},
		"no config":         {"", `null`, "invalid_config", "/accessKeyId /accessKeySecret /accountName /templates"},
		"no object":         {"", `"x"`, "invalid_config", ""},
		"all at once":       {"", connectorJSON("A", `"regionId": "mars"`, `"tagName": 5`), "invalid_config", "/tagName /regionId"},
		"queued in memory":  {"", connectorJSON("A", `"delivery": {"SignIn": "queued", "BindMfa": "queued", "Register": "direct"}`), "invalid_config", "/delivery/BindMfa /delivery/SignIn"},
		"a reference":       {"", strings.Replace(connectorJSON("A"), secret, "${env:PATH}", 1), "invalid_config", "/accessKeySecret"},
		"a mask":            {"", strings.Replace(connectorJSON("A"), secret, "***", 1), "invalid_config", "/accessKeySecret"},
		"a foreign host":    {"", connectorJSON("A", `"endpoint": "https://dm.example.com"`), "invalid_config", "/endpoint"},
		"no sender for it":  {"", connectorJSON("A", `"regionId": "eu-central-1"`), "invalid_config", ""},
		"empty where it is": {"", strings.Replace(connectorJSON("A"), `"LTAI5tExample"`, `""`, 1), "invalid_config", "/accessKeyId"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.Create(t.Context(), "admin", tt.id, registry.Patch{Config: decode(t, tt.config)})
			refused := refusal(t, err, tt.code)
			if got := strings.TrimSpace(pointers(refused.Problems)); got != tt.pointers || strings.Contains(refused.Detail, secret) {
				t.Errorf("problems %+v, want %s", refused.Problems, tt.pointers)
			}
		})
	}
	if len(s.store.connectors) != 1 || len(s.store.changes) != 1 {
		t.Errorf("stored all the same: %v", s.store.changes)
	}
}

func TestUpdateReplacesTheConfig(t *testing.T) {
	tests := map[string]struct{ before, patch, want string }{
		"an empty alias": {
			connectorJSON("A"), strings.Replace(connectorJSON(""), secret, "***", 1),
			strings.Replace(connectorJSON("X"), `"fromAlias": "X",`, "", 1),
		},
		"nulls and empty things": {
			connectorJSON("A"), connectorJSON("B", `"tagName": null`, `"limits": {"ip": ""}`, `"extra": [[], {"x": [""]}, 0, false]`),
			connectorJSON("B", `"extra": [0, false]`),
		},
		"what is left out is gone": {connectorJSON("A", `"tagName": "codes"`), connectorJSON("A"), connectorJSON("A")},
		"the mask with other fields": {
			connectorJSON("A", `"securityToken": "sts"`), strings.Replace(connectorJSON("B", `"regionId": "ap-southeast-1"`, `"securityToken": "***"`), secret, "***", 1),
			connectorJSON("B", `"regionId": "ap-southeast-1"`, `"securityToken": "sts"`),
		},
		"a new secret": {connectorJSON("A"), strings.Replace(connectorJSON("A"), secret, "another", 1), strings.Replace(connectorJSON("A"), secret, "another", 1)},
		"built-in":     {connectorJSON("A"), `{"templates": "builtin", "accessKeyId": "LTAI5tExample", "accessKeySecret": "***", "accountName": "noreply@mail.example.com"}`, `{"templates": "builtin", "accessKeyId": "LTAI5tExample", "accessKeySecret": "hunter2-hunter2", "accountName": "noreply@mail.example.com"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil).load()
			create(s, "a", tt.before)
			c, err := s.Update(t.Context(), "admin", "a", 1, registry.Patch{Config: decode(t, tt.patch)})
			must(t, err)
			same(t, s.store.connectors["a"].Config, tt.want)
			if c.Version != 2 || !c.Active || strings.Contains(string(c.Config), secret) || !strings.Contains(string(c.Config), `"accessKeySecret":"***"`) {
				t.Errorf("%+v %s", c, c.Config)
			}
		})
	}
}

func TestUpdateOfTheRest(t *testing.T) {
	s := newStage(t, nil).load()
	create(s, "a", connectorJSON("A"))
	yes, before := true, s.active()["a"]
	c, err := s.Update(t.Context(), "admin", "a", 0, registry.Patch{Metadata: map[string]any{"target": "x"}, SyncProfile: &yes, EnableTokenStorage: &yes})
	must(t, err)
	if same(t, c.Metadata, `{"target": "x"}`); c.Version != 2 || !c.SyncProfile || !c.EnableTokenStorage || s.active()["a"] != before {
		t.Errorf("%+v", c)
	}
	again, err := s.Update(t.Context(), "admin", "a", 0, registry.Patch{Metadata: map[string]any{"target": "x"}, SyncProfile: &yes})
	if must(t, err); again.Version != 2 || len(s.store.changes) != 2 {
		t.Errorf("%+v: a change of nothing was stored", again)
	}
}

func TestMaskIsForTheSameKeyAndEndpoint(t *testing.T) {
	masked := func(more ...string) string {
		return strings.Replace(connectorJSON("A", more...), secret, "***", 1)
	}
	const host = `"endpoint": "https://dm-vpc.cn-hangzhou.aliyuncs.com"`
	tests := map[string]struct {
		before, config string
		pointers       string
	}{
		"as it was":            {connectorJSON("A"), masked(), ""},
		"with its endpoint":    {connectorJSON("A", host), masked(host), ""},
		"an empty endpoint":    {connectorJSON("A"), masked(`"endpoint": ""`), ""},
		"another key":          {connectorJSON("A"), strings.Replace(masked(), "LTAI5tExample", "LTAI5tOther", 1), "/accessKeySecret"},
		"another endpoint":     {connectorJSON("A"), masked(host), "/accessKeySecret"},
		"a loopback endpoint":  {connectorJSON("A"), masked(`"endpoint": "http://127.0.0.1:1"`), "/endpoint /accessKeySecret"},
		"no endpoint any more": {connectorJSON("A", host), masked(), "/accessKeySecret"},
		"a token":              {connectorJSON("A", `"securityToken": "sts"`), strings.Replace(masked(`"securityToken": "***"`), "LTAI5tExample", "LTAI5tOther", 1), "/accessKeySecret /securityToken"},
		"a token not there":    {connectorJSON("A"), masked(`"securityToken": "***"`), "/securityToken"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, nil).load()
			create(s, "a", tt.before)
			cfg, report := s.Check("a", decode(t, tt.config))
			if got := pointers(report.Errors); got != tt.pointers || (cfg == nil) != (got != "") {
				t.Errorf("errors %v, want %q", report.Errors, tt.pointers)
			}
			if cfg != nil && string(cfg.AccessKeySecret) != secret {
				t.Error("the secret is not the stored one")
			}
			_, err := s.Update(t.Context(), "admin", "a", 0, registry.Patch{Config: decode(t, tt.config)})
			if tt.pointers == "" {
				must(t, err)
			} else if refused := refusal(t, err, "invalid_config"); pointers(refused.Problems) != tt.pointers {
				t.Errorf("%+v", refused.Problems)
			}
			if _, report := s.Check("", decode(t, tt.config)); len(report.Errors) == 0 {
				t.Error("accepted for no connector")
			}
			if _, report := s.Check("b", decode(t, tt.config)); len(report.Errors) == 0 {
				t.Error("accepted for another connector")
			}
		})
	}
}

func TestMisspeltSecretsAreMasked(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A", `"AccessKeySecret2": "hunter2-hunter2"`, `"security_token": ["hunter2-hunter2"]`))
	s.load()
	create(s, "b", connectorJSON("B", `"acessKeySecret": "hunter2-hunter2"`))
	if text, err := json.Marshal(s.Connectors()); err != nil || strings.Contains(string(text), secret) {
		t.Errorf("%s %v", text, err)
	}
	_, err := s.Update(t.Context(), "admin", "b", 0, registry.Patch{Config: decode(t, string(s.Connectors()[1].Config))})
	must(t, err)
	same(t, s.store.connectors["b"].Config, connectorJSON("B", `"acessKeySecret": "hunter2-hunter2"`))
}

func TestChangesThatAreRefused(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("filed.json", connectorJSON("F"))
	s.load()
	create(s, "a", connectorJSON("A"))
	patch := registry.Patch{Config: decode(t, connectorJSON("B"))}
	for _, tt := range []struct {
		id      string
		version int64
		code    string
	}{
		{"none", 0, "connector_not_found"}, {"none", 1, "connector_not_found"}, {"filed", 0, "connector_read_only"}, {"a", 2, "precondition_failed"},
	} {
		_, err := s.Update(t.Context(), "admin", tt.id, tt.version, patch)
		refusal(t, err, tt.code)
		refusal(t, s.Delete(t.Context(), "admin", tt.id, tt.version), tt.code)
	}
	if _, err := s.Update(t.Context(), "admin", "a", 1, patch); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), "admin", "a", 2); err != nil || s.aliases() != "filed=F" {
		t.Errorf("%v, active %q", err, s.aliases())
	}
	refusal(t, s.Delete(t.Context(), "admin", "a", 0), "connector_not_found")
}

// between has another process change the connector before each of the next n
// changes.
func (s *stage) between(n int) {
	s.store.between = func() {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		if n--; n >= 0 {
			c := s.store.connectors["a"]
			c.Version++
			s.store.connectors["a"] = c
			s.store.revision++
		}
	}
}

func TestConcurrentChanges(t *testing.T) {
	s := newStage(t, nil).load()
	create(s, "a", connectorJSON("A"))
	patch := registry.Patch{Config: decode(t, connectorJSON("B"))}

	s.between(2)
	if c, err := s.Update(t.Context(), "admin", "a", 0, patch); err != nil || c.Version != 4 || s.aliases() != "a=B" {
		t.Errorf("%+v, %v", c, err)
	}
	s.between(1)
	_, err := s.Update(t.Context(), "admin", "a", 4, registry.Patch{Config: decode(t, connectorJSON("C"))})
	refusal(t, err, "precondition_failed")
	s.between(100)
	_, err = s.Update(t.Context(), "admin", "a", 0, registry.Patch{Config: decode(t, connectorJSON("C"))})
	refusal(t, err, "precondition_failed")
	s.between(0)

	// Another process made it just now.
	s.store.put(t, "b", 1, connectorJSON("B"))
	if c, err := s.Update(t.Context(), "admin", "b", 1, registry.Patch{Metadata: map[string]any{"x": 1}}); err != nil || c.Version != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestCreateBesidesAnotherProcess(t *testing.T) {
	s := newStage(t, nil).load()
	s.store.between = func() {
		s.store.between = nil
		s.store.put(t, "a", 1, connectorJSON("Theirs"))
	}
	_, err := s.Create(t.Context(), "admin", "a", registry.Patch{Config: decode(t, connectorJSON("Ours"))})
	if refusal(t, err, "connector_exists"); s.aliases() != "a=Theirs" {
		t.Errorf("active: %q", s.aliases())
	}
}

func TestChangeIsActiveThoughItsCallerLeaves(t *testing.T) {
	s := newStage(t, nil).load()
	create(s, "a", connectorJSON("A"))
	ctx, leave := context.WithCancel(t.Context())
	s.store.between = leave
	c, err := s.Update(ctx, "admin", "a", 0, registry.Patch{Config: decode(t, connectorJSON("B"))})
	if err != nil || c.Version != 2 || s.aliases() != "a=B" {
		t.Errorf("%+v, %v, active %q", c, err, s.aliases())
	}
}

func TestChangesNeedTheState(t *testing.T) {
	s := newStage(t, nil).load()
	create(s, "a", connectorJSON("A"))
	s.store.fail(true)
	_, err := s.Create(t.Context(), "admin", "", registry.Patch{Config: decode(t, connectorJSON("B"))})
	_, err2 := s.Update(t.Context(), "admin", "a", 0, registry.Patch{Config: decode(t, connectorJSON("B"))})
	_, err3 := s.PutTemplates(t.Context(), "admin", []registry.EmailTemplate{{LanguageTag: "en", TemplateType: "SignIn", Details: []byte(`{"subject":"s","content":"c"}`)}})
	_, err4 := s.DeleteTemplates(t.Context(), "admin", registry.TemplateFilter{LanguageTag: "en"})
	_, err5 := s.Changes(t.Context(), "", 10)
	for i, err := range []error{err, err2, err3, err4, err5, s.Delete(t.Context(), "admin", "a", 0), s.DeleteTemplate(t.Context(), "admin", "x")} {
		if err == nil || !strings.Contains(err.Error(), errDown.Error()) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if s.aliases() != "a=A" {
		t.Errorf("active: %q", s.aliases())
	}
}

func TestAuditTrailNamesWhatChanged(t *testing.T) {
	s := newStage(t, nil).load()
	create(s, "a", connectorJSON("A", `"extra": {"deep": [1, {"x": "y"}]}`))
	config := strings.Replace(connectorJSON("B", `"extra": {"deep": [1, {"x": "z"}, 3]}`, `"`+strings.Repeat("long", 100)+`": 1`), secret, "new-"+secret, 1)
	_, err := s.Update(t.Context(), "someone", "a", 0, registry.Patch{Config: decode(t, strings.Replace(config, "s {{code}}", "t {{code}}", 1)), Metadata: map[string]any{"x": secret}})
	must(t, err)
	many := map[string]any{}
	for i := range 100 {
		many["k"+string(rune('a'+i/26))+string(rune('a'+i%26))] = "v"
	}
	config2, _ := decode(t, config).(map[string]any)
	config2["many"] = many
	_, err = s.Update(t.Context(), "someone", "a", 0, registry.Patch{Config: config2})
	must(t, err, s.Delete(t.Context(), "other", "a", 0))

	changes, err := s.Changes(t.Context(), "", 100)
	must(t, err)
	want := []registry.Change{
		{ID: "4", Actor: "other", Action: "connector.delete", Subject: "a"},
		{ID: "3", Actor: "someone", Action: "connector.update", Subject: "a", Detail: []byte(`{"fields":["many","templates/0"]}`)},
		{ID: "2", Actor: "someone", Action: "connector.update", Subject: "a", Detail: []byte(
			`{"fields":["accessKeySecret","extra","fromAlias","` + strings.Repeat("long", 25) + `","templates/0","metadata"]}`)},
		{ID: "1", Actor: "admin", Action: "connector.create", Subject: "a", Detail: []byte(`{"fields":["accessKeyId","accessKeySecret","accountName","extra","fromAlias","templates"]}`)},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	many["inner"] = "x"
	create(s, "b", connectorJSON("B"))
	for key := range many {
		config2[key] = "v"
	}
	_, err = s.Update(t.Context(), "someone", "b", 0, registry.Patch{Config: config2})
	must(t, err)
	if detail := s.store.changes[len(s.store.changes)-1].Detail; len(detail) > 3000 || !strings.Contains(string(detail), `"more":8`) {
		t.Errorf("%d bytes: %s", len(detail), detail)
	}
}

// Whatever is checked or created, there are a config or errors, and what is shown
// of it has no secret.
func FuzzCheck(f *testing.F) {
	f.Add(connectorJSON("A"))
	f.Add(connectorJSON("A", `"securityToken": "***"`, `"endpoint": "http://127.0.0.1"`, `"x": [[{}], null, ""]`))
	f.Add(`{"accessKeySecret": "***", "templates": "builtin"}`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, config string) {
		var tree any
		if json.Unmarshal([]byte(config), &tree) != nil {
			return
		}
		s := newStage(t, nil).load()
		cfg, report := s.Check("a", tree)
		if (cfg == nil) != (len(report.Errors) > 0) {
			t.Fatalf("config is nil: %v, errors %v", cfg == nil, report.Errors)
		}
		root, ok := tree.(map[string]any)
		if !ok {
			return
		}
		root["accessKeySecret"] = "kept-from-all-readers"
		c, err := s.Create(t.Context(), "admin", "", registry.Patch{Config: root})
		if shown, _ := json.Marshal(s.Connectors()); strings.Contains(string(shown)+s.log.String(), "kept-from-all-readers") {
			t.Errorf("%s", shown)
		}
		if err == nil && !c.Active {
			t.Errorf("%+v", c)
		}
	})
}
