package registry

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"dmconnector/connector"
	"dmconnector/internal/strictjson"
)

// mask takes the place of a secret in everything that leaves the registry.
const mask = "***"

// isSecret reports whether a key of a config holds a secret, perhaps a misspelt
// one.
func isSecret(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, "secret") || strings.Contains(key, "token") || strings.Contains(key, "password")
}

// masked returns a config's JSON with its secrets masked, and {} for text that is
// not a JSON object.
func masked(text []byte) json.RawMessage {
	root := objectOf(text)
	for key := range root {
		if isSecret(key) {
			root[key] = mask
		}
	}
	// A role has no secrets, but a misplaced member may be one.
	role, _ := root["credentials"].(map[string]any)
	for key := range role {
		if !slices.Contains(roleMembers, key) {
			role[key] = mask
		}
	}
	return marshal(root)
}

var roleMembers = []string{"type", "roleName", "roleArn", "oidcProviderArn", "oidcTokenFile", "sessionName", "policy", "stsEndpoint"}

// unmask replaces masks by the stored secrets. It returns problems for masks that
// it must not lift: an admin who could send a secret to another endpoint, or with
// another key, would learn or use it.
func unmask(root map[string]any, storedText []byte) []connector.Problem {
	stored := objectOf(storedText)
	same := func(key string) bool {
		a, _ := root[key].(string)
		b, _ := stored[key].(string)
		return a == b
	}
	var problems []connector.Problem
	for _, key := range slices.Sorted(maps.Keys(root)) {
		if !isSecret(key) || root[key] != mask {
			continue
		}
		secret, known := stored[key]
		if known && same("accessKeyId") && same("endpoint") {
			root[key] = secret
			continue
		}
		detail := "enter the secret itself: no secret is stored that the mask could stand for"
		if known {
			detail = "enter the secret itself: the mask stands for the stored secret only while accessKeyId and endpoint are unchanged"
		}
		problems = append(problems, connector.Problem{Pointer: "/" + pointerEscapes.Replace(key), Detail: detail})
	}
	return problems
}

// objectOf returns the JSON object, or an empty one.
func objectOf(text []byte) map[string]any {
	tree, _ := strictjson.Decode(text)
	root, ok := tree.(map[string]any)
	if !ok {
		return map[string]any{}
	}
	return root
}

// marshal writes what strictjson read, with < and > as they are.
func marshal(v any) json.RawMessage {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // decoded JSON can always be written
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// withoutEmpty returns a copy without empty strings, nulls, and objects and
// arrays that contain nothing else, as Logto stores a config; nil if nothing is
// left.
func withoutEmpty(tree any) any {
	switch v := tree.(type) {
	case string:
		if v == "" {
			return nil
		}
	case map[string]any:
		kept := make(map[string]any, len(v))
		for key, child := range v {
			if child = withoutEmpty(child); child != nil {
				kept[key] = child
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		var kept []any
		for _, child := range v {
			if child = withoutEmpty(child); child != nil {
				kept = append(kept, child)
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	}
	return tree
}
