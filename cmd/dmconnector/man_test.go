package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var manFolder = flag.String("man.write", "", "write the man pages into this `folder`")

// The pages are made by a test, so that the program need not link what makes them.
// They have no date: the same program has the same pages.
func TestManPages(t *testing.T) {
	folder := *manFolder
	if folder == "" {
		folder = t.TempDir()
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "0")
	root := newRoot()
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "dmconnector", Manual: "dmconnector"}, folder); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages {
		undate(t, path)
	}
	for _, cmd := range commands(root) {
		page, err := os.ReadFile(filepath.Join(folder, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, want := range []string{".TH", ".SH NAME", ".SH SYNOPSIS"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("the page of %s has no %s", cmd.CommandPath(), want)
			}
		}
	}
}

// undate takes the month out of a page's title line.
func undate(t *testing.T, path string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page = regexp.MustCompile(`(?m)^(\.TH "[^"]*" "1") "[^"]*"`).ReplaceAll(page, []byte(`$1 ""`))
	if strings.Contains(string(page), "Jan 1970") {
		t.Errorf("%s has a date", path)
	}
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
}

// commands returns all commands that help lists.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			all = append(all, commands(child)...)
		}
	}
	return all
}
