package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dmconnector"
	"dmconnector/connector"
)

// A schemaNode is as much of JSON Schema as config.schema.json has, with its
// properties in their order.
type schemaNode struct {
	Ref                  string   `json:"$ref"`
	Type                 string   `json:"type"`
	Description          string   `json:"description"`
	Pattern              string   `json:"pattern"`
	MaxLength            int      `json:"maxLength"`
	Default              any      `json:"default"`
	Const                any      `json:"const"`
	Enum                 []any    `json:"enum"`
	Examples             []any    `json:"examples"`
	Required             []string `json:"required"`
	Properties           properties
	AdditionalProperties json.RawMessage `json:"additionalProperties"`
	Items                *schemaNode     `json:"items"`
	OneOf                []*schemaNode   `json:"oneOf"`
	AnyOf                []*schemaNode   `json:"anyOf"`
	If                   *schemaNode     `json:"if"`
	Else                 *schemaNode     `json:"else"`

	Defs map[string]*schemaNode `json:"$defs"`
}

type properties struct {
	names []string
	nodes map[string]*schemaNode
}

func (p *properties) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &p.nodes); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		p.names = append(p.names, name.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

func readSchema(t *testing.T) *schemaNode {
	t.Helper()
	root := new(schemaNode)
	if err := json.Unmarshal(dmconnector.Schema(), root); err != nil {
		t.Fatal(err)
	}
	return root
}

// whole is a node with what it refers to, and with the one of its choices that is
// more than the empty text.
func (n *schemaNode) whole(root *schemaNode) *schemaNode {
	for _, choice := range n.AnyOf {
		if choice.Const != "" {
			n = merged(n, choice)
		}
	}
	if n.Ref == "" {
		return n
	}
	return merged(n, root.Defs[strings.TrimPrefix(n.Ref, "#/$defs/")].whole(root))
}

// merged has a node's own words, and the other's rules.
func merged(own, other *schemaNode) *schemaNode {
	node := *other
	node.Description, node.Examples = own.Description, own.Examples
	if own.Default != nil {
		node.Default = own.Default
	}
	return &node
}

// object is the node of an object by its JSON pointer; "/templates/0" stands for
// every template.
func (n *schemaNode) object(pointer string) *schemaNode {
	switch pointer {
	case "":
		return n
	case "/templates/0":
		return n.Defs["template"]
	default:
		return n.Properties.nodes[pointer[1:]]
	}
}

// About says what a connector is.
func (p *referencePage) About() string { return asMarkdown(p.schema.Description) }

// Fields is the table of an object's keys.
func (p *referencePage) Fields(pointer string) (string, error) {
	object := p.schema.object(pointer)
	var rows [][]string
	for _, name := range object.Properties.names {
		field := object.Properties.nodes[name].whole(p.schema)
		meaning := asMarkdown(field.Description)
		if len(field.Examples) > 0 {
			meaning += " Examples: " + strings.Join(asJSON(field.Examples), ", ") + "."
		}
		value, err := p.valueOf(field)
		if err != nil {
			return "", fmt.Errorf("%s/%s: %w", pointer, name, err)
		}
		if standard := asJSON(nonEmpty(field.Default)); len(standard) > 0 && !strings.Contains(meaning, "Default: ") {
			meaning += " Default: " + standard[0] + "."
		}
		rows = append(rows, []string{p.nameOfField(pointer, name, object), value, meaning})
	}
	return table([]string{"key", "value", "meaning"}, rows), nil
}

// nameOfField is what stands in a row's first cell: the key, below another one its
// pointer, and whether it is required. What has a section of its own is linked to it.
func (p *referencePage) nameOfField(pointer, name string, object *schemaNode) string {
	anchor := strings.ToLower("connector" + strings.ReplaceAll(strings.TrimSuffix(pointer, "/0"), "/", "-") + "-" + strings.TrimPrefix(name, "$"))
	text := anchored(anchor) + asCode(name)
	if pointer == "" && slices.Contains([]string{"credentials", "limits", "templates"}, name) {
		text = "[" + asCode(name) + "](#" + anchor + ")"
	}
	if pointer != "" {
		text += "<br>" + asCode(strings.Replace(pointer, "/0", "/N", 1)+"/"+name)
	}
	if slices.Contains(object.Required, name) {
		return text + "<br>**required**"
	}
	if object.Else != nil && slices.Contains(object.Else.Required, name) {
		without := asCode(object.If.Required[0])
		return text + "<br>**required without " + without + "**"
	}
	return text
}

// patterns says in words what a text must look like.
var patterns = map[string]string{
	`^\$\{.+\}$|^[!#-&(-_a-~]*$`:                               "ASCII without blanks and quotes",
	`^[A-Za-z0-9.-]{0,64}$`:                                    "up to 64 letters, digits, dots and hyphens",
	`^[A-Za-z0-9_-]{0,128}$`:                                   "up to 128 letters, digits, underscores and hyphens",
	`^$|^/|^[A-Za-z]:`:                                         "an absolute path",
	`^$|^[A-Za-z0-9.@_-]{2,64}$`:                               "2 to 64 letters, digits, dots, hyphens, underscores and @",
	`^$|^acs:ram::[0-9]+:role/[A-Za-z0-9._/-]+$`:               "an ARN such as acs:ram::1234567890123456:role/mail",
	`^$|^acs:ram::[0-9]+:oidc-provider/[A-Za-z0-9._-]+$`:       "an ARN such as acs:ram::1234567890123456:oidc-provider/ack-rrsa",
	`^$|^([0-9]+(\.[0-9]+)?(w|d|h|m|s|ms))+$`:                  `a duration such as "90s" or "1h30m"`,
	`^$|^off$|^[0-9]{1,7}/([0-9]+(\.[0-9]+)?(w|d|h|m|s|ms))+$`: `a rate, or "off"`,
	`^$|^[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*$`:                `a language tag such as "zh-CN"`,

	"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^@\\s]+\\.[^@\\s.]*[^@\\s.0-9][^@\\s.]*$": "one email address, without a name",
}

// valueOf says what a field may hold.
func (p *referencePage) valueOf(field *schemaNode) (string, error) {
	var perKey schemaNode // of an object whose keys are free
	if bytes.HasPrefix(field.AdditionalProperties, []byte("{")) {
		if err := json.Unmarshal(field.AdditionalProperties, &perKey); err != nil {
			return "", err
		}
	}
	switch {
	case field.OneOf != nil:
		return strings.Join(append(asJSON(nonEmpty(field.OneOf[0].Const)), "or a list of objects"), "<br>"), nil
	case field.Enum != nil:
		return strings.Join(asJSON(nonEmpty(field.Enum...)), "<br>"), nil
	case perKey.Enum != nil:
		return "an object; each value " + strings.Join(asJSON(perKey.Enum), ", "), nil
	case field.Type == "object":
		return "an object", nil
	case field.Type != "string":
		return "", fmt.Errorf("no words for the type %q", field.Type)
	}
	words := "text"
	if field.Pattern != "" {
		if words = patterns[field.Pattern]; words == "" {
			return "", fmt.Errorf("no words for the pattern %s", field.Pattern)
		}
	}
	words = asMarkdown(words)
	if field.MaxLength > 0 {
		words += "<br>" + fmt.Sprintf("up to %d characters", field.MaxLength)
	}
	return words, nil
}

// nonEmpty leaves out what is nothing, or the empty text: that is as if the key were
// not there.
func nonEmpty(values ...any) []any {
	return slices.DeleteFunc(slices.Clone(values), func(v any) bool { return v == nil || v == "" })
}

func asJSON(values []any) []string {
	var texts []string
	for _, value := range values {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(value); err != nil {
			panic(err) // it was decoded before
		}
		texts = append(texts, asCode(strings.TrimSpace(text.String())))
	}
	return texts
}

// References are the keys in which ${env:NAME} and ${file:PATH} work.
func (p *referencePage) References() string {
	var found []string
	for _, pointer := range []string{"", "/credentials", "/limits", "/templates/0"} {
		object := p.schema.object(pointer)
		for _, name := range object.Properties.names {
			if readsReference(pointer, name) {
				found = append(found, "- "+asCode(pointer+"/"+name))
			}
		}
	}
	return strings.Join(found, "\n")
}

// readsReference tries whether a reference in a key is looked up.
func readsReference(pointer, name string) bool {
	object := map[string]any{name: "${env:PROBE}"}
	config := map[string]any{}
	switch pointer {
	case "":
		config = object
	case "/templates/0":
		config["templates"] = []any{object}
	default:
		config[pointer[1:]] = object
	}
	read := false
	connector.CheckTree(config, connector.ParseOptions{Resolve: func(kind, name string) (string, error) {
		read = read || kind == "env" && name == "PROBE"
		return "", nil
	}})
	return read
}

// Words for patterns that are in no schema any more explain nothing.
func TestPatternsAreThoseOfTheSchema(t *testing.T) {
	schema := string(dmconnector.Schema())
	for pattern := range patterns {
		text := asJSON([]any{pattern})[0]
		text = strings.ReplaceAll(strings.Trim(text, "`"), `\|`, "|")
		if !strings.Contains(schema, text) {
			t.Errorf("no schema has the pattern %s", text)
		}
	}
}
