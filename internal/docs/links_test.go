package docs_test

import (
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dmconnector/internal/docs"
)

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for _, page := range inOrder(all) {
		for _, link := range page.Links {
			if fault := faultOf(page, link.To, all); fault != "" {
				t.Errorf("%s:%d: the link %s %s", page.Path, link.Line, link.To, fault)
			}
		}
		for _, image := range page.Images {
			if fault := faultOf(page, image.To, all); fault != "" {
				t.Errorf("%s:%d: the image %s %s", page.Path, image.Line, image.To, fault)
			}
			if strings.TrimSpace(image.Alt) == "" && !image.Choice {
				t.Errorf("%s:%d: the image %s has no alternative text", page.Path, image.Line, image.To)
			}
		}
		for i, anchor := range page.Anchors {
			if slices.IndexFunc(page.Anchors, func(a docs.Anchor) bool { return a.ID == anchor.ID }) != i {
				t.Errorf("%s:%d: the anchor %s is there twice", page.Path, anchor.Line, anchor.ID)
			}
		}
	}
}

// faultOf says what is wrong with a link.
func faultOf(page *docs.Page, to string, all map[string]*docs.Page) string {
	file, fragment, inside := page.Target(to)
	if !inside {
		return faultOfURL(to)
	}
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		return "leads nowhere: there is no " + file
	}
	target := all[file]
	if fragment == "" {
		return ""
	}
	if target == nil {
		return "has a fragment, and " + file + " is no page"
	}
	// Browsers decode it.
	name, err := url.PathUnescape(fragment)
	if err != nil || !slices.ContainsFunc(target.Anchors, func(a docs.Anchor) bool { return a.ID == name }) {
		return "leads nowhere: " + file + " has no heading or anchor " + fragment
	}
	return ""
}

func faultOfURL(to string) string {
	address, err := url.Parse(to)
	if err != nil {
		return "is no URL: " + err.Error()
	}
	ip := net.ParseIP(address.Hostname())
	loopback := address.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case address.Scheme == "http" && loopback:
		return ""
	case address.Scheme != "https":
		return "is not https"
	case !strings.Contains(address.Hostname(), "."):
		return "has no host"
	}
	return ""
}

// Whoever begins at the README finds every guide.
func TestEveryPageIsReachable(t *testing.T) {
	all := pages(t)
	reached := map[string]bool{"README.md": true}
	next := []string{"README.md"}
	for len(next) > 0 {
		page := all[next[0]]
		next = next[1:]
		for _, link := range page.Links {
			file, _, inside := page.Target(link.To)
			if inside && all[file] != nil && !reached[file] {
				reached[file] = true
				next = append(next, file)
			}
		}
	}
	for _, page := range inOrder(all) {
		if strings.HasPrefix(page.Path, "docs/") && !reached[page.Path] {
			t.Errorf("%s:1: no link leads here from README.md", page.Path)
		}
	}
}

func TestEveryImageIsShown(t *testing.T) {
	shown := map[string]bool{}
	for _, page := range pages(t) {
		for _, image := range page.Images {
			file, _, _ := page.Target(image.To)
			shown[file] = true
		}
	}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !slices.Contains([]string{".png", ".svg", ".jpg", ".gif", ".webp"}, filepath.Ext(file)) {
			return err
		}
		name, err := filepath.Rel(root, file)
		if !shown[filepath.ToSlash(name)] {
			t.Errorf("%s: no page shows it", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
