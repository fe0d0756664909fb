package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var writeReference = flag.Bool("reference.write", false, "write docs/configuration.md")

const referencePath = "../../docs/configuration.md"

// A test writes the page, so that the program need not contain it.
func TestReference(t *testing.T) {
	text, err := (&referencePage{completeRoot(), readSchema(t)}).text()
	if err != nil {
		t.Fatal(err)
	}
	if *writeReference {
		if err := os.WriteFile(referencePath, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(written), "\n"), strings.Split(string(text), "\n")); d != "" {
		t.Errorf("%s is out of date: run make reference\n(-written +generated)\n%s", referencePath, d)
	}
}

// A referencePage is docs/configuration.md.
type referencePage struct {
	root   *cobra.Command
	schema *schemaNode
}

// completeRoot has the commands that cobra adds, too.
func completeRoot() *cobra.Command {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

func (p *referencePage) text() ([]byte, error) {
	tmpl, err := template.ParseFiles("testdata/reference/page.md.tmpl")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = tmpl.Execute(&text, p)
	return text.Bytes(), err
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
