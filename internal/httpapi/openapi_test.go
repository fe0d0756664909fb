package httpapi_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"dmconnector"
	"dmconnector/connector"
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

// Every code of the program is in the document, with its title, and some answer of
// its status may have it.
func TestDocumentHasEveryCode(t *testing.T) {
	spec := specificationOf(t)
	components := spec.tree["components"].(map[string]any)
	titles := make(map[string]string)
	for _, item := range components["schemas"].(map[string]any)["ProblemCode"].(map[string]any)["oneOf"].([]any) {
		code := item.(map[string]any)
		titles[code["const"].(string)] = code["title"].(string)
	}
	statuses := statusesOf(spec)
	want := make(map[string]string)
	for code, answer := range httpapi.Answers() {
		want[code] = answer.Title
		if absent := code == "not_found" || code == "method_not_allowed"; !absent && !slices.Contains(statuses[code], answer.Status) {
			t.Errorf("no answer with the status %d has %s: %v", answer.Status, code, statuses[code])
		}
	}
	for _, code := range codesOfSources(t) {
		if _, has := want[code]; !has {
			t.Errorf("%s is in the sources, and has no status", code)
		}
	}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("(-program +document)\n%s", diff)
	}
}

func TestUsageTypesAreTheProgramsOwn(t *testing.T) {
	schemas := specificationOf(t).tree["components"].(map[string]any)["schemas"].(map[string]any)
	var got []string
	for _, usageType := range schemas["UsageType"].(map[string]any)["enum"].([]any) {
		got = append(got, usageType.(string))
	}
	if diff := cmp.Diff(connector.UsageTypes(), got); diff != "" {
		t.Errorf("(-program +document)\n%s", diff)
	}
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

// codesOfSources returns the constants of the type Code in the sources of delivery
// and of this package, and the codes of registry's errors.
func codesOfSources(t *testing.T) []string {
	t.Helper()
	var codes []string
	for folder, isCode := range map[string]func(*ast.ValueSpec) bool{
		".":           func(v *ast.ValueSpec) bool { return typeName(v.Type) == "Code" },
		"../delivery": func(v *ast.ValueSpec) bool { return typeName(v.Type) == "Code" },
	} {
		found := constants(t, folder, isCode)
		if len(found) < 10 {
			t.Fatalf("%s has %q", folder, found)
		}
		codes = append(codes, slices.Collect(maps.Values(found))...)
	}
	return append(codes, refusals(t)...)
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}

func sources(t *testing.T, folder string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// constants returns the string constants that are wanted, by their names.
func constants(t *testing.T, folder string, wanted func(*ast.ValueSpec) bool) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, file := range sources(t, folder) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !wanted(spec) {
				return true
			}
			for i, value := range spec.Values {
				if text, ok := value.(*ast.BasicLit); ok && text.Kind == token.STRING {
					found[spec.Names[i].Name], _ = strconv.Unquote(text.Value)
				}
			}
			return true
		})
	}
	return found
}

// refusals returns the codes that the registry makes errors with.
func refusals(t *testing.T) []string {
	t.Helper()
	const folder = "../registry"
	names := constants(t, "../errcode", func(*ast.ValueSpec) bool { return true })
	var codes []string
	for _, file := range sources(t, folder) {
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || typeName(literal.Type) != "Error" {
				return true
			}
			for _, element := range literal.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok && typeName(pair.Key) == "Code" {
					codes = append(codes, names[typeName(pair.Value)])
				}
			}
			return true
		})
	}
	if len(codes) < 8 || slices.Contains(codes, "") {
		t.Fatalf("the registry has %q", codes)
	}
	return codes
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
