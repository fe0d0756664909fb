package connector_test

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"dmconnector"
	"dmconnector/connector"
)

// What the schema cannot say, or says less strictly than the program.
var beyondSchema = map[string]string{
	"unknown-region.json":      "an unknown region is good with an endpoint",
	"foreign-endpoint.json":    "the operator may allow hosts",
	"lookalike-endpoint.json":  "the operator may allow hosts",
	"plain-http-endpoint.json": "a URL's parts are beyond a pattern that people can read",
	"endpoint-with-path.json":  "a URL's parts are beyond a pattern that people can read",
	"long-subject.json":        "variables do not count",
	"role-incomplete.json":     "the environment may complete it",
	"role-misfit.json":         "which member is for which type is in the descriptions",
	"bad-reference.json":       "looked up when loading",
	"token-missing.json":       "whether a key is a temporary one is in its text",
	"keys-swapped.json":        "what a key looks like is not said",
	"key-twice.json":           "not seen after decoding",
	"cut-off.json":             "no JSON",
	"with-comment.json":        "no JSON",
	"two-values.json":          "no JSON",
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(dmconnector.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("config.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("config.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// The schema accepts a file if and only if the program does when it is strict.
func TestSchemaAgreesWithCheck(t *testing.T) {
	schema := compileSchema(t)
	for _, path := range glob(t, "../testdata/connectors/*/*.json") {
		name := filepath.Base(path)
		data := read(t, path)
		_, report := connector.Check(data, connector.ParseOptions{Strict: true, Resolve: resolve, Loopback: true})
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err == nil {
			err = schema.Validate(doc)
		}
		if _, known := beyondSchema[name]; known {
			if report.Err() == nil {
				t.Errorf("%s: is listed as beyond the schema, but the program accepts it", name)
			}
			continue
		}
		if (err == nil) != (report.Err() == nil) {
			t.Errorf("%s: schema says %v, the program %v", name, err, report.Err())
		}
	}
}

// The schema names the keys of the Go types, no more and no fewer.
func TestSchemaNamesTheKeys(t *testing.T) {
	schema := compileSchema(t)
	template := schema.Properties["templates"].OneOf[1].Items2020.Ref
	tests := map[string]struct {
		properties map[string]*jsonschema.Schema
		goType     reflect.Type
		besides    []string
	}{
		"connector": {schema.Properties, reflect.TypeFor[connector.Config](), []string{"$schema"}},
		"role":      {schema.Properties["credentials"].Properties, reflect.TypeFor[connector.Role](), nil},
		"limits":    {schema.Properties["limits"].Properties, reflect.TypeFor[connector.Limits](), nil},
		"template":  {template.Properties, reflect.TypeFor[connector.Template](), nil},
	}
	for name, tt := range tests {
		want := slices.Clone(tt.besides)
		for field := range tt.goType.Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			want = append(want, key)
		}
		var got []string
		for key, property := range tt.properties {
			got = append(got, key)
			if property.Description == "" && (property.Ref == nil || property.Ref.Description == "") {
				t.Errorf("%s: %s has no description", name, key)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %q, the Go type %q", name, got, want)
		}
	}
}
