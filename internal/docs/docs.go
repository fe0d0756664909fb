// Package docs reads the project's Markdown pages, so that tests can compare them with
// the program.
package docs

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	renderer "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Pages returns the Markdown pages in the project's files by path, each as the HTML that
// GitHub shows.
func Pages(files fs.FS) (map[string]*html.Node, error) {
	markdown := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(renderer.WithUnsafe()))
	pages := map[string]*html.Node{}
	err := fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "dist"}, entry.Name()):
			return fs.SkipDir
		case path.Ext(file) != ".md":
			return nil
		}
		source, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		var rendered bytes.Buffer
		if err := markdown.Convert(source, &rendered); err != nil {
			return err
		}
		pages[file], err = html.Parse(&rendered)
		return err
	})
	return pages, err
}

// Text is what a reader sees of an element.
func Text(element *html.Node) string {
	var text strings.Builder
	for node := range element.Descendants() {
		if node.Type == html.TextNode {
			text.WriteString(node.Data)
		}
	}
	return text.String()
}

// Code is a block of code, or code in a sentence.
type Code struct {
	Block          bool
	Language, Text string
}

// Codes returns all code of a page.
func Codes(page *html.Node) []Code {
	var codes []Code
	for node := range page.Descendants() {
		if node.Data != "code" || node.Type != html.ElementNode {
			continue
		}
		code := Code{Block: node.Parent.Data == "pre", Text: Text(node)}
		for _, attribute := range node.Attr {
			code.Language = strings.TrimPrefix(attribute.Val, "language-")
		}
		codes = append(codes, code)
	}
	return codes
}

// A Command is a simple command of a shell script.
type Command struct {
	Words  []string
	Inline bool // in a sentence, where arguments may be missing
}

// Commands returns the commands of a page's sh blocks, and those of curl, dmconnector
// and make in its sentences.
func Commands(page *html.Node) ([]Command, error) {
	var all []Command
	variables := map[string]string{"IFS": " \t\n"}
	for _, code := range Codes(page) {
		name, _, hasArguments := strings.Cut(code.Text, " ")
		inline := !code.Block && hasArguments && slices.Contains([]string{"curl", "dmconnector", "make"}, name)
		if !inline && code.Language != "sh" {
			continue
		}
		commands, err := parseScript(code.Text, variables)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", code.Text, err)
		}
		for _, words := range commands {
			all = append(all, Command{words, inline})
		}
	}
	return all, nil
}

// parseScript returns the commands of a script, also those in pipes and in $(…). It
// adds to the variables; one without a known value expands to its own name.
func parseScript(script string, variables map[string]string) ([][]string, error) {
	const output = "OUTPUT" // of $(…)
	config := &expand.Config{
		Env: expand.FuncEnviron(func(name string) string { return cmp.Or(variables[name], name) }),
		CmdSubst: func(w io.Writer, _ *syntax.CmdSubst) error {
			_, err := io.WriteString(w, output)
			return err
		},
	}
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		return nil, err
	}
	var commands [][]string
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Assign:
			if node.Name == nil { // a flag of export
				return true
			}
			var value string
			if value, err = expand.Literal(config, node.Value); !strings.Contains(value, output) {
				variables[node.Name.Value] = value
			}
		case *syntax.CallExpr:
			var words []string
			if words, err = expand.Fields(config, node.Args...); len(words) > 0 {
				commands = append(commands, words)
			}
		}
		return err == nil
	})
	return commands, err
}
