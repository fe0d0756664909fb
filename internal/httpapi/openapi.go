package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dmconnector"
)

// openAPIJSON describes every route, but for what a connector's JSON may be: that
// says config.schema.json.
//
//go:embed openapi.json
var openAPIJSON []byte

// document is the whole OpenAPI document as it is served.
type document struct {
	body []byte
	etag string
}

func newDocument(version string) document {
	tree := decodeOwn("openapi.json", openAPIJSON)
	object(tree, "info")["version"] = version
	object(tree, "components", "schemas")[configSchema] = configTree()
	body, err := json.Marshal(tree)
	if err != nil {
		panic(err) // decoded JSON always marshals
	}
	return document{body, fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body))[:32])}
}

// configSchema is the name of a connector's JSON in the document.
const configSchema = "ConnectorConfig"

// configTree is config.schema.json as a part of the document. It has no name of its
// own there: readers of OpenAPI look for what it refers to in the whole document.
func configTree() map[string]any {
	tree := decodeOwn("config.schema.json", dmconnector.Schema())
	delete(tree, "$schema")
	delete(tree, "$id")
	moveReferences(tree)
	return tree
}

func moveReferences(tree any) {
	switch tree := tree.(type) {
	case map[string]any:
		for key, value := range tree {
			if ref, ok := value.(string); ok && key == "$ref" {
				tree[key] = strings.Replace(ref, "#/", "#/components/schemas/"+configSchema+"/", 1)
			}
			moveReferences(value)
		}
	case []any:
		for _, item := range tree {
			moveReferences(item)
		}
	}
}

// object returns the object at the path, which is there.
func object(tree map[string]any, path ...string) map[string]any {
	for _, key := range path {
		tree = tree[key].(map[string]any)
	}
	return tree
}

func decodeOwn(name string, data []byte) map[string]any {
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		panic(fmt.Sprintf("%s: %v", name, err)) // it is part of the program
	}
	return tree
}

// openAPI answers with the document, to everybody.
func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	doc := s.document()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("ETag", doc.etag)
	h.Set("Cache-Control", "no-cache") // another version may have another
	asked := *r
	asked.Header = http.Header{"If-None-Match": r.Header["If-None-Match"]} // it is not served in parts
	http.ServeContent(w, &asked, "", time.Time{}, bytes.NewReader(doc.body))
}
