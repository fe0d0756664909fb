package templates

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A variable is a path into a message's values.
type variable struct {
	path string
	keys []string
	name bool // of a user, an organization or an application, who choose it
}

func newVariable(path string) variable {
	keys := strings.Split(path, ".")
	named := []string{"user", "inviter", "organization", "application"}
	last := strings.ToLower(keys[len(keys)-1])
	return variable{path, keys, slices.Contains(named, keys[0]) && strings.HasSuffix(last, "name")}
}

// shown returns the path for a trace or an error.
func (v *variable) shown() string { return v.path[:min(len(v.path), maxListedPath)] }

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

// textOf returns what JavaScript's String(value ?? "") gives. Of a text longer than
// MaxValue it may return only the beginning; whole says whether it is not so long.
func textOf(value any) (text string, whole bool) {
	switch value := value.(type) {
	case nil:
	case string:
		text = value
	case bool:
		text = strconv.FormatBool(value)
	case json.Number:
		text = string(value)
		if f, err := strconv.ParseFloat(text, 64); err == nil || math.IsInf(f, 0) {
			text = floatText(f)
		}
	case float64:
		text = floatText(value)
	case []any:
		var joined strings.Builder
		for i, element := range value {
			if i > 0 {
				joined.WriteByte(',')
			}
			part, _ := textOf(element)
			joined.WriteString(part[:min(len(part), MaxValue+1)])
			if joined.Len() > MaxValue {
				break
			}
		}
		text = joined.String()
	case map[string]any:
		text = "[object Object]"
	default:
		text = fmt.Sprint(value)
	}
	return text, len(text) <= MaxValue
}

// cutName cuts a name to maxName code points, not inside of what is read as one
// character if that can be helped.
func cutName(name string) string {
	end, runes := 0, []rune(name[:min(len(name), (maxName+1)*utf8.UTFMax)])
	if len(runes) <= maxName {
		return name
	}
	for cut := maxName; cut > 0; cut-- {
		if before, after := runes[cut-1], runes[cut]; !joins(before, after) {
			end = cut
			break
		}
	}
	return string(runes[:cmp.Or(end, maxName)])
}

// joins reports whether two code points are parts of one character: with a combining
// mark, a joiner, a skin tone, a tag, or as a flag (Unicode, UAX #29).
func joins(before, after rune) bool {
	flag := func(r rune) bool { return 0x1F1E6 <= r && r <= 0x1F1FF }
	const joiner = 0x200D
	return before == joiner || after == joiner || unicode.Is(unicode.M, after) || 0x1F3FB <= after && after <= 0x1F3FF ||
		0xE0020 <= after && after <= 0xE007F || flag(before) && flag(after)
}

// floatText follows ECMA-262, Number::toString, as JSON does but for these values.
func floatText(f float64) string {
	switch {
	case f == 0:
		return "0" // -0 too
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	text, _ := json.Marshal(f)
	return string(text)
}
