package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/strictjson"
	"dmconnector/internal/words"
)

// object is the body, which must be a JSON object.
func (r *request) object() (map[string]any, error) {
	tree, err := strictjson.Decode(r.body)
	if syntax, ok := errors.AsType[*strictjson.Error](err); ok {
		detail := fmt.Sprintf("the body is not acceptable JSON at line %d, column %d", syntax.Line, syntax.Column)
		return nil, &problem{Code: errcode.InvalidRequest, Detail: detail}
	}
	members, ok := tree.(map[string]any)
	if !ok {
		return nil, &problem{Code: errcode.InvalidRequest, Detail: "the body must be a JSON object"}
	}
	return members, nil
}

// A strictness says whether unknown members are errors. They are in our own requests, so
// that a misspelt one is not ignored; in Logto's requests they are ignored.
type strictness bool

const (
	strict  strictness = true
	lenient strictness = false
)

// decode decodes the body into a struct. The error names everything that is wrong.
func (r *request) decode(target any, unknown strictness) error {
	members, err := r.object()
	if err != nil {
		return err
	}
	return decodeObject(members, target, unknown)
}

// decodeQuery decodes the query as if it were a body with string members. Errors repeat
// neither its keys nor its values, which may hold an address.
func (r *request) decodeQuery(target any, keys ...string) error {
	members := make(map[string]any)
	var repeated []connector.Problem
	for key, given := range r.URL.Query() {
		switch {
		case key == "address" || key == "email" || key == "to" || key == "recipient":
			return &problem{Code: errcode.InvalidRequest, Detail: "do not put an address in a URL: POST it to /api/messages/search"}
		case !slices.Contains(keys, key):
			return &problem{Code: errcode.InvalidRequest, Detail: "the query has an unknown key; known keys are " + strings.Join(keys, ", ")}
		case key == "state":
			list := make([]any, 0, len(given))
			for name := range strings.SplitSeq(strings.Join(given, ","), ",") {
				list = append(list, name)
			}
			members[key] = list
		case len(given) > 1:
			repeated = append(repeated, connector.Problem{Pointer: "/" + key, Detail: "is given more than once"})
		case key == "limit":
			members[key] = json.Number(given[0])
		default:
			members[key] = given[0]
		}
	}
	if len(repeated) > 0 {
		return invalidRequest(repeated)
	}
	return decodeObject(members, target, lenient)
}

// invalidRequest is an error that names everything that is wrong with a request.
func invalidRequest(problems []connector.Problem) error {
	return &problem{Code: errcode.InvalidRequest, Detail: "the request has errors", Errors: problems}
}

func decodeObject(members map[string]any, target any, unknown strictness) error {
	d := decoder{unknown: unknown}
	d.object("", members, reflect.ValueOf(target).Elem())
	if len(d.problems) > 0 {
		return invalidRequest(d.problems)
	}
	return nil
}

// A parser is a field that parses its own JSON value. The error says what the value must
// be.
type parser interface{ parse(value any) error }

// A form is what a string may be. must is what the error says, with the one of the known
// words that was probably meant.
type form struct {
	ok    func(text string) bool
	must  string
	known []string
}

var (
	messageID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) // a UUID
	// incidentID is a message's id, or its end, which people see in an error.
	incidentID = regexp.MustCompile(`^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{4})?[0-9a-f]{8}$`)

	forms = map[string]form{
		"cursor":   {messageID.MatchString, "must be next of the page before", nil},
		"incident": {incidentID.MatchString, "must be an incident or its last 8 characters", nil},
		"level":    oneOf("debug", "info", "warn", "error"),
		"type":     oneOf(delivery.TypeLabels()...),
		// The connector need not exist any more.
		"connector": {func(text string) bool { return text != "" && len(text) <= 128 && plain(text) }, "must be the id of a connector", nil},
	}
)

func oneOf(known ...string) form {
	return form{func(text string) bool { return slices.Contains(known, text) }, "must be " + words.List(known), known}
}

// A decoder decodes JSON objects, as package strictjson reads them, into structs. A
// field's json tag is the name of its member. The tag required, which describes the
// member, says that it must not be missing, null or empty. The tag form names the form
// of a string. Otherwise null is ignored.
type decoder struct {
	unknown  strictness
	problems []connector.Problem
}

func (d *decoder) problem(pointer, format string, args ...any) {
	d.problems = append(d.problems, connector.Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

func (d *decoder) object(pointer string, members map[string]any, target reflect.Value) {
	var known []string
	for field, value := range target.Fields() {
		name := field.Tag.Get("json")
		known = append(known, name)
		member, given := members[name]
		what, required := field.Tag.Lookup("required")
		form, formed := field.Tag.Lookup("form")
		switch {
		case required && (member == nil || member == ""):
			d.problem(pointer+"/"+name, "is missing: %s", what)
		case given && formed:
			d.string(pointer+"/"+name, member, value, forms[form])
		case given:
			d.value(pointer+"/"+name, member, value)
		}
	}
	if d.unknown == lenient {
		return
	}
	var unknown []string
	for name := range members {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		d.problem(pointer+"/"+pointerEscapes.Replace(name), "is unknown; known are %s", strings.Join(known, ", "))
	}
}

func (d *decoder) string(pointer string, given any, target reflect.Value, f form) {
	text, _ := given.(string)
	if !f.ok(text) {
		d.problem(pointer, "%s%s", f.must, words.DidYouMean(text, f.known))
		return
	}
	target.SetString(text)
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (d *decoder) value(pointer string, given any, target reflect.Value) {
	if own, ok := reflect.TypeAssert[parser](target.Addr()); ok {
		if err := own.parse(given); err != nil {
			d.problem(pointer, "%s", err)
		}
		return
	}
	if given == nil {
		return
	}
	kind := target.Type()
	if kind.Kind() == reflect.Pointer {
		target.Set(reflect.New(kind.Elem()))
		target, kind = target.Elem(), kind.Elem()
	}
	list, isList := given.([]any)
	switch {
	case kind.Kind() == reflect.Slice && isList:
		target.Set(reflect.MakeSlice(kind, len(list), len(list)))
		for i, item := range list {
			d.value(fmt.Sprintf("%s/%d", pointer, i), item, target.Index(i))
		}
	case kind.Kind() == reflect.Struct:
		members, ok := given.(map[string]any)
		if !ok {
			d.problem(pointer, "must be an object")
			return
		}
		d.object(pointer, members, target)
	case reflect.TypeOf(given).AssignableTo(kind):
		target.Set(reflect.ValueOf(given))
	default:
		d.problem(pointer, "must be %s", kindNames[kind.Kind()])
	}
}

var kindNames = map[reflect.Kind]string{
	reflect.String: "a string", reflect.Bool: "true or false", reflect.Map: "an object", reflect.Slice: "a list",
}
