package docs_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/docs"
)

// translated are the guides that there are in every language.
var translated = []string{"configuration", "logto", "errors", "operations", "security", "architecture"}

// A tongue is a language, with its folder below docs.
type tongue struct{ folder, name string }

var tongues = []tongue{{"", "English"}, {"zh-CN", "简体中文"}, {"ja", "日本語"}}

func TestTranslationsFollowTheEnglishGuides(t *testing.T) {
	all := pages(t)
	for _, guide := range translated {
		english := all[fileOf(tongues[0], guide)]
		for _, in := range tongues {
			page := all[fileOf(in, guide)]
			if page == nil || english == nil {
				t.Errorf("%s:1: there is no such page", fileOf(in, guide))
				continue
			}
			checkSwitch(t, page, in, guide)
			if in.folder != "" {
				comparePages(t, english, page, all)
			}
		}
	}
	for _, page := range inOrder(all) {
		folder, guide := path.Base(path.Dir(page.Path)), strings.TrimSuffix(path.Base(page.Path), ".md")
		if slices.ContainsFunc(tongues, func(in tongue) bool { return in.folder == folder }) && !slices.Contains(translated, guide) {
			t.Errorf("%s:1: %s is not on this test's list of translated guides", page.Path, guide)
		}
	}
}

func fileOf(in tongue, guide string) string { return path.Join("docs", in.folder, guide+".md") }

// switchLine is where a page leads to its other languages.
const switchLine = 3

func checkSwitch(t *testing.T, page *docs.Page, in tongue, guide string) {
	t.Helper()
	var links []string
	for _, to := range tongues {
		file := path.Join(to.folder, guide+".md")
		switch {
		case to == in:
			links = append(links, to.name)
			continue
		case in.folder != "":
			file = "../" + file
		}
		links = append(links, fmt.Sprintf("[%s](%s)", to.name, file))
	}
	if want, got := strings.Join(links, " · "), page.SourceLine(switchLine); got != want {
		t.Errorf("%s:%d: the line of languages is %q, want %q", page.Path, switchLine, got, want)
	}
}

// Both READMEs are written by hand; what is to be typed is the same.
func TestReadmesHaveTheSameBlocks(t *testing.T) {
	all := pages(t)
	compareBlocks(t, all["README.md"], all["README.zh-CN.md"])
}

// comparePages reports where a translation is built in another way.
func comparePages(t *testing.T, english, other *docs.Page, all map[string]*docs.Page) {
	t.Helper()
	compareBlocks(t, english, other)
	compareInOrder(t, english, other, "headings", english.Headings, other.Headings,
		func(h docs.Heading) (int, string) { return h.Line, "level " + fmt.Sprint(h.Level) })
	compareInOrder(t, english, other, "tables", english.Tables, other.Tables,
		func(table docs.Table) (int, string) {
			return table.Line, fmt.Sprintf("%d rows of %d", table.Rows, table.Columns)
		})
	compareLinks(t, english, other, all)
}

func compareBlocks(t *testing.T, english, other *docs.Page) {
	t.Helper()
	compareInOrder(t, english, other, "blocks of code", english.Blocks, other.Blocks,
		func(block docs.Block) (int, string) { return block.Line, block.Language + "\n" + block.Text })
}

// compareInOrder reports the first part that differs, with its lines in both pages.
func compareInOrder[Part any](t *testing.T, english, other *docs.Page, what string, there, here []Part, describe func(Part) (int, string)) {
	t.Helper()
	for i := range min(len(there), len(here)) {
		line, want := describe(there[i])
		otherLine, got := describe(here[i])
		if got != want {
			t.Errorf("%s:%d: the %s differ from %s:%d\n(-there +here)\n%s", other.Path, otherLine, what, english.Path, line, cmp.Diff(want, got))
			return
		}
	}
	if len(there) != len(here) {
		t.Errorf("%s:1: has %d %s, %s has %d", other.Path, len(here), what, english.Path, len(there))
	}
}

// compareLinks wants the same links and images. Their order goes with the words.
func compareLinks(t *testing.T, english, other *docs.Page, all map[string]*docs.Page) {
	t.Helper()
	there, here := targets(english, all), targets(other, all)
	for _, target := range slices.Sorted(maps.Keys(here)) {
		lines := here[target]
		if len(lines) > len(there[target]) {
			t.Errorf("%s:%d: leads to %s, %d times; %s %d times", other.Path, lines[0], target, len(lines), english.Path, len(there[target]))
		}
	}
	for _, target := range slices.Sorted(maps.Keys(there)) {
		lines := there[target]
		if len(lines) > len(here[target]) {
			t.Errorf("%s:1: leads to %s %d times; %s:%d %d times", other.Path, target, len(here[target]), english.Path, lines[0], len(lines))
		}
	}
}

// targets are what a page leads to, apart from its other languages, in words that
// are the same in every language, with the lines of the links.
func targets(page *docs.Page, all map[string]*docs.Page) map[string][]int {
	links := slices.Clone(page.Links)
	for _, image := range page.Images {
		links = append(links, image.Link)
	}
	found := map[string][]int{}
	for _, link := range links {
		if link.Line != switchLine {
			target := targetOf(page, link.To, all)
			found[target] = append(found[target], link.Line)
		}
	}
	return found
}

func targetOf(page *docs.Page, to string, all map[string]*docs.Page) string {
	file, fragment, inside := page.Target(to)
	if !inside {
		return to
	}
	place := fragment
	if target := all[file]; target != nil {
		heading := 0
		for _, anchor := range target.Anchors {
			if anchor.Heading {
				heading++
			}
			if anchor.Heading && anchor.ID == fragment {
				place = fmt.Sprintf("heading %d", heading)
			}
		}
	}
	return strings.TrimSuffix(inEnglish(page, file)+"#"+place, "#")
}

// inEnglish is the English file of a translated one. Whoever reads a translation is
// not led to an English page that is translated.
func inEnglish(page *docs.Page, file string) string {
	folder := path.Base(path.Dir(page.Path))
	isTranslation := slices.ContainsFunc(tongues, func(in tongue) bool { return in.folder == folder })
	if !isTranslation {
		return file
	}
	guide := strings.TrimSuffix(path.Base(file), ".md")
	switch {
	case path.Dir(file) == path.Join("docs", folder):
		return path.Join("docs", path.Base(file))
	case path.Dir(file) == "docs" && slices.Contains(translated, guide):
		return file + " in English"
	default:
		return strings.Replace(file, "."+folder+".", ".", 1)
	}
}
