package connector

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"dmconnector/internal/words"
)

// A shape fills a Go value from decoded JSON and reports what does not fit.
// encoding/json would stop at the first wrong type, take `TO` for `to`, let unknown
// keys pass and turn null elements into zero values.
type shape struct {
	report *Report
	strict bool // unknown keys are errors
}

// value sets v from decoded JSON.
func (s shape) value(v reflect.Value, tree any, pointer string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.value(v.Elem(), tree, pointer)
	case reflect.Struct:
		if object, ok := as[map[string]any](s, tree, pointer); ok {
			s.object(v, object, pointer)
		}
	case reflect.Slice:
		list, _ := as[[]any](s, tree, pointer)
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, element := range list {
			s.value(v.Index(i), element, fmt.Sprintf("%s/%d", pointer, i))
		}
	case reflect.Map: // of strings
		object, _ := as[map[string]any](s, tree, pointer)
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if text, ok := as[string](s, object[key], child(pointer, key)); ok {
				v.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(text))
			}
		}
	case reflect.String:
		if text, ok := as[string](s, tree, pointer); ok {
			v.SetString(text)
		}
	default:
		panic("connector: no rule for fields of kind " + v.Kind().String())
	}
}

func (s shape) object(v reflect.Value, object map[string]any, pointer string) {
	known := make([]string, v.NumField())
	for i := range v.NumField() {
		known[i] = jsonName(v.Type().Field(i))
		if tree, ok := object[known[i]]; ok {
			s.value(v.Field(i), tree, child(pointer, known[i]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(known, key) || pointer == "" && key == "$schema" { // which editors put there
			continue
		}
		detail := "is not a key of a connector and has no effect" + words.DidYouMean(key, known)
		if s.strict {
			s.report.errorf(child(pointer, key), "%s", detail)
		} else {
			s.report.warnf(child(pointer, key), "%s", detail)
		}
	}
}

// as returns tree as a T, or reports that it is something else.
func as[T any](s shape, tree any, pointer string) (T, bool) {
	v, ok := tree.(T)
	if !ok {
		s.report.errorf(pointer, "Use %s, not %s", jsonType(any(v)), jsonType(tree))
	}
	return v, ok
}

func jsonType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number, float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}
