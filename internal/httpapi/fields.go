package httpapi

import (
	"slices"
	"strings"

	"dmconnector/connector"
)

// fields is a JSON object of a request. It notes all faults that are found while
// its members are read.
type fields struct {
	pointer string // of the object
	values  map[string]any
	faults  []connector.Problem
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (f *fields) fault(key, detail string) {
	f.faults = append(f.faults, connector.Problem{Pointer: f.pointer + "/" + pointerEscapes.Replace(key), Detail: detail})
}

// err returns the faults as one problem, or nil if there are none.
func (f *fields) err() error {
	if len(f.faults) == 0 {
		return nil
	}
	return &problem{Code: codeInvalidRequest, Detail: "the request has errors", Errors: f.faults}
}

// member returns the value under key, which must be a T where it is present.
func member[T any](f *fields, key, kind string) (value T, ok bool) {
	given, present := f.values[key]
	value, ok = given.(T)
	if present && !ok {
		f.fault(key, "must be "+kind)
	}
	return value, ok
}

func (f *fields) text(key string) string {
	value, _ := member[string](f, key, "a string")
	return value
}

// required is text that must be there.
func (f *fields) required(key, what string) string {
	value := f.text(key)
	if _, present := f.values[key]; !present || f.values[key] == "" {
		f.fault(key, "is missing: "+what)
	}
	return value
}

// flag returns nil where the object has none.
func (f *fields) flag(key string) *bool {
	value, ok := member[bool](f, key, "true or false")
	if !ok {
		return nil
	}
	return &value
}

// object returns nil where the object has none.
func (f *fields) object(key string) map[string]any {
	value, _ := member[map[string]any](f, key, "an object")
	return value
}

// nullable is object for a member that may be null as well.
func (f *fields) nullable(key string) map[string]any {
	if f.values[key] == nil {
		return nil
	}
	return f.object(key)
}

func (f *fields) missing(key, what string) {
	if _, present := f.values[key]; !present {
		f.fault(key, "is missing: "+what)
	}
}

// only notes members that the request does not have: a misspelt one must not be
// passed over. It is for requests of our own; Logto's take any.
func (f *fields) only(known ...string) {
	for key := range f.values {
		if !slices.Contains(known, key) {
			f.fault(key, "is unknown; known are "+strings.Join(known, ", "))
		}
	}
	slices.SortFunc(f.faults, func(a, b connector.Problem) int { return strings.Compare(a.Pointer, b.Pointer) })
}
