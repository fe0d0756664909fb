package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dmconnector/internal/httpapi"
	"dmconnector/internal/registry"
)

// adminRoutes are all routes for admins. The ids in them do not exist.
var adminRoutes = []string{
	"GET /api/connector-factories",
	"GET /api/connector-factories/x",
	"GET /api/connector-factories/x/templates",
	"POST /api/connector-factories/x/validate",
	"GET /api/connectors",
	"POST /api/connectors",
	"GET /api/connectors/x",
	"PATCH /api/connectors/x",
	"DELETE /api/connectors/x",
	"POST /api/connectors/x/preview",
	"POST /api/connectors/x/test",
	"GET /api/email-templates",
	"PUT /api/email-templates",
	"DELETE /api/email-templates",
	"GET /api/email-templates/x",
	"DELETE /api/email-templates/x",
	"PATCH /api/email-templates/x/details",
	"GET /api/audit",
	"GET /api/messages",
	"POST /api/messages/search",
	"GET /api/messages/x",
	"POST /api/messages/x/retry",
}

func TestAdminRoutesAreForAdmins(t *testing.T) {
	s := newService(t)
	for _, route := range adminRoutes {
		method, path, _ := strings.Cut(route, " ")
		for authorization, want := range map[string]string{"": "401 unauthorized", "wrong": "401 unauthorized", recordedToken: "403 forbidden"} {
			got := s.do(method, path, authorization, "{")
			if answered := fmt.Sprintf("%d %s", got.status, got.code(t)); answered != want {
				t.Errorf("%s with %q: %s, want %s", route, authorization, answered, want)
			}
			checkPublic(t, got)
		}
		if got := s.do(method, path, adminToken, "{"); got.status == 401 || got.status == 403 || got.status >= 500 || got.code(t) == "not_found" {
			t.Errorf("%s for an admin: %d %s", route, got.status, got.body)
		}
		if got := s.do(method, path+"/", adminToken, ""); got.status != http.StatusNotFound || got.code(t) != "not_found" {
			t.Errorf("%s/: %d", route, got.status)
		}
	}
}

// Every browser page may ask, and none may read: there is no CORS.
func TestNoOtherOriginIsLetIn(t *testing.T) {
	s := newService(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/connectors", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://example.com")
	req.Header.Set("Authorization", adminToken)
	for key := range s.exchange(req).header {
		if strings.HasPrefix(key, "Access-Control-") {
			t.Error(key)
		}
	}
}

// create makes a connector over the API.
func (s *service) create(id string) answer {
	s.t.Helper()
	return s.do("POST", "/api/connectors", adminToken, fmt.Sprintf(`{"connectorId":"aliyun-direct-mail","id":%q,"config":%s}`, id, connectorJSON(s.t)))
}

func (s *service) ifMatch(method, path, etag, body string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", adminToken)
	if etag != "" {
		req.Header.Set("If-Match", etag)
	}
	return s.exchange(req)
}

// A header that does not name one version must not change whatever there is.
func TestUnclearIfMatchIsRefused(t *testing.T) {
	s := newService(t)
	s.create("mine")
	for _, lines := range [][]string{{""}, {`"1"`, `"2"`}, {`"1", "2"`}, {"*", `"2"`}} {
		headers := []string{asAdmin}
		for _, line := range lines {
			headers = append(headers, "If-Match: "+line)
		}
		got := ask(t, s.api, "PATCH /api/connectors/mine", `{"metadata":{"a":1}}`, headers...)
		if got.status != 412 || got.code(t) != "precondition_failed" {
			t.Errorf("%q: %d %s", lines, got.status, got.body)
		}
	}
}

func TestChangesOfWhatWasChangedMeanwhileAreRefused(t *testing.T) {
	s := newService(t)
	if got := s.create("mine"); got.status != 200 || got.header.Get("ETag") != `"1"` {
		t.Fatalf("%d, ETag %s: %s", got.status, got.header.Get("ETag"), got.body)
	}
	put := s.do("PUT", "/api/email-templates", adminToken, `{"templates":[{"languageTag":"en","templateType":"SignIn","details":{"subject":"s","content":"c"}}]}`)
	var list []struct{ ID string }
	if err := json.Unmarshal([]byte(put.body), &list); err != nil || len(list) != 1 {
		t.Fatal(put.body)
	}
	template := "/api/email-templates/" + list[0].ID
	steps := []struct {
		method, path, etag, body string
		status                   int
		newETag                  string
	}{
		{"PATCH", "/api/connectors/mine", `"1"`, `{"metadata":{"a":1}}`, 200, `"2"`},
		{"PATCH", "/api/connectors/mine", `"1"`, `{"metadata":{"a":2}}`, 412, ""},
		{"PATCH", "/api/connectors/mine", `W/"2"`, `{"metadata":{"a":2}}`, 412, ""},
		{"PATCH", "/api/connectors/mine", `"0"`, `{"metadata":{"a":2}}`, 412, ""},
		{"PATCH", "/api/connectors/mine", `nonsense`, `{"metadata":{"a":2}}`, 412, ""},
		{"PATCH", "/api/connectors/mine", ``, `{"metadata":{"a":3}}`, 200, `"3"`},
		{"PATCH", "/api/connectors/mine", `*`, `{"metadata":{"a":4}}`, 200, `"4"`},
		{"GET", "/api/connectors/mine", ``, ``, 200, `"4"`},
		{"DELETE", "/api/connectors/mine", `"1"`, ``, 412, ""},
		{"DELETE", "/api/connectors/mine", `"4"`, ``, 204, ""},
		{"GET", template, ``, ``, 200, `"1"`},
		{"PATCH", template + "/details", `"1"`, `{"subject":"t"}`, 200, `"2"`},
		{"PATCH", template + "/details", `"1"`, `{"subject":"u"}`, 412, ""},
		{"DELETE", template, `"1"`, ``, 412, ""},
		{"DELETE", template, `"2"`, ``, 204, ""},
	}
	for i, step := range steps {
		got := s.ifMatch(step.method, step.path, step.etag, step.body)
		if got.status != step.status || got.header.Get("ETag") != step.newETag || got.status == 412 && got.code(t) != "precondition_failed" {
			t.Errorf("step %d, %s %s: %d, ETag %q: %s", i, step.method, step.path, got.status, got.header.Get("ETag"), got.body)
		}
	}
}

func TestAdminRequestsThatAreRefused(t *testing.T) {
	const template = `{"templates":[{"languageTag":"en","templateType":"SignIn","details":{"subject":"s","content":"c"}}]}`
	tests := map[string]struct {
		route, body string
		status      int
		code        string
		pointers    string
	}{
		"no JSON":                  {"POST /api/connectors", `{`, 400, "invalid_request", ""},
		"no object":                {"POST /api/connectors", `[]`, 400, "invalid_request", ""},
		"wrong types":              {"POST /api/connectors", `{"connectorId":1,"id":2,"metadata":3,"syncProfile":4,"enableTokenStorage":5,"config":6}`, 400, "invalid_request", "/connectorId /id /metadata /syncProfile /enableTokenStorage /config"},
		"no config":                {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail"}`, 400, "invalid_request", "/config"},
		"a bad config":             {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","config":{"accessKeyId":"x"}}`, 400, "invalid_config", "/config/accessKeySecret /config/accountName /config/templates"},
		"a reference":              {"PATCH /api/connectors/mine", `{"config":{"accessKeyId":"${env:HOME}","accessKeySecret":"x","accountName":"a@b.example","templates":"builtin"}}`, 400, "invalid_config", "/config/accessKeyId"},
		"an id that exists":        {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","id":"mine","config":CONFIG}`, 422, "connector_exists", ""},
		"an id in a file":          {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","id":"filed","config":CONFIG}`, 422, "connector_exists", ""},
		"a reserved id":            {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","id":"aliyun-direct-mail","config":CONFIG}`, 422, "connector_reserved", ""},
		"an id that is none":       {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","id":"a/b","config":CONFIG}`, 400, "invalid_request", "/id"},
		"another factory":          {"POST /api/connectors", `{"connectorId":"http-email","config":{}}`, 422, "unknown_factory", "/connectorId"},
		"a mask for nothing":       {"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","config":{"accessKeyId":"x","accessKeySecret":"***","accountName":"a@b.example","templates":"builtin"}}`, 400, "invalid_config", "/config/accessKeySecret"},
		"a mask with another key":  {"PATCH /api/connectors/mine", `{"config":{"accessKeyId":"other","accessKeySecret":"***","accountName":"a@b.example","templates":"builtin"}}`, 400, "invalid_config", "/config/accessKeySecret"},
		"a file's connector":       {"PATCH /api/connectors/filed", `{"config":CONFIG}`, 409, "connector_read_only", ""},
		"a file's, deleted":        {"DELETE /api/connectors/filed", ``, 409, "connector_read_only", ""},
		"no such connector":        {"PATCH /api/connectors/x", `{}`, 404, "connector_not_found", ""},
		"none to delete":           {"DELETE /api/connectors/x", ``, 404, "connector_not_found", ""},
		"none to preview":          {"POST /api/connectors/x/preview", `{"type":"SignIn"}`, 404, "connector_not_found", ""},
		"no such factory":          {"GET /api/connector-factories/x", ``, 404, "factory_not_found", ""},
		"no factory's templates":   {"GET /api/connector-factories/x/templates", ``, 404, "factory_not_found", ""},
		"no factory to validate":   {"POST /api/connector-factories/x/validate", `{"config":{}}`, 404, "factory_not_found", ""},
		"nothing to validate":      {"POST /api/connector-factories/aliyun-direct-mail/validate", `{}`, 400, "invalid_request", "/config"},
		"a misspelt id":            {"POST /api/connector-factories/aliyun-direct-mail/validate", `{"config":{},"ID":"mine"}`, 400, "invalid_request", "/ID"},
		"a misspelt member":        {"POST /api/connectors/mine/preview", `{"type":"SignIn","paylaod":{}}`, 400, "invalid_request", "/paylaod"},
		"a preview of no type":     {"POST /api/connectors/mine/preview", `{}`, 400, "invalid_request", "/type"},
		"a preview to nobody":      {"POST /api/connectors/mine/preview", `{"type":"SignIn","to":"nonsense"}`, 400, "invalid_request", "/to"},
		"a preview of no config":   {"POST /api/connectors/aliyun-direct-mail/preview", `{"type":"SignIn"}`, 400, "invalid_request", "/config"},
		"a preview of a bad one":   {"POST /api/connectors/mine/preview", `{"type":"SignIn","config":{}}`, 400, "invalid_config", "/config/accessKeyId /config/accessKeySecret /config/accountName /config/templates"},
		"a variable is missing":    {"POST /api/connectors/aliyun-direct-mail/preview", `{"type":"SignIn","config":{"accessKeyId":"x","accessKeySecret":"x","accountName":"a@b.example","onMissing":"refuse","templates":[{"usageType":"Register","subject":"s","content":"c"},{"usageType":"SignIn","subject":"s","content":"{{nobody}}"},{"usageType":"ForgotPassword","subject":"s","content":"c"},{"usageType":"Generic","subject":"s","content":"c"}]}}`, 422, "variable_missing", ""},
		"a preview's long value":   {"POST /api/connectors/mine/preview", `{"type":"SignIn","payload":{"code":"` + strings.Repeat("&", 1<<20) + `"}}`, 422, "content_rejected", ""},
		"a test's long value":      {"POST /api/connectors/mine/test", `{"email":"user@example.com","payload":{"code":"` + strings.Repeat("&", 1<<20) + `"}}`, 422, "content_rejected", ""},
		"a preview's large mail":   {"POST /api/connectors/aliyun-direct-mail/preview", `{"type":"SignIn","payload":{"code":"` + strings.Repeat("&", 4096) + `"},"config":{"accessKeyId":"x","accessKeySecret":"x","accountName":"a@b.example","templates":[{"usageType":"Register","subject":"s","content":"c"},{"usageType":"SignIn","subject":"s","content":"` + strings.Repeat("{{code}}", 10_000) + `"},{"usageType":"ForgotPassword","subject":"s","content":"c"},{"usageType":"Generic","subject":"s","content":"c"}]}}`, 422, "content_rejected", ""},
		"templates are no list":    {"PUT /api/email-templates", `{"templates":{}}`, 400, "invalid_request", "/templates"},
		"no templates":             {"PUT /api/email-templates", `{}`, 400, "invalid_request", "/templates"},
		"a template is no object":  {"PUT /api/email-templates", `{"templates":[1]}`, 400, "invalid_request", "/templates/0"},
		"a template lacks all":     {"PUT /api/email-templates", `{"templates":[{}]}`, 400, "invalid_request", "/templates/0/languageTag /templates/0/templateType /templates/0/details"},
		"a template's details":     {"PUT /api/email-templates", `{"templates":[{"languageTag":"en","templateType":"SignIn","details":{"content":"x"}}]}`, 400, "invalid_request", "/templates/0/details/subject"},
		"a template's language":    {"PUT /api/email-templates", strings.Replace(template, `"en"`, `"not a tag"`, 1), 400, "invalid_request", "/templates/0/languageTag"},
		"no such template":         {"PATCH /api/email-templates/x/details", `{}`, 404, "email_template_not_found", ""},
		"a deletion of all":        {"DELETE /api/email-templates", ``, 422, "filter_required", ""},
		"a misspelt filter":        {"DELETE /api/email-templates?languageTag=en&templatetype=SignIn", ``, 400, "invalid_request", ""},
		"an unknown way to audit":  {"GET /api/audit?connector=x", ``, 400, "invalid_request", ""},
		"a page of nothing":        {"GET /api/audit?limit=0", ``, 400, "invalid_request", "/limit"},
		"a page before a nonsense": {"GET /api/audit?before=nonsense", ``, 400, "invalid_request", "/before"},
	}
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "filed.json"), connectorJSON(t))
	s := startService(t, folder)
	s.create("mine")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.route, " ")
			got := s.do(method, path, adminToken, strings.ReplaceAll(tt.body, "CONFIG", string(connectorJSON(t))))
			if got.status != tt.status || got.code(t) != tt.code || got.pointers(t) != tt.pointers {
				t.Errorf("%d %s", got.status, got.body)
			}
			if strings.Contains(got.body, "sandbox-secret") {
				t.Error("the answer has the secret")
			}
		})
	}
}

// The console shows an error beside the field that its pointer names.
func TestKeysThatCanNeverMatchAreRefusedAtTheirField(t *testing.T) {
	s := newService(t, "default")
	config := strings.Replace(string(connectorJSON(t)), `"sandbox-secret"`, `"sandbox\u200b-secret"`, 1)
	got := s.do("POST", "/api/connectors", adminToken, "\ufeff"+`{"connectorId":"aliyun-direct-mail","config":`+config+`}`)
	if got.status != 400 || got.pointers(t) != "/config/accessKeySecret" || !strings.Contains(got.body, "character 8 is a zero width space (U+200B)") {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = s.do("POST", "/api/connector-factories/aliyun-direct-mail/validate", adminToken, `{"config":`+config+`}`)
	if !strings.Contains(got.body, `"valid":false`) || !strings.Contains(got.body, `"pointer":"/config/accessKeySecret"`) {
		t.Error(got.body)
	}
}

// pointers are the places that a problem names.
func (a answer) pointers(t *testing.T) string {
	t.Helper()
	var pointers []string
	list, _ := a.problem(t)["errors"].([]any)
	for _, item := range list {
		pointers = append(pointers, item.(map[string]any)["pointer"].(string))
	}
	return strings.Join(pointers, " ")
}

// A connector may have many large templates.
func TestBodiesOfAdminsMayBeLarge(t *testing.T) {
	s := newService(t, "default")
	put := func(mebibytes int) answer {
		content := strings.Repeat("<p>0123456789</p>", 1<<18/17)
		var list []string
		for i := range 4 * mebibytes {
			list = append(list, fmt.Sprintf(`{"languageTag":"en-x-t%03d","templateType":"SignIn","details":{"subject":"s","content":%q}}`, i, content))
		}
		return s.do("PUT", "/api/email-templates", adminToken, `{"templates":[`+strings.Join(list, ",")+`]}`)
	}
	if got := put(2); got.status != 200 {
		t.Errorf("2 MiB: %d %s", got.status, got.body[:min(len(got.body), 300)])
	}
	if got := put(9); got.status != 413 || !strings.Contains(got.body, "larger than 8 MiB") {
		t.Errorf("9 MiB: %d %s", got.status, got.body[:min(len(got.body), 300)])
	}
	send := s.do("POST", "/api/send", recordedToken, strings.Repeat(" ", 2<<20))
	if send.status != 413 {
		t.Errorf("a send of 2 MiB: %d", send.status)
	}
	checkPublic(t, send)
}

// A built-in template can be put into a connector as it comes.
func TestBuiltinTemplatesMakeAConnector(t *testing.T) {
	s := newService(t, "filed")
	list := s.do("GET", "/api/connector-factories/aliyun-direct-mail/templates", adminToken, "").body
	config := `{"accessKeyId":"k","accessKeySecret":"s","accountName":"noreply@mail.example.com","templates":` + list + `}`
	got := s.do("POST", "/api/connector-factories/aliyun-direct-mail/validate", adminToken, `{"config":`+config+`}`)
	if !strings.Contains(list, `"languageTag":"zh-TW"`) || !strings.Contains(got.body, `"valid":true`) || !strings.Contains(got.body, `"warnings":[]`) {
		t.Errorf("%.300s\n%s", list, got.body)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	s := newService(t, "filed")
	config := strings.Replace(string(connectorJSON(t)), `"accountName"`, `"securityToken":"sandbox-sts-token","accountName"`, 1)
	steps := []struct{ route, body string }{
		{"POST /api/connectors", `{"connectorId":"aliyun-direct-mail","id":"mine","config":` + config + `}`},
		{"GET /api/connectors", ""},
		{"GET /api/connectors/mine", ""},
		{"GET /api/connectors/filed", ""},
		{"PATCH /api/connectors/mine", `{"config":` + config + `}`},
		{"PATCH /api/connectors/mine", `{"config":{"accessKeyId":"sandbox-key","accessKeySecret":"sandbox-secret","securityToken":"sandbox-sts-token"}}`},
		{"POST /api/connectors/mine/preview", `{"type":"SignIn"}`},
		{"POST /api/connectors/mine/test", `{"email":"user@example.com","config":` + config + `}`},
		{"POST /api/connector-factories/aliyun-direct-mail/validate", `{"config":` + config + `}`},
		{"GET /api/audit", ""},
		{"GET /api/messages", ""},
		{"GET /readyz", ""},
		{"DELETE /api/connectors/mine", ""},
	}
	shown := &strings.Builder{}
	for _, step := range steps {
		method, path, _ := strings.Cut(step.route, " ")
		got := s.do(method, path, adminToken, step.body)
		fmt.Fprintf(shown, "%s: %d %s\n", step.route, got.status, got.body)
	}
	shown.WriteString(s.log.String())
	for _, secret := range []string{"sandbox-secret", "sandbox-sts-token", adminToken, "user@example.com"} {
		if strings.Contains(strings.ReplaceAll(shown.String(), `"to":"user@example.com"`, ""), secret) {
			t.Errorf("%q is in\n%s", secret, shown)
		}
	}
	if !strings.Contains(shown.String(), `"accessKeySecret":"***"`) {
		t.Error("nothing is masked")
	}
}

func TestConnectorsTellWhereTheyStand(t *testing.T) {
	s := newService(t, "filed")
	s.create("mine")
	for id, want := range map[string]string{
		"filed": `"dmconnector":{"source":"file","readOnly":true,"active":true,`,
		"mine":  `"dmconnector":{"source":"state","readOnly":false,"active":true,"version":1,`,
	} {
		if got := s.do("GET", "/api/connectors/"+id, adminToken, ""); !strings.Contains(got.body, want) {
			t.Errorf("%s: %s", id, got.body)
		}
	}
	if got := s.do("GET", "/api/connectors?target=github", adminToken, ""); got.body != "[]\n" {
		t.Errorf("of another target: %s", got.body)
	}
	warned := strings.Replace(string(connectorJSON(t)), `"accountName"`, `"fromAlais":"x","accountName"`, 1)
	got := s.do("PATCH", "/api/connectors/mine", adminToken, `{"config":`+warned+`}`)
	if !strings.Contains(got.body, `"warnings":[{"pointer":"/config/fromAlais"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestMailsGoThroughAConnectorFromTheAPI(t *testing.T) {
	s := newService(t)
	if got := s.send(); got.code(t) != "connector_not_found" {
		t.Fatalf("%s", got.body)
	}
	s.create("mine")
	if got := s.send(); got.status != 200 || len(s.sandbox.Mails()) != 1 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestBrokenFileKeepsTheServiceReady(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "filed.json")
	writeFile(t, path, connectorJSON(t))
	s := startService(t, folder)
	writeFile(t, path, []byte(`{"accessKeyId":`))
	s.registry.Reload(t.Context())
	if got := s.do("GET", "/readyz", "", ""); got.status != 200 || got.body != `{"status":"ready","connectors":1,"problems":1}`+"\n" {
		t.Errorf("for anybody: %d %s", got.status, got.body)
	}
	if got := s.do("GET", "/readyz", recordedToken, ""); strings.Contains(got.body, "filed") {
		t.Errorf("for a sender: %s", got.body)
	}
	if got := s.do("GET", "/readyz", adminToken, ""); got.status != 200 || !strings.Contains(got.body, `"details":[{"id":"filed","path":"`) || !strings.Contains(got.body, "Fix the JSON") {
		t.Errorf("for an admin: %d %s", got.status, got.body)
	}
	if got := s.do("GET", "/api/connectors/filed", adminToken, ""); !strings.Contains(got.body, `"active":true`) || !strings.Contains(got.body, `"problems":[{"pointer":"/config`) {
		t.Errorf("%s", got.body)
	}
	if got := s.send(); got.status != 200 {
		t.Errorf("a send: %d %s", got.status, got.body)
	}
}

// A connector that was stored under other rules may no longer be active.
func TestStoredConnectorThatIsNotInForce(t *testing.T) {
	s := newService(t)
	old := registry.StoredConnector{ID: "old", Version: 1, Config: []byte(`{"accessKeyId":"x","accessKeySecret":"sandbox-secret"}`)}
	if err := s.state.InsertConnector(t.Context(), old, registry.Change{Actor: "test", Action: "connector.create", Subject: "old"}); err != nil {
		t.Fatal(err)
	}
	s.create("mine") // the registry learns of both
	if got := s.do("GET", "/api/connectors/old", adminToken, ""); !strings.Contains(got.body, `"active":false`) || !strings.Contains(got.body, `"problems":[{"pointer":"/config/accountName"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.do("GET", "/readyz", adminToken, ""); !strings.HasPrefix(got.body, `{"status":"ready","connectors":1,"problems":1,"details":[{"id":"old","problems":[`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	for route, body := range map[string]string{"test": `{"email":"user@example.com"}`, "preview": `{"type":"SignIn"}`} {
		got := s.do("POST", "/api/connectors/old/"+route, adminToken, body)
		if got.code(t) != "invalid_config" || !strings.HasPrefix(got.pointers(t), "/config/accountName") {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
	}
	if got := s.do("POST", "/api/connectors/old/send", recordedToken, "{}"); got.code(t) != "connector_not_found" {
		t.Errorf("a send: %d %s", got.status, got.body)
	}
}

// PostgreSQL does not store a NUL: the answer must not depend on the database.
func TestPathAndQueryMustBeText(t *testing.T) {
	s := newService(t)
	s.create("mine")
	for _, request := range []string{
		"GET /api/connectors/mi%00ne", "PATCH /api/connectors/mi%00ne", "DELETE /api/connectors/mi%00ne", "POST /api/connectors/mi%00ne/send",
		"DELETE /api/email-templates/%00", "GET /api/email-templates/%ff", "DELETE /api/email-templates?languageTag=e%00n",
		"GET /api/messages/%00", "GET /api/messages?connector=%00", "GET /api/connectors?target=%ff",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := s.do(method, path, adminToken, "{}"); got.status != 400 || got.code(t) != "invalid_request" {
			t.Errorf("%s: %d %s", request, got.status, got.body)
		}
	}
	if got := s.do("GET", "/api/email-templates?languageTag=zh-%E4%B8%AD", adminToken, ""); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestStateThatIsGone(t *testing.T) {
	gone := errors.New("dial tcp: connection refused")
	s := newService(t, "filed")
	s.store.fault = gone
	if got := s.create("mine"); got.status != 503 || got.code(t) != "unavailable" || got.header.Get("Retry-After") != "1" || strings.Contains(got.body, "dial") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if !strings.Contains(s.log.String(), "connection refused") {
		t.Errorf("log: %s", s.log)
	}
	s.fault.Store(&gone)
	if got := s.do("GET", "/readyz", adminToken, ""); got.status != 503 || got.body != `{"status":"state unavailable"}`+"\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAuditTellsWhoChangedWhat(t *testing.T) {
	s := newService(t)
	s.create("mine")
	s.do("PATCH", "/api/connectors/mine", adminToken, `{"metadata":{"a":1}}`)
	s.do("DELETE", "/api/connectors/mine", adminToken, "")
	type page struct {
		Changes []struct{ ID, Actor, Action, Subject string }
		Next    string
	}
	var first, second page
	if err := json.Unmarshal([]byte(s.do("GET", "/api/audit?limit=2", adminToken, "").body), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(s.do("GET", "/api/audit?limit=2&before="+first.Next, adminToken, "").body), &second); err != nil {
		t.Fatal(err)
	}
	if len(first.Changes) != 2 || len(second.Changes) != 1 || second.Next != "" || first.Next != first.Changes[1].ID {
		t.Fatalf("%+v %+v", first, second)
	}
	for i, want := range []string{"connector.delete", "connector.update", "connector.create"} {
		change := append(first.Changes, second.Changes...)[i]
		if change.Action != want || change.Actor != "admin-token" || change.Subject != "mine" {
			t.Errorf("change %d: %+v", i, change)
		}
	}
}

func TestFactoryFormMakesAGoodConnector(t *testing.T) {
	s := newService(t)
	var factories []struct {
		ID, Logo, Readme string
		FormItems        []struct {
			Key          string
			Required     bool
			DefaultValue any
		}
	}
	if err := json.Unmarshal([]byte(s.do("GET", "/api/connector-factories", adminToken, "").body), &factories); err != nil || len(factories) != 1 || factories[0].ID != httpapi.FactoryID {
		t.Fatal(factories, err)
	}
	config := map[string]any{"accessKeyId": "key", "accessKeySecret": "secret", "accountName": "noreply@mail.example.com"}
	for _, item := range factories[0].FormItems {
		if item.DefaultValue != nil {
			config[item.Key] = item.DefaultValue
		}
		if item.Required && config[item.Key] == nil {
			t.Errorf("%s is required, and nobody knows it", item.Key)
		}
	}
	body, err := json.Marshal(map[string]any{"config": config})
	if err != nil {
		t.Fatal(err)
	}
	got := s.do("POST", "/api/connector-factories/aliyun-direct-mail/validate", adminToken, string(body))
	if got.body != `{"valid":true,"errors":[],"warnings":[]}`+"\n" {
		t.Error(got.body)
	}
}

// A problemAt is where a problem is.
type problemAt struct {
	Pointer string
	Line    int
}

func TestValidationTellsEverything(t *testing.T) {
	s := newService(t)
	s.create("mine")
	validate := func(members string) (v struct {
		Valid            bool
		Errors, Warnings []problemAt
	},
	) {
		t.Helper()
		got := s.do("POST", "/api/connector-factories/aliyun-direct-mail/validate", adminToken, members)
		if err := json.Unmarshal([]byte(got.body), &v); err != nil || got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return v
	}
	if v := validate(`{"config":{"accessKeyId":"x","fromAlais":"y","templates":"builtin"}}`); v.Valid || len(v.Errors) != 2 || v.Errors[0].Pointer != "/config/accessKeySecret" || len(v.Warnings) == 0 {
		t.Errorf("%+v", v)
	}
	masked := `"config":{"accessKeyId":"sandbox-key","accessKeySecret":"***","accountName":"a@b.example","templates":"builtin"}`
	if v := validate("{" + masked + "}"); v.Valid {
		t.Error("a mask for nothing is valid")
	}
	if v := validate(`{"id":"mine",` + masked + "}"); !v.Valid {
		t.Errorf("the stored one's mask: %+v", v)
	}
	lined := strings.Replace(masked, `"builtin"`, `[{"usageType":"SignIn","subject":"s","content":"{{code}}\n{{cdoe}}"}]`, 1)
	if v := validate(`{"id":"mine",` + lined + "}"); !slices.Contains(v.Warnings, problemAt{"/config/templates/0/content", 2}) {
		t.Errorf("no warning has its line: %+v", v)
	}
}
