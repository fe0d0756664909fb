package main

import (
	"os"
	"slices"
	"testing"

	"dmconnector/internal/strictjson"
)

const (
	english  = "en"
	chinese  = "zh-CN"
	japanese = "ja"
)

// folderOf is a language's folder below docs.
func folderOf(language string) string {
	if language == english {
		return ""
	}
	return language
}

// A catalogue has the translations of the program's sentences, by the English
// sentence and the language.
type catalogue struct {
	t     *testing.T
	words map[string]map[string]string
	used  map[string]bool
}

// catalogueFiles have the sentences, each in one of them. The second one's are
// shown by the console as well.
var catalogueFiles = []string{"testdata/reference/translations.json", "../../internal/console/web/src/pages/schema-words.json"}

func readCatalogue(t *testing.T) *catalogue {
	t.Helper()
	c := &catalogue{t, map[string]map[string]string{}, map[string]bool{}}
	for _, path := range catalogueFiles {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := strictjson.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for sentence, languages := range tree.(map[string]any) {
			if c.words[sentence] != nil {
				t.Errorf("%q is translated twice", sentence)
			}
			c.words[sentence] = map[string]string{}
			for language, text := range languages.(map[string]any) {
				c.words[sentence][language] = text.(string)
			}
		}
	}
	return c
}

// say returns the sentence in a language.
func (c *catalogue) say(language, sentence string) string {
	if language == english {
		return sentence
	}
	text, ok := c.words[sentence][language]
	if c.used[sentence+language] {
		return text
	}
	c.used[sentence], c.used[sentence+language] = true, true
	if want, got := codesOf(sentence), codesOf(text); !ok {
		c.t.Errorf("%s: no translation of %q in %s", language, sentence, catalogueFiles[0])
	} else if !slices.Equal(got, want) {
		c.t.Errorf("%s: the translation of %q has the code %q, the sentence %q", language, sentence, got, want)
	}
	return text
}

// codesOf are what must be the same in every language.
func codesOf(sentence string) []string {
	codes := codeInText.FindAllString(sentence, -1)
	slices.Sort(codes)
	return slices.Compact(codes)
}

func (c *catalogue) reportUnused() {
	for sentence := range c.words {
		if !c.used[sentence] {
			c.t.Errorf("the translations of %q are used no more", sentence)
		}
	}
}
