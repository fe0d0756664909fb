package logto

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// placeholder is connector-kit's /{{\s*([\w.]+)\s*}}/g with JavaScript's \s.
var placeholder = func() *regexp.Regexp {
	const space = `[\s\x0b\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}]*`
	return regexp.MustCompile(`\{\{` + space + `([\w.]+)` + space + `\}\}`)
}()

// A filler fills in the texts of one message.
type filler struct {
	payload map[string]any
	kept    []string
	err     error
}

func (f *filler) fill(template string) string {
	var b strings.Builder
	from := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(template, -1) {
		b.WriteString(template[from:at[0]])
		b.WriteString(f.value(template[at[0]:at[1]], template[at[2]:at[3]]))
		from = at[1]
	}
	b.WriteString(template[from:])
	return b.String()
}

func (f *filler) value(written, path string) string {
	keys := strings.Split(path, ".")
	if keys[0] == "" || property(f.payload, keys[0]) == (undefined{}) {
		if !slices.Contains(f.kept, path) {
			f.kept = append(f.kept, path)
		}
		return written
	}
	var value any = f.payload
	for _, key := range keys {
		value = property(value, key)
	}
	text, err := textOf(value)
	f.err = errors.Join(f.err, err)
	return text
}

// What JavaScript has beside JSON's values.
type (
	undefined struct{}
	function  string // by its name
	prototype string // "Object" or "Array"
)

var objectNames = []string{
	"constructor", "__defineGetter__", "__defineSetter__", "hasOwnProperty", "__lookupGetter__", "__lookupSetter__",
	"isPrototypeOf", "propertyIsEnumerable", "toString", "valueOf", "toLocaleString",
}

var arrayNames = []string{
	"constructor", "at", "concat", "copyWithin", "fill", "find", "findIndex", "findLast", "findLastIndex", "lastIndexOf",
	"pop", "push", "reverse", "shift", "unshift", "slice", "sort", "splice", "includes", "indexOf", "join", "keys",
	"entries", "values", "forEach", "filter", "flat", "flatMap", "map", "every", "some", "reduce", "reduceRight",
	"toLocaleString", "toReversed", "toSorted", "toSpliced", "toString", "with",
}

// Inherited reports whether every JavaScript object has a property of the name.
func Inherited(name string) bool {
	return name == "__proto__" || slices.Contains(objectNames, name)
}

// property is value[key], with all that objects inherit.
func property(value any, key string) any {
	switch value := value.(type) {
	case map[string]any:
		if own, ok := value[key]; ok {
			return own
		}
		return inherited("Object", key)
	case []any:
		if key == "length" {
			return json.Number(strconv.Itoa(len(value)))
		}
		if i, err := strconv.Atoi(key); err == nil && 0 <= i && i < len(value) && strconv.Itoa(i) == key {
			return value[i]
		}
		return inherited("Array", key)
	case prototype:
		switch {
		case key == "__proto__" && value == "Object":
			return nil
		case key == "__proto__":
			return prototype("Object")
		case key == "length" && value == "Array":
			return json.Number("0")
		}
		return inherited(value, key)
	}
	return undefined{}
}

func inherited(from prototype, key string) any {
	switch {
	case key == "__proto__":
		return from
	case key == "constructor":
		return function(from)
	case from == "Array" && slices.Contains(arrayNames, key), slices.Contains(objectNames, key):
		return function(key)
	}
	return undefined{}
}

// errNoText is JavaScript's TypeError.
var errNoText = errors.New("a value cannot be made text: Cannot convert object to primitive value")

// textOf is String(value ?? "").
func textOf(value any) (string, error) {
	switch value := value.(type) {
	case string:
		return value, nil
	case bool:
		return strconv.FormatBool(value), nil
	case json.Number:
		return numberText(value), nil
	case function:
		return "function " + string(value) + "() { [native code] }", nil
	case prototype:
		if value == "Array" {
			return "", nil // it is an empty list itself
		}
		return "[object Object]", nil
	case map[string]any:
		if _, own := value["toString"]; own {
			return "", errNoText
		}
		return "[object Object]", nil
	case []any:
		var failed error
		parts := make([]string, len(value))
		for i, element := range value {
			text, err := textOf(element)
			parts[i], failed = text, errors.Join(failed, err)
		}
		return strings.Join(parts, ","), failed
	}
	return "", nil
}

// numberText is JavaScript's text of a JSON number (ECMA-262, Number::toString).
func numberText(n json.Number) string {
	f, _ := strconv.ParseFloat(string(n), 64) // out of range is infinite, as there
	switch abs := math.Abs(f); {
	case f == 0:
		return "0"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "+") + "inity"
	case 1e-6 <= abs && abs < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}
