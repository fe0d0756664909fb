package docs_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"dmconnector/internal/docs"
)

const root = "../.."

// pages returns all Markdown of the project by its path.
func pages(t *testing.T) map[string]*html.Node {
	t.Helper()
	all, err := docs.Pages(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if all["README.md"] == nil || all["docs/templates.md"] == nil {
		t.Fatalf("found %d pages, README.md or docs/templates.md not among them", len(all))
	}
	return all
}

func parse(t *testing.T, markdown string) *html.Node {
	t.Helper()
	all, err := docs.Pages(fstest.MapFS{"docs/page.md": {Data: []byte(markdown)}, "bin/build.md": {}, "docs/image.png": {}})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all["docs/page.md"]
}

func TestCodes(t *testing.T) {
	page := parse(t, "| a | b |\n|---|---|\n| `x` | 2 |\n\n"+
		"- item\n\n  ```sh\n  make test\n  ```\n\n"+
		"text\n\n    indented\n\n```text\n<last>\n```\n")
	want := []docs.Code{
		{Text: "x"},
		{Block: true, Language: "sh", Text: "make test\n"},
		{Block: true, Text: "indented\n"},
		{Block: true, Language: "text", Text: "<last>\n"},
	}
	if d := cmp.Diff(want, docs.Codes(page)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestCommands(t *testing.T) {
	page := parse(t, "Run `make build test`, then `dmconnector serve`; `make` and `POST /api/send` are no commands.\n\n```sh\n"+
		`export BASE=http://127.0.0.1:8080
export -p
TOKEN=$(cat data/send-token)
curl -H "Authorization: Bearer $TOKEN" \
  "$BASE/api/send" -d '{"to": "user@example.com"}' | jq .id
`+"```\n\n```sh\n"+`curl $BASE/$(date +%F)`+"\n```\n\n```text\nnot a command\n```\n")
	want := []docs.Command{
		{Words: []string{"make", "build", "test"}, Inline: true},
		{Words: []string{"dmconnector", "serve"}, Inline: true},
		{Words: []string{"cat", "data/send-token"}},
		{Words: []string{"curl", "-H", "Authorization: Bearer TOKEN", "http://127.0.0.1:8080/api/send", "-d", `{"to": "user@example.com"}`}},
		{Words: []string{"jq", ".id"}},
		{Words: []string{"curl", "http://127.0.0.1:8080/OUTPUT"}},
		{Words: []string{"date", "+%F"}},
	}
	got, err := docs.Commands(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for _, wrong := range []string{"```sh\nif then\n```\n", "Call `curl 'x`.\n"} {
		if _, err := docs.Commands(parse(t, wrong)); err == nil {
			t.Errorf("no error for %q", wrong)
		}
	}
}
