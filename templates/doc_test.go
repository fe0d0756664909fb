package templates_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"dmconnector/templates"
)

const guide = "../docs/templates.md"

// Every example of the guide is a block of lines such as "html: <p>{{code}}</p>".
func TestGuidesExamples(t *testing.T) {
	examples := regexp.MustCompile("(?ms)^```text\n(.*?)^```$").FindAllStringSubmatch(readGuide(t), -1)
	if len(examples) < 10 {
		t.Fatalf("the guide has %d examples", len(examples))
	}
	for _, block := range examples {
		example := make(map[string]string)
		for line := range strings.Lines(block[1]) {
			key, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			if !ok {
				t.Errorf("no key in the line %q", line)
			}
			example[key] = strings.TrimLeft(text, " ")
		}
		checkExample(t, example)
	}
}

func checkExample(t *testing.T, example map[string]string) {
	t.Helper()
	src := templates.Source{
		Subject: example["subject"], Text: example["text"],
		Content: example["html"] + example["raw"],
	}
	if example["raw"] != "" {
		src.Escape = "none"
	}
	compiled, _ := templates.Compile(src)
	got := rendered(t, compiled, decode(t, example["values"]), templates.KeepMissing)
	if all := got.Subject + got.Text + got.HTML; all != example["result"] {
		t.Errorf("%v\ngives %q\n want %q", example, all, example["result"])
	}
	if missing := strings.Join(got.Missing, ", "); missing != example["missing"] {
		t.Errorf("%v\nmisses %q", example, missing)
	}
	if notes := strings.Join(got.Notes, ", "); notes != example["notes"] {
		t.Errorf("%v\nnotes %q", example, notes)
	}
}

func TestGuidesTextOfValues(t *testing.T) {
	_, table, _ := strings.Cut(readGuide(t), "### Text of values")
	table, _, _ = strings.Cut(table, "### ")
	code := regexp.MustCompile("`([^`]*)`")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		rows++
		texts := code.FindAllStringSubmatch(cells[2], -1)
		for i, value := range code.FindAllStringSubmatch(cells[1], -1) {
			want := "" // "nothing"
			if len(texts) > 0 {
				want = texts[min(i, len(texts)-1)][1]
			}
			compiled, _ := templates.Compile(templates.Source{Subject: "{{x}}"})
			got := rendered(t, compiled, decode(t, `{"x":`+value[1]+`}`), templates.KeepMissing)
			if got.Subject != want {
				t.Errorf("%s gives %q, want %q", value[1], got.Subject, want)
			}
		}
	}
	if rows < 10 {
		t.Errorf("the table has %d rows", rows)
	}
}

func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
