package migrate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/migrate"
)

var update = flag.Bool("update", false, "write flows.json anew from the recordings")

// flows.json has what the recordings of testdata/logto have, less the transport.
func TestFlowsAreTheRecordings(t *testing.T) {
	want := recorded(t)
	if *update {
		if err := os.WriteFile("flows.json", want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("flows.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("flows.json is not what the recordings have (-want +got); run go test with -update:\n%s", diff)
	}
	for _, f := range migrate.Flows() {
		if f.Name == "" || f.Type == "" || len(f.Payload) == 0 {
			t.Errorf("not read whole: %+v", f)
		}
	}
}

func recorded(t *testing.T) []byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/logto/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	var text bytes.Buffer
	separator := "[\n"
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var recording struct {
			About    string
			Requests []struct{ Body string }
		}
		if err := json.Unmarshal(data, &recording); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		for i, request := range recording.Requests {
			if i > 0 {
				name = fmt.Sprintf("%s-%d", strings.TrimSuffix(name, fmt.Sprintf("-%d", i)), i+1)
			}
			var body struct {
				Type    string          `json:"type"`
				Payload json.RawMessage `json:"payload"`
			}
			if err := json.Unmarshal([]byte(request.Body), &body); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			about, _ := json.Marshal(recording.About)
			fmt.Fprintf(&text, "%s{\"name\": %q, \"about\": %s, \"type\": %q,\n \"payload\": %s}", separator, name, about, body.Type, body.Payload)
			separator = ",\n"
		}
	}
	text.WriteString("\n]\n")
	return text.Bytes()
}
