// Package dmconnector holds the JSON Schema of a connector's JSON, for editors.
// The program is in cmd/dmconnector; what a connector is, in connector; the
// template language, in templates; Direct Mail's client, in aliyundm; a
// simulated Direct Mail for tests, in aliyundm/sandbox.
package dmconnector

import _ "embed"

//go:embed config.schema.json
var schema []byte

// Schema returns config.schema.json, a JSON Schema of draft 2020-12.
func Schema() []byte { return append([]byte(nil), schema...) }
