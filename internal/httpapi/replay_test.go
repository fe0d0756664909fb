package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An exchange is one request to a real Logto's management API, and its answer.
type exchange struct {
	About   string
	Request struct {
		Method, Path string
		Body         json.RawMessage
	}
	Response struct {
		Status int
		Body   any
	}
}

func exchanges(t *testing.T) []exchange {
	t.Helper()
	data, err := os.ReadFile("../../testdata/logto-management/exchanges.json")
	if err != nil {
		t.Fatal(err)
	}
	var recording struct{ Exchanges []exchange }
	if err := json.Unmarshal(data, &recording); err != nil || len(recording.Exchanges) != 46 {
		t.Fatalf("%d exchanges, %v", len(recording.Exchanges), err)
	}
	return recording.Exchanges
}

// A departure is how we answer otherwise than Logto, and why.
type departure struct {
	status int      // if it is another one
	code   string   // of our problem: Logto's errors have other bodies
	body   []string // the places in the body, one connector's or template's
	why    string
}

// beyond are the places in which every connector differs.
var beyond = []string{
	"/dmconnector",                // what Logto has no member for
	"/config/accessKeySecret",     // Logto shows secrets, we mask them
	"/formItems/1/isConfidential", // the secret's field: a form must not show it
}

var departures = map[string]departure{
	"factory of the Direct Mail connector": {body: beyond[2:], why: "a form must not show the secret"},

	"create":                     {body: beyond, why: "secrets are masked"},
	"read one":                   {body: beyond, why: "secrets are masked"},
	"list":                       {body: beyond, why: "secrets are masked"},
	"list by target":             {body: beyond, why: "secrets are masked"},
	"replace the config":         {body: beyond, why: "secrets are masked"},
	"patch with an empty alias":  {body: beyond, why: "secrets are masked"},
	"patch with an unknown key":  {body: beyond, why: "secrets are masked"},
	"list after the replacement": {body: []string{""}, why: "a second connector does not replace the first"},
	"create with an id of its own (a second email connector replaces the first)": {body: beyond, why: "secrets are masked"},

	"create with an id that exists":          {status: 422, code: "connector_exists", why: "Logto has an internal error here"},
	"test: bad email":                        {status: 422, code: "invalid_recipient", why: "as in every send"},
	"test: unknown factory":                  {status: 404, code: "connector_not_found", why: "what is not there is 404, as everywhere"},
	"templates: put with a bad language tag": {status: 400, code: "invalid_request", why: "it could never be chosen"},

	"unknown factory":                    {code: "factory_not_found", why: "errors are ours"},
	"patch: template missing":            {code: "invalid_config", why: "errors are ours"},
	"patch: wrong types":                 {code: "invalid_config", why: "errors are ours"},
	"patch: config is no object":         {code: "invalid_request", why: "errors are ours"},
	"patch: unknown region":              {code: "invalid_config", why: "errors are ours"},
	"create: invalid config":             {code: "invalid_config", why: "errors are ours"},
	"create: no such factory":            {code: "unknown_factory", why: "errors are ours"},
	"create: no connectorId":             {code: "invalid_request", why: "errors are ours"},
	"read: unknown id":                   {code: "connector_not_found", why: "errors are ours"},
	"test: no recipient":                 {code: "invalid_request", why: "errors are ours"},
	"test: no config":                    {code: "invalid_request", why: "errors are ours"},
	"test: invalid config":               {code: "invalid_config", why: "errors are ours"},
	"templates: unknown id":              {code: "email_template_not_found", why: "errors are ours"},
	"templates: put with an empty list":  {code: "invalid_request", why: "errors are ours"},
	"templates: put with a wrong type":   {code: "invalid_request", why: "errors are ours"},
	"templates: put without subject":     {code: "invalid_request", why: "errors are ours"},
	"templates: delete it again":         {code: "email_template_not_found", why: "errors are ours"},
	"templates: delete without a filter": {code: "filter_required", why: "errors are ours"},
	"delete it again":                    {code: "connector_not_found", why: "errors are ours"},
}

// What a real Logto answered, we answer too, in the same order, save for the
// departures: no others, and none of them in vain.
func TestManagementAPIAnswersAsLogto(t *testing.T) {
	s := newService(t)
	ids := make(map[string]string) // ours by the recorded ones
	told := maps.Clone(departures)
	for _, e := range exchanges(t) {
		path := e.Request.Path
		for recorded, ours := range ids {
			path = strings.ReplaceAll(path, recorded, ours)
		}
		got := s.do(e.Request.Method, path, "Bearer "+adminToken, string(e.Request.Body))
		want := departures[e.About]
		delete(told, e.About)
		if want.status == e.Response.Status {
			t.Errorf("%s: the status does not depart", e.About)
		}
		if want.status == 0 {
			want.status = e.Response.Status
		}
		if got.status != want.status {
			t.Errorf("%s: %d, want %d: %s", e.About, got.status, want.status, got.body)
		}
		if got.code(t) != want.code {
			t.Errorf("%s: code %q, want %q: %s", e.About, got.code(t), want.code, got.body)
		}
		if got.status < 300 && e.Response.Status < 300 {
			c := comparison{ids: ids, places: make(map[string]bool)}
			c.compare("", e.Response.Body, got.decoded(t))
			places := slices.Sorted(maps.Keys(c.places))
			if diff := cmp.Diff(slices.Sorted(slices.Values(want.body)), places); diff != "" {
				t.Errorf("%s: places that differ (-want +got):\n%s", e.About, diff)
			}
		}
	}
	for about := range told {
		t.Errorf("%s: no exchange is called so", about)
	}
	if strings.Contains(s.log.String(), "recorded-secret") {
		t.Error("the log has the secret")
	}
}

// decoded is an answer's JSON; nothing is "", as in the recording.
func (a answer) decoded(t *testing.T) any {
	t.Helper()
	if a.body == "" {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	return v
}

// A comparison finds the places in which two answers differ. An index of a list
// of answers is no part of them.
type comparison struct {
	ids    map[string]string
	places map[string]bool
}

func (c comparison) compare(place string, recorded, ours any) {
	switch r := recorded.(type) {
	case map[string]any:
		o, _ := ours.(map[string]any)
		keys := maps.Clone(r)
		maps.Copy(keys, o)
		for key := range keys {
			_, inRecorded := r[key]
			_, inOurs := o[key]
			if inRecorded != inOurs {
				c.places[place+"/"+key] = true
				continue
			}
			c.member(place+"/"+key, key, r[key], o[key])
		}
	case []any:
		o, _ := ours.([]any)
		if len(o) != len(r) {
			c.places[place] = true
			return
		}
		for i := range r {
			inner := fmt.Sprintf("%s/%d", place, i)
			if place == "" {
				inner = ""
			}
			c.compare(inner, r[i], o[i])
		}
	default:
		text, isText := ours.(string)
		if recorded == "<left out>" && isText && text != "" && text != recorded {
			return
		}
		if recorded != ours {
			c.places[place] = true
		}
	}
}

// member compares what has a name: ids and times are others each time.
func (c comparison) member(place, key string, recorded, ours any) {
	if key == "createdAt" {
		if ours, ok := ours.(float64); ok && ours > 1.7e12 && ours < 1e13 {
			return
		}
	}
	r, isText := recorded.(string)
	o, _ := ours.(string)
	if key == "id" && isText && o != "" {
		if _, known := c.ids[r]; !known {
			c.ids[r] = o
		}
		recorded = c.ids[r]
	}
	c.compare(place, recorded, ours)
}

// The replay compares with what it finds: it must find something.
func TestComparisonFindsPlaces(t *testing.T) {
	c := comparison{ids: map[string]string{"known": "ours"}, places: make(map[string]bool)}
	recorded := map[string]any{"a": 1.0, "b": []any{map[string]any{"x": "1"}}, "gone": nil, "id": "known", "text": "<left out>", "list": []any{1.0}}
	ours := map[string]any{"a": 1.0, "b": []any{map[string]any{"x": "2"}}, "new": nil, "id": "other", "text": 5.0, "list": []any{}}
	c.compare("", recorded, ours)
	want := []string{"/b/0/x", "/gone", "/id", "/list", "/new", "/text"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(c.places))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
