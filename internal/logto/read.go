package logto

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dmconnector/internal/strictjson"
)

// FactoryID is the connectorId of Logto's Aliyun Direct Mail connector.
const FactoryID = "aliyun-direct-mail"

// Problems are what is wrong with a text, a sentence each.
type Problems []string

func (p Problems) Error() string { return strings.Join(p, "\n  ") }

func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}

// ReadConfig reads a config of Logto's connector: the bare config, a connector
// of GET /api/connectors, or all of that list. It returns the places that the
// connector has no use for, too. Errors name values by their place alone.
func ReadConfig(data []byte) (*Config, []string, error) {
	tree, err := strictjson.Decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("is not JSON: %w", err)
	}
	object, err := findConfig(tree)
	if err != nil {
		return nil, nil, err
	}
	r := &reader{}
	cfg := &Config{
		AccessKeyID:     r.text(object, "", "accessKeyId", true),
		AccessKeySecret: r.text(object, "", "accessKeySecret", true),
		RegionID:        r.text(object, "", "regionId", false),
		AccountName:     r.text(object, "", "accountName", true),
		FromAlias:       r.text(object, "", "fromAlias", false),
	}
	for i, item := range r.list(object, "templates") {
		pointer := fmt.Sprintf("/templates/%d", i)
		t := r.object(item, pointer)
		cfg.Templates = append(cfg.Templates, ConfigTemplate{
			r.text(t, pointer, "usageType", true), r.text(t, pointer, "subject", true), r.text(t, pointer, "content", true),
		})
		r.unused(t, pointer)
	}
	r.unused(object, "")
	for _, usageType := range []string{"Register", "SignIn", "ForgotPassword", Generic} {
		if !slices.ContainsFunc(cfg.Templates, func(t ConfigTemplate) bool { return t.UsageType == usageType }) {
			r.fault("/templates", "has none for "+usageType+", without which Logto's connector sends nothing")
		}
	}
	return cfg, r.ignored, r.problems.err()
}

// findConfig finds the config in what the management API answers.
func findConfig(tree any) (map[string]any, error) {
	if list, ok := tree.([]any); ok {
		var found []any
		for _, item := range list {
			if object, _ := item.(map[string]any); object["connectorId"] == FactoryID {
				found = append(found, item)
			}
		}
		if len(found) != 1 {
			return nil, fmt.Errorf("has %d connectors with the connectorId %s, and must have one", len(found), FactoryID)
		}
		tree = found[0]
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return nil, errors.New("must be a config of Logto's Aliyun Direct Mail connector: a JSON object")
	}
	factory, wrapped := object["connectorId"]
	if !wrapped {
		return object, nil
	}
	if factory != FactoryID {
		return nil, errors.New("is a connector of another kind: connectorId must be " + FactoryID)
	}
	config, ok := object["config"].(map[string]any)
	if !ok {
		return nil, errors.New("has no config")
	}
	return config, nil
}

// ReadEmailTemplates reads what GET /api/email-templates answers, or what its
// PUT takes.
func ReadEmailTemplates(data []byte) ([]EmailTemplate, error) {
	tree, err := strictjson.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	r := &reader{}
	list, ok := tree.([]any)
	if object, wrapped := tree.(map[string]any); wrapped {
		list, ok = object["templates"].([]any)
	}
	if !ok {
		return nil, errors.New("must be a list of email templates, as GET /api/email-templates answers")
	}
	var read []EmailTemplate
	seen := make(map[string]int)
	for i, item := range list {
		pointer := fmt.Sprintf("/%d", i)
		object := r.object(item, pointer)
		details := r.object(object["details"], pointer+"/details")
		t := EmailTemplate{
			LanguageTag:  r.text(object, pointer, "languageTag", true),
			TemplateType: r.text(object, pointer, "templateType", true),
			Subject:      r.text(details, pointer+"/details", "subject", true),
			Content:      r.text(details, pointer+"/details", "content", true),
			ContentType:  r.text(details, pointer+"/details", "contentType", false),
			ReplyTo:      r.text(details, pointer+"/details", "replyTo", false),
			SendFrom:     r.text(details, pointer+"/details", "sendFrom", false),
		}
		identity := t.TemplateType + " " + t.LanguageTag
		if first, twice := seen[identity]; twice && t.TemplateType != "" {
			r.fault(pointer, fmt.Sprintf("is for the same type and language as /%d", first))
		}
		seen[identity] = i
		read = append(read, t)
	}
	return read, r.problems.err()
}

// A reader collects what is wrong with decoded JSON.
type reader struct {
	problems Problems
	ignored  []string
	known    map[string][]string // the keys that were asked for, by their object's place
}

func (r *reader) fault(pointer, what string) {
	if pointer != "" {
		pointer += ": "
	}
	r.problems = append(r.problems, pointer+what)
}

func (r *reader) ask(pointer, key string) {
	if r.known == nil {
		r.known = make(map[string][]string)
	}
	r.known[pointer] = append(r.known[pointer], key)
}

func (r *reader) text(object map[string]any, pointer, key string, required bool) string {
	r.ask(pointer, key)
	value, there := object[key]
	text, ok := value.(string)
	switch {
	case object == nil: // said already
	case !there && required:
		r.fault(pointer+"/"+key, "is missing")
	case there && !ok:
		r.fault(pointer+"/"+key, "must be a string")
	}
	return text
}

func (r *reader) list(object map[string]any, key string) []any {
	r.ask("", key)
	list, ok := object[key].([]any)
	if !ok {
		r.fault("/"+key, "must be a list")
	}
	return list
}

func (r *reader) object(value any, pointer string) map[string]any {
	object, ok := value.(map[string]any)
	if !ok {
		r.fault(pointer, "must be an object")
	}
	return object
}

// unused notes the keys of an object that nobody asked for.
func (r *reader) unused(object map[string]any, pointer string) {
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(r.known[pointer], key) {
			r.ignored = append(r.ignored, pointer+"/"+key)
		}
	}
}
