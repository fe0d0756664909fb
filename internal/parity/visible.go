package parity

import (
	"fmt"
	"strings"

	"golang.org/x/net/html"
)

// visible returns what a reader sees of an HTML body, line by line: its text,
// where links lead, and images.
func visible(body string) string {
	doc := parse(body)
	if doc == nil {
		return body
	}
	var v viewer
	v.walk(doc, false)
	v.breakLine()
	return strings.Join(v.lines, "\n")
}

// parse reads a body as a mail program does, which runs no scripts. It is nil
// only for what is nested too deep.
func parse(body string) *html.Node {
	doc, err := html.ParseWithOptions(strings.NewReader(body), html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil
	}
	return doc
}

// sameMarkup reports whether two bodies are the same document, however its
// characters are written.
func sameMarkup(a, b string) bool {
	return a == b || canonical(a) == canonical(b)
}

func canonical(body string) string {
	doc := parse(body)
	if doc == nil {
		return body
	}
	var b strings.Builder
	if err := html.Render(&b, doc); err != nil {
		return body
	}
	return b.String()
}

// A viewer collects lines.
type viewer struct {
	lines []string
	line  strings.Builder
	space bool // white space before what comes next
}

var blocks = names("address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tr ul")

var unseen = names("head script style template title")

func names(list string) map[string]bool {
	set := make(map[string]bool)
	for name := range strings.FieldsSeq(list) {
		set[name] = true
	}
	return set
}

func (v *viewer) walk(n *html.Node, verbatim bool) {
	switch {
	case n.Type == html.TextNode && verbatim:
		v.verbatim(n.Data)
		return
	case n.Type == html.TextNode:
		v.text(n.Data)
		return
	case n.Type == html.ElementNode && unseen[n.Data]:
		return
	}
	block := n.Type == html.ElementNode && blocks[n.Data]
	if block {
		v.breakLine()
	}
	if n.Data == "td" || n.Data == "th" {
		v.space = true
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		v.walk(child, verbatim || n.Type == html.ElementNode && n.Data == "pre")
	}
	if n.Type == html.ElementNode {
		v.element(n)
	}
	if block {
		v.breakLine()
	}
}

// element adds what an element shows by itself.
func (v *viewer) element(n *html.Node) {
	switch n.Data {
	case "br":
		v.breakLine()
	case "a":
		if href, ok := attribute(n, "href"); ok {
			v.text(fmt.Sprintf(" <%s>", href))
		}
	case "img":
		alt, _ := attribute(n, "alt")
		src, _ := attribute(n, "src")
		v.text(fmt.Sprintf("[%s: %s]", alt, src))
	}
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val, true
		}
	}
	return "", false
}

const htmlSpace = " \t\n\r\f"

// text adds text with its white space collapsed.
func (v *viewer) text(text string) {
	for text != "" {
		at := strings.IndexAny(text, htmlSpace)
		if at == 0 {
			v.space = true
			text = strings.TrimLeft(text, htmlSpace)
			continue
		}
		if at < 0 {
			at = len(text)
		}
		if v.space && v.line.Len() > 0 {
			v.line.WriteByte(' ')
		}
		v.space = false
		v.line.WriteString(text[:at])
		text = text[at:]
	}
}

// verbatim adds text whose white space stands as it is.
func (v *viewer) verbatim(text string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			v.breakLine()
		}
		v.line.WriteString(line)
	}
}

func (v *viewer) breakLine() {
	v.space = false
	if v.line.Len() == 0 {
		return
	}
	v.lines = append(v.lines, v.line.String())
	v.line.Reset()
}
