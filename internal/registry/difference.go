package registry

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// compare adds the paths of what differs between two decoded JSON values. What is
// only in one of them is one path, however much is in it.
func compare(path string, before, after any, fields *[]string) {
	if reflect.DeepEqual(before, after) {
		return
	}
	a, b := children(before), children(after)
	if path != "" && (a == nil || b == nil) {
		*fields = append(*fields, path)
		return
	}
	for key, child := range a {
		compare(join(path, key), child, b[key], fields)
	}
	for key, child := range b {
		if _, both := a[key]; !both {
			compare(join(path, key), nil, child, fields)
		}
	}
}

func join(path, key string) string { return strings.TrimPrefix(path+"/"+key, "/") }

// children returns what is in an object or an array, by key or by index, and nil
// for what holds nothing.
func children(tree any) map[string]any {
	switch v := tree.(type) {
	case map[string]any:
		return v
	case []any:
		m := make(map[string]any, len(v))
		for i, child := range slices.All(v) {
			m[strconv.Itoa(i)] = child
		}
		return m
	default:
		return nil
	}
}
