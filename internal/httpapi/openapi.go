package httpapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"dmconnector"
)

// openAPIJSON describes every route. What a connector's JSON may be is in
// config.schema.json.
//
//go:embed openapi.json
var openAPIJSON []byte

// document is the OpenAPI document as it is served.
type document struct {
	body []byte
	etag string
}

// newDocument completes openapi.json with the version, and with config.schema.json as
// the schema ConnectorConfig. References in it must start at the document's root.
func newDocument(version string) document {
	var doc map[string]any
	mustUnmarshal("openapi.json", openAPIJSON, &doc)
	doc["info"].(map[string]any)["version"] = version
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	var config map[string]any
	mustUnmarshal("config.schema.json", bytes.ReplaceAll(dmconnector.Schema(), []byte(`"#/$defs/`), []byte(`"#/components/schemas/ConnectorConfig/$defs/`)), &config)
	delete(config, "$schema")
	delete(config, "$id")
	schemas["ConnectorConfig"] = config
	body := mustMarshal(doc)
	return document{body, fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body))[:32])}
}

// mustUnmarshal decodes a file that is part of the program.
func mustUnmarshal(name string, data []byte, target any) {
	if err := json.Unmarshal(data, target); err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
}

func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	doc := s.document()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("ETag", doc.etag)
	h.Set("Cache-Control", "no-cache") // it changes with the program's version
	whole := *r
	whole.Header = http.Header{"If-None-Match": r.Header["If-None-Match"]} // ignore Range
	http.ServeContent(w, &whole, "", time.Time{}, bytes.NewReader(doc.body))
}
