package connector_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
)

func TestParseMessageTakesEveryRecordedRequest(t *testing.T) {
	paths := glob(t, "../testdata/logto/*.json")
	if len(paths) != 22 {
		t.Fatalf("%d recordings", len(paths))
	}
	for _, path := range paths {
		for _, body := range recorded(t, path) {
			m, err := connector.ParseMessage([]byte(body))
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			var want connector.Message
			dec := json.NewDecoder(strings.NewReader(body))
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("%s (-encoding/json +got)\n%s", path, diff)
			}
		}
	}
}

func TestParseMessage(t *testing.T) {
	tests := map[string]struct {
		body string
		want []string // pointers of the problems
	}{
		"the least":          {`{"to":"a@b.example","type":"SignIn"}`, nil},
		"unknown keys":       {`{"to":"a","type":"x","payload":{},"more":1}`, nil},
		"no ip":              {`{"to":"a","type":"x","payload":{},"ip":null}`, nil},
		"not JSON":           {`to=a`, []string{""}},
		"no object":          {`[]`, []string{""}},
		"nothing in it":      {`{}`, []string{"/to", "/type"}},
		"letter case":        {`{"TO":"a","Type":"x"}`, []string{"/to", "/type"}},
		"wrong types":        {`{"to":["a"],"type":5,"payload":"x","ip":7}`, []string{"/to", "/type", "/ip", "/payload"}},
		"nulls":              {`{"to":null,"type":null,"payload":null}`, []string{"/to", "/type", "/payload"}},
		"empty":              {`{"to":"","type":""}`, []string{"/to", "/type"}},
		"a recipient twice":  {`{"to":"a","to":"b","type":"x"}`, []string{""}},
		"a second value":     {`{"to":"a","type":"x"}{}`, []string{""}},
		"nested 10,000 deep": {`{"to":"a","type":"x","payload":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, []string{""}},
		"broken UTF-8":       {"{\"to\":\"\xff\",\"type\":\"x\"}", []string{""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := connector.ParseMessage([]byte(tt.body))
			var got []string
			if invalid, ok := errors.AsType[*connector.InvalidError](err); ok {
				for _, p := range invalid.Problems {
					got = append(got, p.Pointer)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestParseMessageRepeatsNothing(t *testing.T) {
	for _, body := range []string{`{"to":"marked","type":"x"}}`, `marked`, `{"marked":1,"marked":2}`, `{"to":{"marked":1},"type":["marked"],"payload":"marked"}`} {
		if _, err := connector.ParseMessage([]byte(body)); err == nil || strings.Contains(err.Error(), "marked") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"to":"a@b.example","type":"SignIn","payload":{"code":"123456","n":[1,null]},"ip":"::1"}`))
	f.Add([]byte(`{"to":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := connector.ParseMessage(data)
		if _, invalid := errors.AsType[*connector.InvalidError](err); err != nil && !invalid {
			t.Fatalf("error %#v", err)
		}
		if err == nil && (m.To == "" || m.Type == "" || m.Payload == nil) {
			t.Errorf("%+v", m)
		}
	})
}
