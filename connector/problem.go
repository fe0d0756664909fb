package connector

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a JSON text, or doubtful about it.
// It names secrets and credentials by their place, never by their value.
type Problem struct {
	Pointer string `json:"pointer"`        // where: a JSON pointer (RFC 6901); "" is the whole text
	Line    int    `json:"line,omitempty"` // in the text at pointer, from 1 on; 0 if it is about all of it
	Detail  string `json:"detail"`         // what is wrong, and what would be right
}

func (p Problem) String() string {
	if p.Pointer == "" {
		return p.Detail
	}
	if p.Line > 0 {
		return fmt.Sprintf("%s, line %d: %s", p.Pointer, p.Line, p.Detail)
	}
	return p.Pointer + ": " + p.Detail
}

// A Report holds all that was found in one text, in the text's order as far as
// possible: errors, which make it unusable, and warnings.
type Report struct {
	Errors   []Problem
	Warnings []Problem
}

// Err returns the errors as an [*InvalidError], or nil if there are none.
func (r Report) Err() error {
	if len(r.Errors) == 0 {
		return nil
	}
	return &InvalidError{Problems: r.Errors}
}

// So many errors and warnings are more than anybody reads at once.
const (
	maxProblems = 200
	maxWarnings = 2000
)

func (r *Report) errorf(pointer, format string, args ...any) {
	switch len(r.Errors) {
	case maxProblems:
		return
	case maxProblems - 1:
		pointer, format, args = "", "There are more errors; fix these first", nil
	}
	r.Errors = append(r.Errors, Problem{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

func (r *Report) warnf(pointer, format string, args ...any) {
	r.warnAt(pointer, 0, format, args...)
}

// warnAt warns of a line of the text at pointer.
func (r *Report) warnAt(pointer string, line int, format string, args ...any) {
	switch len(r.Warnings) {
	case maxWarnings:
		return
	case maxWarnings - 1:
		pointer, line, format, args = "", 0, "There are more warnings", nil
	}
	r.Warnings = append(r.Warnings, Problem{Pointer: pointer, Line: line, Detail: fmt.Sprintf(format, args...)})
}

// covers reports whether there is an error at pointer or above it, whose
// consequences need not be reported as well.
func (r *Report) covers(pointer string) bool {
	return slices.ContainsFunc(r.Errors, func(p Problem) bool { return contains(p.Pointer, pointer) })
}

// touches reports whether there is an error at pointer or below it.
func (r *Report) touches(pointer string) bool {
	return slices.ContainsFunc(r.Errors, func(p Problem) bool { return contains(pointer, p.Pointer) })
}

func contains(outer, pointer string) bool {
	return pointer == outer || strings.HasPrefix(pointer, outer+"/")
}

// An InvalidError says that a text is not what it must be, and why.
type InvalidError struct {
	Problems []Problem // at least one
}

func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// child returns the pointer of the value under key in the object at pointer.
func child(pointer, key string) string {
	return pointer + "/" + pointerEscapes.Replace(key)
}
