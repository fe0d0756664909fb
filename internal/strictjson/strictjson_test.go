package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/strictjson"
)

func TestDecodeKeepsWhatIsWritten(t *testing.T) {
	got, err := strictjson.Decode([]byte(` {"to":"a","TO":1.50,"n":[null,true,{"é":1e400}],"empty":[]} `))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"to":    "a",
		"TO":    json.Number("1.50"),
		"n":     []any{nil, true, map[string]any{"é": json.Number("1e400")}},
		"empty": []any{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// People save files with a byte order mark and Windows line ends.
func TestDecodeTakesTextAsItIsSaved(t *testing.T) {
	got, err := strictjson.Decode([]byte("\ufeff{\r\n\"a\": \"\ufeffb\"\r\n}\r\n"))
	if diff := cmp.Diff(map[string]any{"a": "\ufeffb"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := map[string]struct {
		in   string
		want strictjson.Error // Detail: a part of it
	}{
		"nothing":                       {"", strictjson.Error{Line: 1, Column: 1, Detail: "ends in the middle"}},
		"a cut object":                  {`{"to":"a"`, strictjson.Error{Line: 1, Column: 10, Detail: "ends in the middle"}},
		"too many values":               {"[" + strings.Repeat("0,", strictjson.MaxValues-1) + "0]", strictjson.Error{Line: 1, Column: 2*strictjson.MaxValues + 1, Pointer: "/99999", Detail: "more than 100000 values"}},
		"two values":                    {"{}\n{}", strictjson.Error{Line: 2, Column: 2, Detail: "more than one"}},
		"behind a mark":                 {"\ufeff{\r\n}\r\n{}", strictjson.Error{Line: 3, Column: 2, Detail: "more than one"}},
		"UTF-16":                        {"\xff\xfe{\x00}\x00", strictjson.Error{Line: 1, Column: 1, Detail: "save it as UTF-8: it is UTF-16"}},
		"UTF-16 without mark":           {"\x00{\x00}", strictjson.Error{Line: 1, Column: 1, Detail: "save it as UTF-8: it is UTF-16"}},
		"text behind":                   {"{} x", strictjson.Error{Line: 1, Column: 3, Detail: "more than one"}},
		"a key twice":                   {"{\"a\":1,\n \"a\":2}", strictjson.Error{Line: 2, Column: 2, Pointer: "/a", Detail: "duplicate"}},
		"broken UTF-8":                  {"{\"a\":\"\xff\"}", strictjson.Error{Line: 1, Column: 7, Pointer: "/a", Detail: "save the text as UTF-8"}},
		"half a surrogate":              {`{"a":"\ud800"}`, strictjson.Error{Line: 1, Column: 7, Pointer: "/a", Detail: "surrogate"}},
		"a trailing comma":              {`[1,]`, strictjson.Error{Line: 1, Column: 3, Detail: "remove the comma"}},
		"a trailing comma in an object": {"{\"a\": 1,\r\n}", strictjson.Error{Line: 1, Column: 8, Detail: "remove the comma"}},
		"a comment":                     {"// x\n{}", strictjson.Error{Line: 1, Column: 1, Detail: "invalid character"}},
		"arrays too deep":               {strings.Repeat("[", 65) + strings.Repeat("]", 65), strictjson.Error{Line: 1, Column: 66, Detail: "more than 64 deep"}},
		"objects too deep":              {strings.Repeat(`{"a":`, 10_000), strictjson.Error{Line: 1, Column: 322, Detail: "more than 64 deep"}},
		"a bare word":                   {`nul`, strictjson.Error{Line: 1, Column: 4, Detail: "ends in the middle"}},
		"a key without string":          {`{1:2}`, strictjson.Error{Line: 1, Column: 2, Detail: "string"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := strictjson.Decode([]byte(tt.in))
			got, ok := errors.AsType[*strictjson.Error](err)
			if !ok {
				t.Fatalf("value %v, error %v", v, err)
			}
			if !strings.Contains(got.Detail, tt.want.Detail) {
				t.Errorf("detail %q does not contain %q", got.Detail, tt.want.Detail)
			}
			if got.Line != tt.want.Line || got.Column != tt.want.Column {
				t.Errorf("at %d:%d, want %d:%d", got.Line, got.Column, tt.want.Line, tt.want.Column)
			}
			if tt.want.Pointer != "" && got.Pointer != tt.want.Pointer {
				t.Errorf("pointer %q, want %q", got.Pointer, tt.want.Pointer)
			}
		})
	}
}

func TestDecodeTakes64Levels(t *testing.T) {
	if _, err := strictjson.Decode([]byte(strings.Repeat("[", 64) + strings.Repeat("]", 64))); err != nil {
		t.Error(err)
	}
}

// What Decode accepts, byte order marks apart, encoding/json accepts too and understands the same way.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"to":"a@b.example","n":[1.0,-0,1e9,null,true]}`, `"\u00e9\ud83d\ude00"`, "[[[", `{"a":{"a":1}}`, "\ufeff{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := strictjson.Decode(data)
		if err != nil {
			if e, ok := errors.AsType[*strictjson.Error](err); !ok || e.Line < 1 || e.Column < 1 {
				t.Fatalf("error %#v", err)
			}
			return
		}
		dec := json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff")))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("encoding/json rejects it: %v", err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, encoding/json has %#v", got, want)
		}
	})
}
