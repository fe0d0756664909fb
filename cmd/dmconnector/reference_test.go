package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var writeReference = flag.Bool("reference.write", false, "write docs/configuration.md in its languages")

const docsFolder = "../../docs"

// The pages are made by a test, so that the program need not hold the translations.
func TestReference(t *testing.T) {
	words := readCatalogue(t)
	for _, language := range []string{english, chinese, japanese} {
		page := &referencePage{language: language, words: words, root: completeRoot(), schema: readSchema(t)}
		text, err := page.text()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(docsFolder, folderOf(language), "configuration.md")
		if *writeReference && !t.Failed() {
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		written, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(strings.Split(string(written), "\n"), strings.Split(string(text), "\n")); d != "" {
			t.Errorf("%s is not what the program gives: run make reference\n(-written +given)\n%s", path, d)
		}
	}
	words.reportUnused()
}

// A referencePage is docs/configuration.md in one language.
type referencePage struct {
	language string
	words    *catalogue
	root     *cobra.Command
	schema   *schemaNode
}

// completeRoot has the commands that cobra adds, too.
func completeRoot() *cobra.Command {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

func (p *referencePage) text() ([]byte, error) {
	frame, err := os.ReadFile("testdata/reference/page.md.tmpl")
	if err != nil {
		return nil, err
	}
	tmpl, err := template.New("page").Parse(p.translateFrame(string(frame)))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = tmpl.Execute(&text, p)
	return text.Bytes(), err
}

// translateFrame translates the frame's prose, each line of which is one entry of
// the catalogue.
func (p *referencePage) translateFrame(frame string) string {
	var out strings.Builder
	prose := regexp.MustCompile(`^(#+ |- )?(.*)$`)
	inCode, afterSentence := false, false
	for line := range strings.SplitSeq(frame, "\n") {
		isFence := strings.HasPrefix(line, "```")
		inCode = inCode != isFence
		isProse := !inCode && !isFence && line != "" && !strings.HasPrefix(line, "<a id=") && !strings.HasPrefix(line, "### `") && !strings.HasPrefix(line, "{{")
		match := prose.FindStringSubmatch(line)
		if isProse {
			line = match[1] + p.relinked(p.words.say(p.language, match[2]))
		}
		isSentence := isProse && match[1] == ""
		// A line break is a space to readers, which Chinese and Japanese do not put
		// between sentences.
		joins := afterSentence && isSentence && p.language != english
		if out.Len() > 0 && !joins {
			out.WriteString("\n")
		}
		out.WriteString(line)
		afterSentence = isSentence
	}
	return out.String()
}

// relinked has links to other pages lead to the translated ones, if there are any.
func (p *referencePage) relinked(text string) string {
	return regexp.MustCompile(`\]\([a-z-]+\.md`).ReplaceAllStringFunc(text, func(link string) string {
		name := strings.TrimPrefix(link, "](")
		if _, err := os.Stat(filepath.Join(docsFolder, folderOf(p.language), name)); err == nil {
			return link
		}
		return "](../" + name
	})
}

// say translates a sentence of the program for a table's cell.
func (p *referencePage) say(sentence string) string {
	return asMarkdown(p.words.say(p.language, sentence))
}

// Switch leads to the page's other languages.
func (p *referencePage) Switch() string {
	var links []string
	for _, language := range []string{english, chinese, japanese} {
		name := map[string]string{english: "English", chinese: "简体中文", japanese: "日本語"}[language]
		if language != p.language {
			to, err := filepath.Rel(filepath.Join("docs", folderOf(p.language)), filepath.Join("docs", folderOf(language), "configuration.md"))
			if err != nil {
				panic(err) // both are relative
			}
			name = fmt.Sprintf("[%s](%s)", name, filepath.ToSlash(to))
		}
		links = append(links, name)
	}
	return strings.Join(links, " · ")
}

// Contents is the table of contents.
func (p *referencePage) Contents() string {
	link := func(heading, anchor string) string {
		return fmt.Sprintf("[%s](#%s)", p.words.say(p.language, heading), anchor)
	}
	var commands, objects []string
	for _, cmd := range p.commandsWithFlags() {
		commands = append(commands, fmt.Sprintf("[%s](#%s)", nameOf(cmd), anchorOf(cmd)))
	}
	for _, object := range []string{"credentials", "limits", "templates"} {
		objects = append(objects, fmt.Sprintf("[%s](#connector-%s)", object, object))
	}
	return strings.Join([]string{
		"- " + link("How settings are given", "precedence"),
		"- " + link("The service", "serve"),
		"- " + link("The other commands", "commands") + p.list(commands),
		"- " + link("Environment variables", "environment"),
		"- " + link("A connector's JSON", "connector") + p.list(append(objects, link("Values from the environment and from files", "references"))),
		"- " + link("Exit status", "exit"),
	}, "\n")
}

// list is what follows a heading in the contents.
func (p *referencePage) list(links []string) string {
	return p.inLanguage(": ", "：") + p.enumeration(links)
}

func (p *referencePage) enumeration(items []string) string {
	return strings.Join(items, p.inLanguage(", ", "、"))
}

// inLanguage chooses what stands between words: Chinese and Japanese agree on it.
func (p *referencePage) inLanguage(inEnglish, otherwise string) string {
	if p.language == english {
		return inEnglish
	}
	return otherwise
}

// asMarkdown puts what programs understand into code, and escapes the rest.
func asMarkdown(text string) string {
	var out strings.Builder
	last := 0
	for _, at := range codeInText.FindAllStringIndex(text, -1) {
		out.WriteString(escaped.Replace(text[last:at[0]]) + asCode(text[at[0]:at[1]]))
		last = at[1]
	}
	return out.String() + escaped.Replace(text[last:])
}

// asCode is text as code in a table's cell.
func asCode(text string) string {
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, "*", `\*`)

// codeInText finds what is code in a sentence: references, placeholders, words in
// quotes, flags, variables, keys with a capital inside, paths, addresses, hosts.
var codeInText = regexp.MustCompile(`\$\{[^}]*\}|\{\{[^}]*\}\}|"[^"]+"|--[a-z]+(?:-[a-z]+)*|@FILE|\b[A-Z]+(?:_[A-Z]+)+\b|\bPG[A-Z]+\b|\bOLD,NEW\b` +
	`|/api/[a-z-]+|/inbox\b|/faults\b|sqlite:<path>|postgres://…|http://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]+)?)?|acs:ram::[0-9]+:[a-z-]+/[a-z-]+|dm:[A-Za-z]+|[a-z0-9.-]*\baliyuncs\.com` +
	`|\b(?:state\.db|sts-vpc|connector-aliyun-dm)\b|\b[a-z]+(?:[A-Z][a-z]+)+\b`)

// table makes a table of Markdown.
func table(header []string, rows [][]string) string {
	var out strings.Builder
	out.WriteString("| " + strings.Join(header, " | ") + " |\n|" + strings.Repeat("---|", len(header)))
	for _, row := range rows {
		out.WriteString("\n| " + strings.Join(row, " | ") + " |")
	}
	return out.String()
}
