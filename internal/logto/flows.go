package logto

import (
	_ "embed"
	"fmt"

	"dmconnector/internal/strictjson"
)

//go:embed flows.json
var flowsJSON []byte

// A Flow is a mail request of a real Logto, as it was recorded.
type Flow struct {
	Name    string
	About   string
	Type    string // a usage type
	Payload map[string]any
}

// Flows returns all that were recorded, by their names. Nobody may change them.
func Flows() []Flow {
	tree, err := strictjson.Decode(flowsJSON)
	list, ok := tree.([]any)
	if err != nil || !ok {
		panic(fmt.Sprintf("flows.json: %v", err)) // it is part of the program
	}
	flows := make([]Flow, len(list))
	for i, item := range list {
		object, _ := item.(map[string]any)
		f := &flows[i]
		f.Name, _ = object["name"].(string)
		f.About, _ = object["about"].(string)
		f.Type, _ = object["type"].(string)
		f.Payload, _ = object["payload"].(map[string]any)
	}
	return flows
}

// Languages are those that Logto's sign-in page speaks by itself. A tenant may
// add others.
func Languages() []string {
	return []string{
		"ar", "cs", "de", "en", "es", "es-MX", "fa-IR", "fr", "it", "ja", "ko", "pl-PL", "pt-PT", "pt-BR", "ru", "th",
		"tr-TR", "uk-UA", "zh-CN", "zh-HK", "zh-TW",
	}
}
