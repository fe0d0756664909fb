package logtopeers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Of the machine-to-machine application that Logto's client is given.
const (
	clientID     = "client-of-the-test"
	clientSecret = "client-secret-of-the-test"
)

// withTokenEndpoint puts Logto's token endpoint beside the API: the client wants
// one, and our tokens come from elsewhere.
func withTokenEndpoint(t *testing.T, api http.Handler) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("POST /oidc/token", func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("client_id") != clientID || r.PostFormValue("client_secret") != clientSecret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"access_token": adminToken, "expires_in": 3600, "token_type": "Bearer", "scope": "all"})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// A call is one call of Logto's client: the path is as in its types, the rest is
// what it is given.
type call struct {
	Method string         `json:"method"`
	Path   string         `json:"path"`
	Params map[string]any `json:"params,omitempty"`
	Body   any            `json:"body,omitempty"`
}

func byID(id string) map[string]any { return map[string]any{"path": map[string]any{"id": id}} }

// A result is what Logto's client makes of an answer.
type result struct {
	Status      int
	Data, Error any
}

// object is a result's data, or an empty one.
func (r result) object() map[string]any {
	object, _ := r.Data.(map[string]any)
	return object
}

func (r result) list() []any {
	list, _ := r.Data.([]any)
	return list
}

// manage makes the calls by Logto's client and returns their results.
func manage(t *testing.T, url string, calls ...call) []result {
	t.Helper()
	input, err := json.Marshal(map[string]any{"baseUrl": url, "clientId": clientID, "clientSecret": clientSecret, "calls": calls})
	if err != nil {
		t.Fatal(err)
	}
	lines := node(t, "manage.mjs", input)
	if len(lines) != len(calls) {
		t.Fatalf("%d results for %d calls", len(lines), len(calls))
	}
	results := make([]result, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &results[i]); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	return results
}

func checkStatuses(t *testing.T, results []result, want ...int) {
	t.Helper()
	got := make([]int, len(results))
	for i, r := range results {
		got[i] = r.Status
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("statuses (-want +got):\n%s%+v", diff, results)
	}
}

func TestLogtosClientManagesConnectors(t *testing.T) {
	service := start(t)
	url := withTokenEndpoint(t, service.api)
	config := map[string]any{
		"accessKeyId": "key", "accessKeySecret": "secret", "accountName": "noreply@mail.example.com", "fromAlias": "Example",
		"templates": []map[string]string{
			{"usageType": "Register", "subject": "r", "content": "{{code}}"},
			{"usageType": "SignIn", "subject": "s", "content": "{{code}}"},
			{"usageType": "ForgotPassword", "subject": "f", "content": "{{code}}"},
			{"usageType": "Generic", "subject": "g {{code}}", "content": "{{code}}"},
		},
	}
	test := map[string]any{"email": "user@example.com", "config": config, "locale": "en"}
	results := manage(
		t, url,
		call{Method: "GET", Path: "/api/connector-factories"},
		call{Method: "GET", Path: "/api/connector-factories/{id}", Params: byID("aliyun-direct-mail")},
		call{Method: "POST", Path: "/api/connectors", Body: map[string]any{"connectorId": "aliyun-direct-mail", "id": "peer", "config": config}},
		call{Method: "GET", Path: "/api/connectors", Params: map[string]any{"query": map[string]any{"target": "aliyun-dm"}}},
		call{Method: "POST", Path: "/api/connectors/{factoryId}/test", Params: map[string]any{"path": map[string]any{"factoryId": "aliyun-direct-mail"}}, Body: test},
		call{Method: "POST", Path: "/api/connectors", Body: map[string]any{"connectorId": "aliyun-direct-mail", "id": "peer", "config": config}},
	)
	checkStatuses(t, results, 200, 200, 200, 200, 204, 422)
	if len(results[0].list()) != 1 || results[1].object()["id"] != "aliyun-direct-mail" {
		t.Errorf("factories: %+v", results[:2])
	}
	if created := results[2].object(); created["id"] != "peer" || created["connectorId"] != "aliyun-direct-mail" || created["type"] != "Email" {
		t.Errorf("created: %+v", created)
	}
	if len(results[3].list()) != 2 { // the one that the service began with, too
		t.Errorf("list: %+v", results[3])
	}
	if mails := service.box.Mails(); len(mails) != 1 || mails[0].To != "user@example.com" || mails[0].Subject != "g 000000" {
		t.Errorf("mails: %+v", mails)
	}
	if rejected, _ := results[5].Error.(map[string]any); rejected["code"] != "connector_exists" {
		t.Errorf("an error: %+v", results[5])
	}

	// The config goes back as it came, with the secret masked, and something changed.
	shown, _ := results[2].object()["config"].(map[string]any)
	shown["fromAlias"] = "Changed"
	results = manage(
		t, url,
		call{Method: "PATCH", Path: "/api/connectors/{id}", Params: byID("peer"), Body: map[string]any{"config": shown}},
		call{Method: "GET", Path: "/api/connectors/{id}", Params: byID("peer")},
		call{Method: "POST", Path: "/api/connectors/{factoryId}/test", Params: map[string]any{"path": map[string]any{"factoryId": "peer"}}, Body: map[string]any{"email": "user@example.com", "config": shown}},
		call{Method: "DELETE", Path: "/api/connectors/{id}", Params: byID("peer")},
		call{Method: "GET", Path: "/api/connectors/{id}", Params: byID("peer")},
	)
	checkStatuses(t, results, 200, 200, 204, 204, 404)
	if config, _ := results[1].object()["config"].(map[string]any); config["fromAlias"] != "Changed" || config["accessKeySecret"] == "secret" {
		t.Errorf("changed: %+v", config)
	}
	if mails := service.box.Mails(); len(mails) != 2 || mails[0].FromAlias != "Changed" {
		t.Errorf("mails: %+v", mails)
	}
}

func TestLogtosClientManagesEmailTemplates(t *testing.T) {
	url := withTokenEndpoint(t, start(t).api)
	template := func(language, usageType, subject string) map[string]any {
		return map[string]any{
			"languageTag": language, "templateType": usageType,
			"details": map[string]any{"subject": subject, "content": "<p>{{code}}</p>", "contentType": "text/html", "sendFrom": "Example"},
		}
	}
	put := func(list ...map[string]any) call {
		return call{Method: "PUT", Path: "/api/email-templates", Body: map[string]any{"templates": list}}
	}
	filter := func(method, key, value string) call {
		return call{Method: method, Path: "/api/email-templates", Params: map[string]any{"query": map[string]any{key: value}}}
	}
	results := manage(
		t, url,
		put(template("zh-CN", "SignIn", "中"), template("en", "SignIn", "en")),
		put(template("en", "SignIn", "en again"), template("en", "Register", "en")),
		call{Method: "GET", Path: "/api/email-templates"},
		filter("GET", "templateType", "SignIn"),
	)
	checkStatuses(t, results, 200, 200, 200, 200)
	if all, some := results[2].list(), results[3].list(); len(all) != 3 || len(some) != 2 {
		t.Fatalf("all %v, some %v", all, some)
	}
	first, _ := results[0].list()[1].(map[string]any)
	again, _ := results[1].list()[0].(map[string]any)
	if first["id"] != again["id"] || first["createdAt"] != again["createdAt"] || first["tenantId"] != "default" {
		t.Errorf("first %v, again %v", first, again)
	}
	id, _ := first["id"].(string)
	results = manage(
		t, url,
		call{Method: "PATCH", Path: "/api/email-templates/{id}/details", Params: byID(id), Body: map[string]any{"subject": "patched"}},
		call{Method: "GET", Path: "/api/email-templates/{id}", Params: byID(id)},
		call{Method: "DELETE", Path: "/api/email-templates/{id}", Params: byID(id)},
		call{Method: "GET", Path: "/api/email-templates/{id}", Params: byID(id)},
		filter("DELETE", "languageTag", "zh-CN"),
		call{Method: "DELETE", Path: "/api/email-templates"},
	)
	checkStatuses(t, results, 200, 200, 204, 404, 200, 422)
	details, _ := results[1].object()["details"].(map[string]any)
	if details["subject"] != "patched" || details["content"] != "<p>{{code}}</p>" {
		t.Errorf("patched: %v", details)
	}
	if results[4].object()["rowCount"] != 1.0 {
		t.Errorf("deleted: %+v", results[4])
	}
}
