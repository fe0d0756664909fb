package docs_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/docs"
)

const root = "../.."

// pages are all of the project's Markdown, by their paths.
func pages(t *testing.T) map[string]*docs.Page {
	t.Helper()
	list, err := docs.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*docs.Page{}
	for _, page := range list {
		byPath[page.Path] = page
	}
	if byPath["README.md"] == nil || byPath["docs/templates.md"] == nil {
		t.Fatalf("%d pages found, and not those that there must be", len(byPath))
	}
	return byPath
}

// inOrder are the pages by their paths, for reports that stay the same.
func inOrder(all map[string]*docs.Page) []*docs.Page {
	list := slices.Collect(maps.Values(all))
	slices.SortFunc(list, func(a, b *docs.Page) int { return strings.Compare(a.Path, b.Path) })
	return list
}

func TestPageIsReadAsGitHubShowsIt(t *testing.T) {
	page := docs.Parse("docs/x.md", []byte(`# The `+"`serve`"+` command: 1.5 _times_

See [state](state.md#a-key), https://example.com/a and <a id="here"></a> ![a picture](x.png).

## 迁移到 PostgreSQL（可选）

## The serve command: 1.5 times

| a | b |
|---|---|
| `+"`x`"+` | 2 |

- item

  `+"```sh"+`
  make test
  `+"```"+`

    indented
`+"```text\nlast\n```\n"+`<picture><source media="(prefers-color-scheme: dark)" srcset="dark.png"><img src="light.png" alt="a"></picture>
`))
	want := &docs.Page{
		Path:     "docs/x.md",
		Headings: []docs.Heading{{1, 1, "The serve command: 1.5 times"}, {5, 2, "迁移到 PostgreSQL（可选）"}, {7, 2, "The serve command: 1.5 times"}},
		Anchors: []docs.Anchor{
			{1, "the-serve-command-15-times", true},
			{3, "here", false},
			{5, "迁移到-postgresql可选", true},
			{7, "the-serve-command-15-times-1", true},
		},
		Links:  []docs.Link{{3, "state.md#a-key"}, {3, "https://example.com/a"}},
		Images: []docs.Image{{docs.Link{3, "x.png"}, "a picture", false}, {docs.Link{23, "dark.png"}, "", true}, {docs.Link{23, "light.png"}, "a", false}},
		Blocks: []docs.Block{{16, "sh", "make test\n"}, {21, "text", "last\n"}},
		Spans:  []docs.Span{{1, "serve"}, {11, "x"}},
		Tables: []docs.Table{{9, 1, 2}},
	}
	if d := cmp.Diff(want, page, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".source" || p.Last().String() == ".slugs" }, cmp.Ignore())); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestCommandsOfAScript(t *testing.T) {
	var shell docs.Shell
	commands, err := shell.Commands(`export BASE=http://127.0.0.1:8080
TOKEN=$(cat data/send-token)
curl -H "Authorization: Bearer $TOKEN" \
  "$BASE/api/send" -d '{"to": "user@example.com"}' | jq .id
go run ./cmd/dmconnector serve --sandbox
kubectl exec deploy/dmconnector -- dmconnector token create --scope send --note "$(date +%F)"
docker compose logs dmconnector
`)
	if err != nil {
		t.Fatal(err)
	}
	type command struct {
		Line    int
		Words   []string
		Program []string
	}
	var got []command
	for _, c := range commands {
		program, _ := c.Program()
		got = append(got, command{c.Line, c.Words, program})
	}
	want := []command{
		{2, []string{"cat", "data/send-token"}, nil},
		{3, []string{"curl", "-H", "Authorization: Bearer TOKEN", "http://127.0.0.1:8080/api/send", "-d", `{"to": "user@example.com"}`}, nil},
		{4, []string{"jq", ".id"}, nil},
		{5, []string{"go", "run", "./cmd/dmconnector", "serve", "--sandbox"}, []string{"serve", "--sandbox"}},
		{6, []string{"kubectl", "exec", "deploy/dmconnector", "--", "dmconnector", "token", "create", "--scope", "send", "--note", "SUBSTITUTED"}, []string{"token", "create", "--scope", "send", "--note", "SUBSTITUTED"}},
		{6, []string{"date", "+%F"}, nil},
		{7, []string{"docker", "compose", "logs", "dmconnector"}, nil},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if _, err := shell.Commands("if then"); err == nil {
		t.Error("what is no script is taken for one")
	}
}
