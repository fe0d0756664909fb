// Package docs reads the project's Markdown for the tests that hold it to the code.
// Nothing of the program imports it.
package docs

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
)

// A Page is a Markdown file.
type Page struct {
	Path     string // from the repository's root, with slashes
	Headings []Heading
	Anchors  []Anchor // of headings and of HTML, in their order
	Links    []Link
	Images   []Image
	Blocks   []Block
	Spans    []Span
	Tables   []Table

	source []byte
	slugs  slugger
}

// A Heading has a level from 1 on.
type Heading struct {
	Line, Level int
	Text        string
}

// An Anchor is what a link's fragment can lead to.
type Anchor struct {
	Line    int
	ID      string
	Heading bool
}

// A Link leads to a URL, or to a file relative to its page.
type Link struct {
	Line int
	To   string
}

// An Image is a link to a picture. Another choice of the same picture, as in
// HTML's <source>, has no Alt of its own.
type Image struct {
	Link
	Alt    string
	Choice bool
}

// A Block is a block of code. Its line is the first one inside.
type Block struct {
	Line           int
	Language, Text string
}

// A Span is code in a text.
type Span struct {
	Line int
	Text string
}

// A Table has its size without the header.
type Table struct{ Line, Rows, Columns int }

// Pages reads all Markdown below the repository's root.
func Pages(root string) ([]*Page, error) {
	var pages []*Page
	files := os.DirFS(root)
	err := fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "node_modules", "bin", "dist"}, entry.Name()):
			return filepath.SkipDir
		case entry.IsDir() || path.Ext(file) != ".md":
			return nil
		}
		source, err := fs.ReadFile(files, file)
		pages = append(pages, Parse(file, source))
		return err
	})
	return pages, err
}

// Parse reads a page as GitHub shows it.
func Parse(name string, source []byte) *Page {
	page := &Page{Path: name, source: source, slugs: slugger{}}
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	// The walk never fails, as what it calls does not.
	_ = ast.Walk(tree, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			page.add(node)
		}
		return ast.WalkContinue, nil
	})
	return page
}

func (p *Page) add(node ast.Node) {
	switch node := node.(type) {
	case *ast.Heading:
		heading := Heading{p.lineOf(node), node.Level, p.textOf(node)}
		p.Headings = append(p.Headings, heading)
		p.Anchors = append(p.Anchors, Anchor{heading.Line, p.slugs.slug(heading.Text), true})
	case *ast.Link:
		p.Links = append(p.Links, Link{p.lineOf(node), string(node.Destination)})
	case *ast.AutoLink:
		if node.AutoLinkType == ast.AutoLinkURL {
			p.Links = append(p.Links, Link{p.lineOf(node), string(node.URL(p.source))})
		}
	case *ast.Image:
		p.Images = append(p.Images, Image{Link: Link{p.lineOf(node), string(node.Destination)}, Alt: p.textOf(node)})
	case *ast.FencedCodeBlock:
		p.Blocks = append(p.Blocks, Block{p.lineOf(node), string(node.Language(p.source)), string(node.Lines().Value(p.source))})
	case *ast.CodeBlock:
		p.Blocks = append(p.Blocks, Block{p.lineOf(node), "", string(node.Lines().Value(p.source))})
	case *ast.CodeSpan:
		p.Spans = append(p.Spans, Span{p.lineOf(node), p.textOf(node)})
	case *tables.Table:
		table := Table{p.lineOf(node), node.ChildCount() - 1, len(node.Alignments)}
		p.Tables = append(p.Tables, table)
	case *ast.RawHTML:
		p.addHTML(p.lineOf(node), node.Segments.Value(p.source))
	case *ast.HTMLBlock:
		p.addHTML(p.lineOf(node), node.Lines().Value(p.source))
	}
}

func (p *Page) addHTML(line int, source []byte) {
	tokens := html.NewTokenizer(bytes.NewReader(source))
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		attributes := map[string]string{}
		for _, attribute := range token.Attr {
			attributes[attribute.Key] = attribute.Val
		}
		if id := attributes["id"]; id != "" {
			p.Anchors = append(p.Anchors, Anchor{line, id, false})
		}
		switch {
		case token.Type == html.EndTagToken:
		case token.Data == "a" && attributes["href"] != "":
			p.Links = append(p.Links, Link{line, attributes["href"]})
		case token.Data == "img":
			p.Images = append(p.Images, Image{Link: Link{line, attributes["src"]}, Alt: attributes["alt"]})
		case token.Data == "source":
			p.Images = append(p.Images, Image{Link: Link{line, attributes["srcset"]}, Choice: true})
		}
	}
}

// textOf is what a reader sees of a node.
func (p *Page) textOf(node ast.Node) string {
	var out strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		switch child := child.(type) {
		case *ast.Text:
			out.Write(child.Segment.Value(p.source))
		case *ast.String:
			out.Write(child.Value)
		default:
			out.WriteString(p.textOf(child))
		}
	}
	return out.String()
}

// lineOf is where a node begins, or, if it does not say, where the one around it
// does.
func (p *Page) lineOf(node ast.Node) int {
	for ; node != nil; node = node.Parent() {
		if at := startOf(node); at >= 0 {
			return 1 + bytes.Count(p.source[:at], []byte("\n"))
		}
	}
	return 1
}

func startOf(node ast.Node) int {
	switch node := node.(type) {
	case *ast.Text:
		return node.Segment.Start
	case *ast.RawHTML:
		return node.Segments.At(0).Start
	}
	if node.Type() == ast.TypeBlock && node.Lines().Len() > 0 {
		return node.Lines().At(0).Start
	}
	if child := node.FirstChild(); child != nil {
		return startOf(child)
	}
	return -1
}

// Target is the file, from the repository's root, and the fragment that a link of
// the page leads to. A link to another site has none.
func (p *Page) Target(to string) (file, fragment string, ok bool) {
	if strings.Contains(to, ":") || strings.HasPrefix(to, "//") {
		return "", "", false
	}
	to, fragment, _ = strings.Cut(to, "#")
	if to == "" {
		return p.Path, fragment, true
	}
	return path.Join(path.Dir(p.Path), to), fragment, true
}

// SourceLine is a line of the page's text, from 1 on.
func (p *Page) SourceLine(number int) string {
	lines := strings.Split(string(p.source), "\n")
	if number > len(lines) {
		return ""
	}
	return lines[number-1]
}
