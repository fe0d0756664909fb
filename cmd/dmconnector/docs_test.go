package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/pflag"
	"golang.org/x/net/html"

	"dmconnector/connector"
	"dmconnector/internal/docs"
	"dmconnector/internal/registry"
)

func readPages(t *testing.T) map[string]*html.Node {
	t.Helper()
	pages, err := docs.Pages(os.DirFS("../.."))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	return pages
}

// The program accepts each command line of the pages. In a sentence, required
// arguments and flags may be missing.
func TestDocumentedCommandLines(t *testing.T) {
	checked := 0
	for name, page := range readPages(t) {
		commands, err := docs.Commands(page)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, command := range commands {
			args, isOurs := ownArguments(command.Words)
			if !isOurs {
				continue
			}
			checked++
			if err := parseOnly(args, !command.Inline); err != nil {
				t.Errorf("%s: %q: %v", name, command.Words, err)
			}
		}
	}
	if checked < 30 {
		t.Errorf("%d command lines found", checked)
	}
}

// ownArguments returns the arguments of dmconnector in a command that runs it, directly
// or through another program.
func ownArguments(words []string) (args []string, isOurs bool) {
	// Programs that run another one, with the argument that tells so.
	runners := map[string]*regexp.Regexp{
		"sudo": nil, "env": nil, "exec": nil, "nohup": nil,
		"go": regexp.MustCompile(`^run$`), "docker": regexp.MustCompile(`^(run|exec)$`), "kubectl": regexp.MustCompile(`^--$`),
	}
	first := filepath.Base(words[0])
	if first == "dmconnector" {
		return words[1:], true
	}
	argument, isRunner := runners[first]
	if !isRunner || argument != nil && !slices.ContainsFunc(words, argument.MatchString) {
		return nil, false
	}
	// Before the last word of that name may be a user, a container or a pod.
	for i := len(words) - 2; i > 0; i-- {
		if filepath.Base(words[i]) == "dmconnector" {
			return words[i+1:], true
		}
	}
	return nil, false
}

func TestOwnArguments(t *testing.T) {
	for command, want := range map[string]string{
		"dmconnector version":                                         "version",
		"/usr/bin/dmconnector serve":                                  "serve",
		"go run ./cmd/dmconnector serve --sandbox":                    "serve --sandbox",
		"go test ./cmd/dmconnector -run Docs":                         "",
		"sudo -u dmconnector dmconnector token list":                  "token list",
		"kubectl exec deploy/dmconnector -- dmconnector token create": "token create",
		"kubectl logs deploy/dmconnector -f":                          "",
		"docker run -v dmconnector:/data dmconnector serve":           "serve",
		"docker run --rm dmconnector":                                 "",
		"docker compose logs dmconnector -f":                          "",
		"chown dmconnector /data":                                     "",
	} {
		args, isOurs := ownArguments(strings.Fields(command))
		if got := strings.Join(args, " "); got != want || isOurs != (want != "") {
			t.Errorf("%s: %q, %v, want %q", command, got, isOurs, want)
		}
	}
}

// parseOnly does what the program does before it runs a command.
func parseOnly(args []string, complete bool) error {
	root := completeRoot()
	root.SetOut(io.Discard)
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	err = cmd.ParseFlags(rest)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil || !complete {
		return err
	}
	if !cmd.Runnable() {
		return fmt.Errorf("%s is no command by itself", cmd.CommandPath())
	}
	return errors.Join(cmd.ValidateArgs(cmd.Flags().Args()), cmd.ValidateRequiredFlags())
}

// Each variable of ours that the documents, and what deploys the program, name is
// one that the program reads.
func TestNamedVariablesExist(t *testing.T) {
	known := map[string]bool{"DMCONNECTOR_TEST_ALL": true} // of the tests themselves
	for _, v := range variables() {
		known[v.name] = true
	}
	for _, cmd := range commands(newRoot()) {
		for _, f := range flagsOf(cmd) {
			if cmd.Annotations[environmentPrefix] != "" {
				known[variableOf(cmd, f)] = true
				known[variableOf(cmd, f)+"_FILE"] = f.Annotations[secretFlag] != nil
			}
		}
	}
	files := []string{"../../README.md", "../../README.zh-CN.md", "../../Dockerfile"}
	for _, pattern := range []string{"../../docs/*.md", "../../deploy/helm/dmconnector/*.yaml", "../../deploy/helm/dmconnector/templates/*", "../../deploy/systemd/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	name := regexp.MustCompile(`\bDMCONNECTOR_[A-Z_]*[A-Z]\b`)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			for _, variable := range name.FindAllString(line, -1) {
				if !known[variable] {
					t.Errorf("%s:%d: the program reads no %s", path, number, variable)
				}
			}
		}
	}
}

// The guide's commands for moving are run, in its order, on what a Logto answers,
// and print what it quotes.
func TestMovingGuidesCommandsRun(t *testing.T) {
	commands, err := docs.Commands(readPages(t)["docs/moving-from-logto.md"])
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/moving-from-logto.md")
	if err != nil {
		t.Fatal(err)
	}
	answers, err := txtar.ParseFile("testdata/import.txtar")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	named := map[string]string{"connectors.json": "logto-connectors.json", "email-templates.json": "email-templates.json"}
	for _, file := range answers.Files {
		if name := named[file.Name]; name != "" {
			if err := os.WriteFile(name, file.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	ran := 0
	for _, command := range commands {
		args, isOurs := ownArguments(command.Words)
		if !isOurs || command.Inline {
			continue
		}
		var stdout, stderr bytes.Buffer
		root := newRoot()
		root.SetArgs(args)
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		// The answers have what reads differently here, which is told.
		if err := root.ExecuteContext(t.Context()); !errors.Is(err, errReported) || !strings.Contains(stdout.String(), " mails differ.") {
			t.Errorf("%q: %v\n%s%s", args, err, stdout.String(), stderr.String())
		}
		for _, quoted := range regexp.MustCompile("(?s)```text\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(stdout.String(), quoted[1]) {
				t.Errorf("%q does not print what the guide quotes:\n%s", args, quoted[1])
			}
		}
		ran++
	}
	if ran < 2 {
		t.Errorf("%d commands were run", ran)
	}
	written, err := registry.ReadFile("connector.json", connector.ParseOptions{Strict: true}, resolve)
	if err := errors.Join(err, registry.Errors([]registry.File{written})); err != nil {
		t.Error(err)
	}
}

// The flags that a guide explains in a table are those of its command, all of them
// and no other.
func TestTableOfImportsFlags(t *testing.T) {
	text, err := os.ReadFile("../../docs/moving-from-logto.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = true
	}
	for _, f := range flagsOf(newImport()) {
		if !documented[f.Name] {
			t.Errorf("the guide does not explain --%s", f.Name)
		}
		delete(documented, f.Name)
	}
	for name := range documented {
		t.Errorf("the guide explains --%s, which import does not have", name)
	}
}
