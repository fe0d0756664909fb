// Package strictjson reads one JSON value into plain Go values, exactly as it
// is written: object keys keep their letter case, numbers keep their digits,
// and what two readers could understand differently (a key given twice, broken
// UTF-8, a second value behind the first) is rejected.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"dmconnector/internal/plaintext"
)

// MaxDepth is how deeply arrays and objects may be nested, and MaxValues how many values
// there may be: each takes far more memory than text.
const (
	MaxDepth  = 64
	MaxValues = 100_000
)

// An Error says where the text stops being acceptable JSON, and why. It may
// repeat a character of the text, so it is for the owner of the text only.
type Error struct {
	Line, Column int    // of the place or shortly before it, from 1; the column counts bytes
	Pointer      string // JSON pointer (RFC 6901) of the value around the place
	Detail       string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Detail)
}

// Decode reads data, which must be one JSON value and nothing else but a byte order
// mark before it, which RFC 8259 lets readers ignore. Objects
// become map[string]any, arrays []any, numbers json.Number; the rest is string,
// bool and nil. Errors are of type *Error.
func Decode(data []byte) (any, error) {
	data, err := plaintext.Decode(data)
	if err != nil {
		return nil, &Error{Line: 1, Column: 1, Detail: err.Error()}
	}
	// Broken UTF-8 and repeated keys are rejected by the decoder's defaults.
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	left := MaxValues
	v, err := value(dec, &left)
	if err != nil {
		return nil, locate(data, dec, err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, locate(data, dec, errors.New("there is more than one JSON value"))
	}
	return v, nil
}

func value(dec *jsontext.Decoder, left *int) (any, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	if *left--; *left < 0 {
		return nil, fmt.Errorf("there are more than %d values", MaxValues)
	}
	if dec.StackDepth() > MaxDepth {
		return nil, fmt.Errorf("arrays and objects are nested more than %d deep", MaxDepth)
	}
	switch tok.Kind() {
	case '{':
		m := make(map[string]any)
		for dec.PeekKind() != '}' {
			key, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			name := key.String()
			if m[name], err = value(dec, left); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return m, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := value(dec, left)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.ReadToken()
		return list, err
	case '"':
		return tok.String(), nil
	case '0':
		return json.Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	default: // null; a closing bracket cannot come here
		return nil, nil
	}
}

// lastComma is a comma behind the last value of an array or object.
var lastComma = regexp.MustCompile(`^,\s*[]}]`)

func locate(data []byte, dec *jsontext.Decoder, err error) *Error {
	offset, pointer := dec.InputOffset(), dec.StackPointer()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, pointer, err = syntax.ByteOffset, syntax.JSONPointer, syntax.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the text ends in the middle of a value")
	}
	end := min(int(offset), len(data))
	before, after := data[:end], data[end:]
	if r, size := utf8.DecodeRune(after); r == utf8.RuneError && size == 1 {
		err = errors.New("save the text as UTF-8: this character is in another encoding")
	}
	if lastComma.Match(after) {
		err = errors.New("remove the comma: nothing follows it")
	}
	return &Error{
		Line:    bytes.Count(before, []byte("\n")) + 1,
		Column:  len(before) - bytes.LastIndexByte(before, '\n'),
		Pointer: string(pointer),
		Detail:  strings.TrimPrefix(err.Error(), "jsontext: "),
	}
}
