package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"dmconnector"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/doctor"
	"dmconnector/internal/errcode"
	"dmconnector/internal/httpapi"
)

func specificationOf(t *testing.T) *specification {
	t.Helper()
	spec, err := served()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestDocumentIsServed(t *testing.T) {
	api := httpapi.New(httpapi.Options{Log: discard, Version: "1.2.3"})
	got := ask(t, api, "GET /openapi.json", "")
	etag := got.header.Get("ETag")
	var doc struct{ Info struct{ Version string } }
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil || got.status != http.StatusOK || doc.Info.Version != "1.2.3" {
		t.Errorf("%d, version %q, %v", got.status, doc.Info.Version, err)
	}
	if got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-cache" || len(etag) != 34 {
		t.Errorf("%v", got.header)
	}
	tests := map[string]struct {
		header string
		status int
	}{
		"known":         {"If-None-Match: " + etag, http.StatusNotModified},
		"one of them":   {`If-None-Match: "x", W/` + etag, http.StatusNotModified},
		"another":       {`If-None-Match: "x"`, http.StatusOK},
		"a part":        {"Range: bytes=0-9", http.StatusOK},
		"only if other": {`If-Match: "x"`, http.StatusOK},
	}
	for name, tt := range tests {
		again := ask(t, api, "GET /openapi.json", "", tt.header)
		if again.status != tt.status || again.header.Get("ETag") != etag || (again.body == got.body) != (tt.status == http.StatusOK) {
			t.Errorf("%s: %d %v", name, again.status, again.header)
		}
	}
	other := ask(t, httpapi.New(httpapi.Options{Log: discard, Version: "1.2.4"}), "GET /openapi.json", "")
	if other.header.Get("ETag") == etag {
		t.Error("another version has the same ETag")
	}
}

// It must be valid by the rules of OpenAPI 3.1, with examples that are as their
// schemas want them.
func TestDocumentIsValid(t *testing.T) {
	spec := specificationOf(t)
	if _, errs := spec.requests.ValidateDocument(); len(errs) > 0 {
		for _, err := range errs {
			t.Error(err.Error(), err.SchemaValidationErrors)
		}
	}
	if spec.tree["openapi"] != "3.1.1" {
		t.Errorf("openapi is %v", spec.tree["openapi"])
	}
	examples := 0
	eachObject(spec.tree, "", func(pointer string, media map[string]any) {
		example, has := media["example"]
		if _, isMedia := media["schema"]; !has || !isMedia {
			return
		}
		examples++
		if err := spec.holdsAt(pointer+"/schema", example); err != nil {
			t.Errorf("%s/example: %v", pointer, err)
		}
	})
	if examples < 50 {
		t.Errorf("there are %d examples", examples)
	}
}

// eachObject calls f for every object of a tree, with its JSON pointer.
func eachObject(tree any, pointer string, f func(string, map[string]any)) {
	switch tree := tree.(type) {
	case map[string]any:
		f(pointer, tree)
		for key, value := range tree {
			eachObject(value, pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key), f)
		}
	case []any:
		for i, value := range tree {
			eachObject(value, pointer+"/"+strconv.Itoa(i), f)
		}
	}
}

// Whatever a reference names must be there, and whatever has a name must be used.
func TestDocumentRefersToAllItsParts(t *testing.T) {
	spec := specificationOf(t)
	used := make(map[string]bool)
	eachObject(spec.tree, "", func(pointer string, o map[string]any) {
		ref, ok := o["$ref"].(string)
		if !ok {
			return
		}
		used[ref] = true
		var at any = spec.tree
		for key := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			inner, _ := at.(map[string]any)
			at = inner[key]
		}
		if at == nil {
			t.Errorf("%s: there is no %s", pointer, ref)
		}
	})
	components := spec.tree["components"].(map[string]any)
	for kind, list := range components {
		for name := range list.(map[string]any) {
			if ref := "#/components/" + kind + "/" + name; kind != "securitySchemes" && !used[ref] {
				t.Errorf("%s is not used", ref)
			}
		}
	}
}

// A connector's JSON has the rules that editors know.
func TestDocumentHasTheConfigSchema(t *testing.T) {
	var want map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(dmconnector.Schema()), `"#/$defs/`, `"#/components/schemas/ConnectorConfig/$defs/`)), &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "$schema")
	delete(want, "$id")
	got := specificationOf(t).tree["components"].(map[string]any)["schemas"].(map[string]any)["ConnectorConfig"]
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-config.schema.json +openapi.json)\n%s", diff)
	}
}

// Every route is in the document, and the other way round.
func TestDocumentHasEveryRoute(t *testing.T) {
	s := newService(t)
	routes := []string{}
	err := chi.Walk(s.api.Routes(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routes = append(routes, method+" "+route)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	documented := []string{}
	for path, item := range specificationOf(t).tree["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			if method != "parameters" {
				documented = append(documented, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(documented)
	if diff := cmp.Diff(routes, documented); diff != "" {
		t.Errorf("(-routes +document)\n%s", diff)
	}
}

// On two addresses each route is on its own, and on the other nothing shows it.
func TestRoutesOnTwoAddresses(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, folder+"/default.json", connectorJSON(t))
	s := startService(t, folder)
	writeFile(t, folder+"/broken.json", []byte("{"))
	s.registry.Reload(t.Context())
	s.api = httpapi.New(httpapi.Options{
		Delivery: newDelivery(discard), Log: discard, Registry: s.registry, Messages: s.state, Sessions: s.state, Inbox: s.sandbox.Inbox(),
		Console: http.NotFoundHandler(), Metrics: http.NotFoundHandler(), LogLevel: new(slog.LevelVar), Ready: s.ready,
		Examine:    func(context.Context, *connector.Config) (doctor.Report, error) { return doctor.Report{}, nil },
		SendTokens: []string{recordedToken}, AdminTokens: []string{adminToken},
	})
	callers, admins := s.api.Split()
	patterns := func(h http.Handler) []string {
		list := []string{}
		if err := chi.Walk(h.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
			list = append(list, method+" "+route)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		return list
	}
	ofCallers := []string{"GET /healthz", "GET /readyz", "POST /api/connectors/{id}/send", "POST /api/send"}
	if diff := cmp.Diff(ofCallers, patterns(callers)); diff != "" {
		t.Error(diff)
	}
	ofAdmins := slices.DeleteFunc(patterns(s.api.Routes().(http.Handler)), func(route string) bool { return strings.HasSuffix(route, "/send") })
	if diff := cmp.Diff(ofAdmins, patterns(admins)); diff != "" {
		t.Error(diff)
	}

	// With any method and the right token, a hidden route answers as one that nobody knows.
	shown := func(h http.Handler, method, path, token string) string {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{}"))
		r.Header.Set("Authorization", token)
		h.ServeHTTP(w, r)
		return regexp.MustCompile(`[0-9a-f-]{36}`).ReplaceAllString(fmt.Sprint(w.Code, w.Header(), w.Body), "")
	}
	hide := func(name string, h http.Handler, routes []string, token string) {
		for _, route := range routes {
			_, path, _ := strings.Cut(route, " ")
			if path == "/healthz" || path == "/readyz" {
				continue
			}
			for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
				want := shown(h, method, "/unknown", token)
				if got := shown(h, method, strings.NewReplacer("{id}", "default", "*", "a.js").Replace(path), token); got != want || !strings.HasPrefix(got, "404 ") {
					t.Errorf("%s: %s %s: %s, want %s", name, method, path, got, want)
				}
			}
		}
	}
	hide("callers", callers, ofAdmins, adminToken)
	hide("admins", admins, ofCallers, recordedToken)

	for i, h := range []http.Handler{callers, admins} {
		want := i == 1
		if got := shown(h, "GET", "/readyz", adminToken); !strings.HasPrefix(got, "200 ") || strings.Contains(got, "details") != want {
			t.Errorf("details: %v, want %v: %s", !want, want, got)
		}
	}
}

// The document has the codes of the table, with their titles and statuses, and no
// others.
func TestDocumentHasTheTableOfCodes(t *testing.T) {
	spec := specificationOf(t)
	titles := make(map[string]string)
	for _, item := range schemaOf(t, "ProblemCode")["oneOf"].([]any) {
		code := item.(map[string]any)
		titles[code["const"].(string)] = code["title"].(string)
	}
	wantTitles, wantStatuses := make(map[string]string), make(map[string][]int)
	for _, kind := range errcode.Kinds() {
		wantTitles[string(kind.Code)] = kind.Title
		wantStatuses[string(kind.Code)] = []int{kind.Status}
	}
	if diff := cmp.Diff(wantTitles, titles); diff != "" {
		t.Errorf("titles (-program +document)\n%s", diff)
	}
	wantStatuses["invalid_request"] = []int{400, 408, 413}
	delete(wantStatuses, "not_found") // they have no route to be documented with
	delete(wantStatuses, "method_not_allowed")
	got := statusesOf(spec)
	for code, statuses := range got {
		slices.Sort(statuses)
		got[code] = slices.Compact(statuses)
	}
	if diff := cmp.Diff(wantStatuses, got); diff != "" {
		t.Errorf("statuses (-program +document)\n%s", diff)
	}
}

// The codes of the send routes are those that a message can end with, and those of
// requests that never become one.
func TestSendRoutesHaveEveryCodeOfAMessage(t *testing.T) {
	want := []string{"forbidden", "invalid_request", "unauthorized"}
	for _, kind := range errcode.Kinds() {
		if kind.Message {
			want = append(want, string(kind.Code))
		}
	}
	slices.Sort(want)
	spec := specificationOf(t)
	paths := spec.tree["paths"].(map[string]any)
	for _, path := range []string{"/api/send", "/api/connectors/{id}/send"} {
		only := &specification{tree: map[string]any{"components": spec.tree["components"], "paths": paths[path]}}
		got := slices.Sorted(maps.Keys(statusesOf(only)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-program +document)\n%s", path, diff)
		}
	}
}

// The enums of the document, and the types of factory.json, are the program's own lists.
func TestDocumentHasTheProgramsLists(t *testing.T) {
	var states, modes []string
	for _, kind := range delivery.States() {
		states = append(states, string(kind.State))
	}
	for _, mode := range delivery.Modes() {
		modes = append(modes, string(mode))
	}
	message := schemaOf(t, "Message")["properties"].(map[string]any)
	other := schemaOf(t, "MessageType")["anyOf"].([]any)[1].(map[string]any)["const"].(string)
	var factory struct {
		FormItems []struct {
			Key          string
			DefaultValue any
		}
	}
	data, err := os.ReadFile("factory.json")
	if err == nil {
		err = json.Unmarshal(data, &factory)
	}
	if err != nil {
		t.Fatal(err)
	}
	var withTemplate []string
	for _, item := range factory.FormItems {
		if item.Key == "templates" {
			for _, template := range item.DefaultValue.([]any) {
				withTemplate = append(withTemplate, template.(map[string]any)["usageType"].(string))
			}
		}
	}
	for name, lists := range map[string][2][]string{
		"factory.json": {connector.UsageTypes(), withTemplate},
		"states":       {states, texts(schemaOf(t, "State")["enum"])},
		"modes":        {modes, texts(message["mode"].(map[string]any)["enum"])},
		"usage types":  {connector.UsageTypes(), texts(schemaOf(t, "UsageType")["enum"])},
		"type labels":  {delivery.TypeLabels(), append(texts(schemaOf(t, "UsageType")["enum"]), other)},
		"sent types":   {connector.UsageTypes(), texts(schemaOf(t, "SendRequest")["properties"].(map[string]any)["type"].(map[string]any)["examples"])},
	} {
		if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
			t.Errorf("%s (-program +document)\n%s", name, diff)
		}
	}
}

func schemaOf(t *testing.T, name string) map[string]any {
	t.Helper()
	return specificationOf(t).tree["components"].(map[string]any)["schemas"].(map[string]any)[name].(map[string]any)
}

func texts(list any) (all []string) {
	for _, text := range list.([]any) {
		all = append(all, text.(string))
	}
	return all
}

// statusesOf finds for each code with which statuses operations answer it.
func statusesOf(spec *specification) map[string][]int {
	components := spec.tree["components"].(map[string]any)["responses"].(map[string]any)
	statuses := make(map[string][]int)
	eachObject(spec.tree["paths"], "", func(_ string, o map[string]any) {
		responses, _ := o["responses"].(map[string]any)
		for status, response := range responses {
			ref, _ := response.(map[string]any)["$ref"].(string)
			n, _ := strconv.Atoi(status)
			eachObject(components[ref[strings.LastIndex(ref, "/")+1:]], "", func(pointer string, o map[string]any) {
				codes, _ := o["enum"].([]any)
				if !strings.HasSuffix(pointer, "/properties/code") {
					return
				}
				for _, code := range codes {
					statuses[code.(string)] = append(statuses[code.(string)], n)
				}
			})
		}
	})
	return statuses
}

// The check itself sees what is wrong, or it would be of no use.
func TestConversationsThatAreNotAsDocumented(t *testing.T) {
	const (
		sent = `{"id":"0192e1b2-7c4d-7e55-9f6a-3b8c1d2e4f50","state":"sent"}`
		busy = `{"type":"urn:dmconnector:problem:x","title":"x","status":409,"code":"superseded","incident":"0192e1b2-7c4d-7e55-9f6a-3b8c1d2e4f50"}`
		send = `{"to":"user@example.com","type":"SignIn"}`
	)
	tests := map[string]struct {
		route, token, body string
		status             int
		contentType        string
		answer             string
		good               bool
	}{
		"good":                {"POST /api/send", recordedToken, send, 200, "application/json", sent, true},
		"good bearer":         {"POST /api/send", "Bearer " + recordedToken, send, 200, "application/json", sent, true},
		"a refused request":   {"POST /api/send", "", `nonsense`, 409, "application/problem+json", busy, true},
		"no token":            {"POST /api/send", "", send, 200, "application/json", sent, false},
		"another role":        {"POST /api/send", adminToken, send, 200, "application/json", sent, false},
		"no recipient":        {"POST /api/send", recordedToken, `{"type":"SignIn"}`, 200, "application/json", sent, false},
		"no body":             {"POST /api/send", recordedToken, ``, 503, "application/problem+json", strings.Replace(strings.Replace(busy, "superseded", "unavailable", 1), "409", "503", 1), false},
		"a number":            {"POST /api/send", recordedToken, `{"to":1,"type":"SignIn"}`, 200, "application/json", sent, false},
		"no route":            {"POST /api/sent", recordedToken, send, 200, "application/json", sent, false},
		"no method":           {"PUT /api/send", recordedToken, send, 200, "application/json", sent, false},
		"no status":           {"POST /api/send", recordedToken, send, 201, "application/json", sent, false},
		"no content type":     {"POST /api/send", recordedToken, send, 200, "text/plain", sent, false},
		"a member too many":   {"POST /api/send", recordedToken, send, 200, "application/json", strings.Replace(sent, "{", `{"x":1,`, 1), false},
		"a member too few":    {"POST /api/send", recordedToken, send, 200, "application/json", `{"state":"sent"}`, false},
		"a state too many":    {"POST /api/send", recordedToken, send, 200, "application/json", strings.Replace(sent, "sent", "lost", 1), false},
		"no UUID":             {"POST /api/send", recordedToken, send, 200, "application/json", `{"id":"x","state":"sent"}`, false},
		"another's code":      {"POST /api/send", recordedToken, send, 409, "application/problem+json", strings.Replace(busy, "superseded", "payload_gone", 1), false},
		"no code":             {"POST /api/send", recordedToken, send, 409, "application/problem+json", strings.Replace(busy, "superseded", "x", 1), false},
		"an unknown filter":   {"GET /api/messages?state=lost", adminToken, "", 200, "application/json", `{"messages":[]}`, false},
		"two states":          {"GET /api/messages?state=dead,unknown", adminToken, "", 200, "application/json", `{"messages":[]}`, true},
		"an event":            {"GET /api/messages/events", adminToken, "", 200, "text/event-stream", "event: messages\ndata: {\"messages\":[]}\n\n:\n\nevent: mess", true},
		"an unknown event":    {"GET /api/messages/events", adminToken, "", 200, "text/event-stream", "event: mails\ndata: {\"messages\":[]}\n\n", false},
		"another's event":     {"GET /api/messages/events", adminToken, "", 200, "text/event-stream", "event: messages\ndata: {}\n\n", false},
		"an absent route":     {"GET /api/none", "", "", 404, "application/problem+json", strings.Replace(busy, "superseded", "not_found", 1), true},
		"an absent config":    {"POST /api/connectors", adminToken, `{"connectorId":"aliyun-direct-mail"}`, 200, "application/json", sent, false},
		"undocumented header": {"POST /api/send", recordedToken, send, 200, "application/json", sent, false},
	}
	spec := specificationOf(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.route, " ")
			r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
			if tt.token != "" {
				r.Header.Set("Authorization", tt.token)
			}
			header := http.Header{"Content-Type": {tt.contentType}}
			if tt.contentType == "application/problem+json" {
				header.Set("Dmconnector-Code", "superseded")
				if name == "an absent route" {
					header.Set("Dmconnector-Code", "not_found")
				}
				header.Set("Dmconnector-Incident", "0192e1b2-7c4d-7e55-9f6a-3b8c1d2e4f50")
			}
			if name == "undocumented header" {
				header.Set("X-Undocumented", "1")
			}
			faults := spec.faults(conversation{r, []byte(tt.body), tt.status, header, []byte(tt.answer)})
			if (len(faults) == 0) != tt.good {
				t.Errorf("%q", faults)
			}
		})
	}
}
