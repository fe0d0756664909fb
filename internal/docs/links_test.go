package docs_test

import (
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"dmconnector/internal/docs"
)

// anchorsOf lists what links to a page can name: the ids of its elements, and its
// headings as GitHub names them.
func anchorsOf(page *html.Node) []string {
	var anchors []string
	headings := map[string]bool{}
	for node := range page.Descendants() {
		if id := attribute(node, "id"); id != "" {
			anchors = append(anchors, id)
		}
		if slices.Contains([]string{"h1", "h2", "h3", "h4", "h5", "h6"}, node.Data) {
			base := slug(docs.Text(node))
			anchor := base
			for n := 1; headings[anchor]; n++ {
				anchor = fmt.Sprintf("%s-%d", base, n)
			}
			headings[anchor] = true
			anchors = append(anchors, anchor)
		}
	}
	return anchors
}

func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc):
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, heading)
}

func attribute(node *html.Node, key string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == key {
			return attribute.Val
		}
	}
	return ""
}

// linksOf lists where a page's links and images lead.
func linksOf(page *html.Node) []string {
	var links []string
	for node := range page.Descendants() {
		for _, attribute := range node.Attr {
			if slices.Contains([]string{"href", "src", "srcset"}, attribute.Key) {
				links = append(links, attribute.Val)
			}
		}
	}
	return links
}

// resolve returns the file and the fragment that a link of the page leads to. A link to
// another site has no file.
func resolve(page, link string) (file, fragment string) {
	if strings.Contains(link, ":") || strings.HasPrefix(link, "//") {
		return "", ""
	}
	file, fragment, _ = strings.Cut(link, "#")
	if file == "" {
		return page, fragment
	}
	return path.Join(path.Dir(page), file), fragment
}

func TestAnchorsAndLinks(t *testing.T) {
	page := parse(t, "# The `serve` command: 1.5 _times_\n\n"+
		"See [state](state.md#a-key), https://example.com/a and <a id=\"here\"></a> ![a picture](x.png).\n\n"+
		"## 迁移到 PostgreSQL（可选）\n\n"+
		"## The serve command: 1.5 times\n\n"+
		"<picture><source srcset=\"dark.png\"><img src=\"light.png\" alt=\"a\"></picture>\n")
	wantAnchors := []string{"the-serve-command-15-times", "here", "迁移到-postgresql可选", "the-serve-command-15-times-1"}
	if d := cmp.Diff(wantAnchors, anchorsOf(page)); d != "" {
		t.Errorf("anchors (-want +got)\n%s", d)
	}
	wantLinks := []string{"state.md#a-key", "https://example.com/a", "x.png", "dark.png", "light.png"}
	if d := cmp.Diff(wantLinks, linksOf(page)); d != "" {
		t.Errorf("links (-want +got)\n%s", d)
	}
}

func TestLinks(t *testing.T) {
	all := pages(t)
	for name, page := range all {
		for _, link := range linksOf(page) {
			if err := checkLink(all, name, link); err != nil {
				t.Errorf("%s: the link %s: %v", name, link, err)
			}
		}
		for node := range page.Descendants() {
			if node.Data == "img" && strings.TrimSpace(attribute(node, "alt")) == "" {
				t.Errorf("%s: the image %s has no alternative text", name, attribute(node, "src"))
			}
		}
		anchors := anchorsOf(page)
		for i, anchor := range anchors {
			if slices.Contains(anchors[:i], anchor) {
				t.Errorf("%s: more than one anchor %s", name, anchor)
			}
		}
	}
}

func checkLink(all map[string]*html.Node, page, link string) error {
	file, fragment := resolve(page, link)
	if file == "" {
		return checkURL(link)
	}
	if _, err := os.Stat(filepath.Join(root, file)); err != nil || fragment == "" {
		return err
	}
	anchor, err := url.PathUnescape(fragment)
	if err != nil {
		return err
	}
	if all[file] == nil || !slices.Contains(anchorsOf(all[file]), anchor) {
		return fmt.Errorf("%s has no anchor %s", file, anchor)
	}
	return nil
}

func checkURL(link string) error {
	address, err := url.Parse(link)
	if err != nil {
		return err
	}
	ip := net.ParseIP(address.Hostname())
	loopback := address.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case address.Scheme == "http" && loopback, address.Scheme == "mailto":
		return nil
	case address.Scheme != "https":
		return fmt.Errorf("the scheme is %q, not https", address.Scheme)
	case !strings.Contains(address.Hostname(), "."):
		return fmt.Errorf("%q is not a full host name", address.Hostname())
	}
	return nil
}

func TestReadmeLeadsToEveryPage(t *testing.T) {
	all := pages(t)
	reached := []string{"README.md"}
	for i := 0; i < len(reached); i++ {
		for _, link := range linksOf(all[reached[i]]) {
			if file, _ := resolve(reached[i], link); all[file] != nil && !slices.Contains(reached, file) {
				reached = append(reached, file)
			}
		}
	}
	for name := range all {
		if !slices.Contains(reached, name) && strings.HasPrefix(name, "docs/") {
			t.Errorf("no links lead from README.md to %s", name)
		}
	}
}

func TestEveryImageIsUsed(t *testing.T) {
	used := map[string]bool{}
	for name, page := range pages(t) {
		for _, link := range linksOf(page) {
			file, _ := resolve(name, link)
			used[file] = true
		}
	}
	err := fs.WalkDir(os.DirFS(root), "docs", func(file string, _ fs.DirEntry, err error) error {
		if slices.Contains([]string{".png", ".svg", ".jpg", ".gif", ".webp"}, path.Ext(file)) && !used[file] {
			t.Errorf("no page shows %s", file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
