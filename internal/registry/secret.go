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

// mask stands for a secret in everything that leaves the registry.
const mask = "***"

// isSecret reports whether a key of a config holds a secret. A misspelt one does,
// too.
func isSecret(key string) bool {
	key = strings.ToLower(key)
	return slices.ContainsFunc([]string{"secret", "token", "password"}, func(word string) bool { return strings.Contains(key, word) })
}

// masked returns a config's JSON with the secrets masked, and {} for what is no
// JSON object.
func masked(text []byte) json.RawMessage {
	root := objectOf(text)
	for key := range root {
		if isSecret(key) {
			root[key] = mask
		}
	}
	// A role has no secrets; what is misplaced in it may be one.
	if role, ok := root["credentials"].(map[string]any); ok {
		for key := range role {
			if !slices.Contains(roleMembers, key) {
				role[key] = mask
			}
		}
	}
	return marshal(root)
}

var roleMembers = []string{"type", "roleName", "roleArn", "oidcProviderArn", "oidcTokenFile", "sessionName", "policy", "stsEndpoint"}

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

// unmask puts the stored secrets in place of their masks. It returns problems for
// masks that it may not lift: whoever could send a secret to another endpoint, or
// try it with another key, would learn it or make use of it.
func unmask(root, stored map[string]any) []connector.Problem {
	same := stored != nil && text(root, "accessKeyId") == text(stored, "accessKeyId") && text(root, "endpoint") == text(stored, "endpoint")
	var problems []connector.Problem
	for _, key := range slices.Sorted(maps.Keys(root)) {
		if !isSecret(key) || root[key] != mask {
			continue
		}
		secret, known := stored[key]
		switch {
		case same && known:
			root[key] = secret
		case known:
			problems = append(problems, connector.Problem{
				Pointer: "/" + pointerEscapes.Replace(key),
				Detail:  "is the mask, which stands for the stored secret only as long as accessKeyId and endpoint stay as they are: give the secret itself",
			})
		default:
			problems = append(problems, connector.Problem{
				Pointer: "/" + pointerEscapes.Replace(key), Detail: "is a mask, and no secret is stored for it: give the secret itself",
			})
		}
	}
	return problems
}

func text(root map[string]any, key string) string {
	s, _ := root[key].(string)
	return s
}

// withoutEmpty returns a copy without empty strings, nulls, and objects and
// arrays that hold nothing else, as Logto stores a config.
func withoutEmpty(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		kept := make(map[string]any, len(v))
		for key, child := range v {
			if child = withoutEmpty(child); !isEmpty(child) {
				kept[key] = child
			}
		}
		return kept
	case []any:
		kept := make([]any, 0, len(v))
		for _, child := range v {
			if child = withoutEmpty(child); !isEmpty(child) {
				kept = append(kept, child)
			}
		}
		return kept
	default:
		return tree
	}
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		return false
	}
}
