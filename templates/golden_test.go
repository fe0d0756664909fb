package templates_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// A golden file has, besides values.json, a template (subject, content.html or
// content.txt, text, replyTo, sendFrom, escape) and what is wanted of it
// (want.subject, want.html, want.text, want.replyTo, want.sendFrom,
// want.missing, want.notes, want.warnings, want.variables), of which an absent
// one must be empty, except want.variables. A file's last line break is
// not part of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden files: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := renderGolden(t, archive)
			if *update {
				writeGolden(t, file, archive, got)
				return
			}
			want := make(map[string]string)
			for _, f := range archive.Files {
				if strings.HasPrefix(f.Name, "want.") {
					want[f.Name] = chomp(f.Data)
				}
			}
			if _, wanted := want["want.variables"]; !wanted {
				delete(got, "want.variables")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func chomp(data []byte) string { return strings.TrimSuffix(string(data), "\n") }

func renderGolden(t *testing.T, archive *txtar.Archive) map[string]string {
	t.Helper()
	var src templates.Source
	values := map[string]any{}
	missing := templates.KeepMissing
	for _, f := range archive.Files {
		text := chomp(f.Data)
		switch f.Name {
		case "subject":
			src.Subject = text
		case "content.html":
			src.Content = text
		case "content.txt":
			src.Content, src.ContentType = text, "text/plain"
		case "text":
			src.Text = text
		case "replyTo":
			src.ReplyTo = text
		case "sendFrom":
			src.SendFrom = text
		case "escape":
			src.Escape = text
		case "missing":
			missing = templates.DropMissing
		case "values.json":
			values = decode(t, text)
		}
	}
	compiled, warnings := templates.Compile(src)
	out := rendered(t, compiled, values, missing)
	var lines []string
	for _, w := range warnings {
		lines = append(lines, w.Field+": "+w.Detail)
	}
	got := map[string]string{
		"want.subject": out.Subject, "want.html": out.HTML, "want.text": out.Text,
		"want.replyTo": out.ReplyTo, "want.sendFrom": out.SendFrom,
		"want.missing": strings.Join(out.Missing, "\n"), "want.notes": strings.Join(out.Notes, "\n"),
		"want.warnings": strings.Join(lines, "\n"), "want.variables": strings.Join(compiled.Variables(), "\n"),
	}
	for name, text := range got {
		if text == "" {
			delete(got, name)
		}
	}
	return got
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		t.Fatal(err)
	}
	return values
}

var wantOrder = []string{
	"want.subject", "want.html", "want.text", "want.replyTo", "want.sendFrom",
	"want.missing", "want.notes", "want.warnings", "want.variables",
}

func writeGolden(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	hadVariables := false
	out := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		hadVariables = hadVariables || f.Name == "want.variables"
		if !strings.HasPrefix(f.Name, "want.") {
			out.Files = append(out.Files, f)
		}
	}
	for _, name := range wantOrder {
		if text := got[name]; text != "" && (name != "want.variables" || hadVariables) {
			out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(text + "\n")})
		}
	}
	if err := os.WriteFile(file, txtar.Format(out), 0o600); err != nil {
		t.Fatal(err)
	}
}
