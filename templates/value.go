package templates

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A variable is a path into a message's values.
type variable struct {
	path string
	keys []string
}

func newVariable(path string) variable {
	return variable{path, strings.Split(path, ".")}
}

// lookup returns the variable's value. It is known if the values have the
// path's first key; what is below may be missing, then the value is nil.
func (v *variable) lookup(values map[string]any) (value any, known bool) {
	value, known = values[v.keys[0]]
	if !known || v.keys[0] == "" {
		return nil, false
	}
	for _, key := range v.keys[1:] {
		value = property(value, key)
	}
	return value, true
}

// property is JavaScript's value[key] without what objects inherit: payloads
// hold data, and an inherited function is never meant.
func property(value any, key string) any {
	switch value := value.(type) {
	case map[string]any:
		return value[key]
	case []any:
		if key == "length" {
			return float64(len(value))
		}
		if i, err := strconv.Atoi(key); err == nil && 0 <= i && i < len(value) && strconv.Itoa(i) == key {
			return value[i]
		}
	}
	return nil
}

// hasValue says whether a section on the value is shown.
func hasValue(value any) bool {
	switch value := value.(type) {
	case nil:
		return false
	case bool:
		return value
	case string:
		return value != ""
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	}
	return true
}

// textOf returns what JavaScript's String(value ?? "") gives.
func textOf(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case json.Number:
		f, err := strconv.ParseFloat(string(value), 64)
		if err != nil && !math.IsInf(f, 0) {
			return string(value)
		}
		return floatText(f)
	case float64:
		return floatText(value)
	case []any:
		parts := make([]string, len(value))
		for i, element := range value {
			parts[i] = textOf(element)
		}
		return strings.Join(parts, ",")
	case map[string]any:
		return "[object Object]"
	}
	return fmt.Sprint(value)
}

// floatText follows ECMA-262, Number::toString.
func floatText(f float64) string {
	abs := math.Abs(f)
	switch {
	case f == 0:
		return "0" // -0 too
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case 1e-6 <= abs && abs < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	// Go writes at least two digits of the exponent.
	if i := len(s) - 2; s[i] == '0' && (s[i-1] == '-' || s[i-1] == '+') {
		s = s[:i] + s[i+1:]
	}
	return s
}
