package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Flags is the table of a command's own flags.
func (p *referencePage) Flags(path string) (string, error) {
	cmd, _, err := p.root.Find(strings.Fields(path))
	if err != nil {
		return "", err
	}
	var rows [][]string
	for _, f := range flagsOf(cmd) {
		value, usage := pflag.UnquoteUsage(f)
		name := asCode(strings.TrimSpace("--" + f.Name + " " + value))
		if path == "serve" {
			name = anchored("serve-"+f.Name) + name
		}
		if cmd.Annotations[environmentPrefix] != "" {
			variable := variableOf(cmd, f)
			name += "<br>" + asCode(variable)
			if f.Annotations[secretFlag] != nil {
				name += "<br>" + asCode(variable+"_FILE")
			}
		}
		if f.Annotations[cobra.BashCompOneRequiredFlag] != nil {
			name += "<br>**required**"
		}
		rows = append(rows, []string{name, asMarkdown(usage) + defaultOf(f)})
	}
	return table([]string{"flag", "meaning"}, rows), nil
}

// defaultOf tells a flag's default, if it is not empty or off.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]", "false", "0":
		return ""
	default:
		return " (default: " + asCode(f.DefValue) + ")"
	}
}

// flagsOf are a command's own flags, and for those below it.
func flagsOf(cmd *cobra.Command) []*pflag.Flag {
	var flags []*pflag.Flag
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			flags = append(flags, f)
		}
	})
	return flags
}

// Commands is the table of all commands but serve.
func (p *referencePage) Commands() string {
	var rows [][]string
	for _, cmd := range p.commands() {
		use := asCode(strings.TrimSuffix(strings.TrimPrefix(cmd.UseLine(), "dmconnector "), " [flags]"))
		if len(flagsOf(cmd)) > 0 {
			use = "[" + use + "](#" + anchorOf(cmd) + ")"
		}
		rows = append(rows, []string{use, asMarkdown(cmd.Short)})
	}
	return table([]string{"command", "what it does"}, rows)
}

// CommandSections are the flags of all commands but serve.
func (p *referencePage) CommandSections() (string, error) {
	var sections []string
	for _, cmd := range p.commandsWithFlags() {
		flags, err := p.Flags(nameOf(cmd))
		if err != nil {
			return "", err
		}
		section := "### " + nameOf(cmd) + "\n\n" + flags
		if cmd.HasSubCommands() {
			section += "\n\nIts subcommands have these flags too."
		}
		sections = append(sections, section)
	}
	return strings.Join(sections, "\n\n"), nil
}

func (p *referencePage) commandsWithFlags() []*cobra.Command {
	var list []*cobra.Command
	for _, cmd := range p.commands() {
		if len(flagsOf(cmd)) > 0 {
			list = append(list, cmd)
		}
	}
	return list
}

// commands are all but serve, which has a place of its own, and help. What is below
// completion is cobra's affair.
func (p *referencePage) commands() []*cobra.Command {
	var list []*cobra.Command
	for _, cmd := range commands(p.root)[1:] {
		parent := cmd.Parent().Name()
		if cmd.Name() != "serve" && cmd.Name() != "help" && parent != "completion" {
			list = append(list, cmd)
		}
	}
	return list
}

func nameOf(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.CommandPath(), "dmconnector ") }

func anchorOf(cmd *cobra.Command) string { return strings.ReplaceAll(nameOf(cmd), " ", "-") }

func anchored(id string) string { return `<a id="` + strings.ToLower(id) + `"></a>` }

// variables are the environment variables without a flag.
func variables() (list []struct{ name, meaning string }) {
	for entry := range strings.SplitSeq(strings.TrimSpace(environmentText), "\n\n") {
		name, meaning, _ := strings.Cut(entry, "\n    ")
		list = append(list, struct{ name, meaning string }{name, meaning})
	}
	return list
}

// Variables is the table of the variables that are no flags.
func (p *referencePage) Variables() string {
	var rows [][]string
	for _, v := range variables() {
		rows = append(rows, []string{anchored(v.name) + asCode(v.name), asMarkdown(v.meaning)})
	}
	return table([]string{"variable", "meaning"}, rows)
}

// What libraries and Go itself read is in nobody's source here.
var readByLibraries = []string{"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "PGPASSWORD", "GOMEMLIMIT", "AUTOMEMLIMIT"}

// Whatever variable the program's source names is among the documented ones, and
// the other way round.
func TestVariablesAreThoseOfTheSource(t *testing.T) {
	documented := map[string]bool{keyVariable + "_FILE": true}
	for _, v := range variables() {
		documented[v.name] = true
	}
	named := variablesInSource(t)
	for name, at := range named {
		if !documented[name] {
			t.Errorf("%s: %s is not in environment.txt", at, name)
		}
	}
	for _, name := range append(readByLibraries, keyVariable+"_FILE") {
		named[name] = "a library"
	}
	for name := range documented {
		if named[name] == "" {
			t.Errorf("%s is documented, and nothing reads it", name)
		}
	}
}

// variablesInSource are the texts in the program's source that look like the name
// of a variable, or that the environment is asked for, with their places.
func variablesInSource(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	looksLikeOne := regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)
	files := token.NewFileSet()
	for _, path := range sources(t) {
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		note := func(node ast.Expr, sure bool) {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return
			}
			if name, err := strconv.Unquote(literal.Value); err == nil && (sure || looksLikeOne.MatchString(name)) {
				found[name] = files.Position(literal.Pos()).String()
			}
		}
		if filepath.Base(path) == "environment.go" {
			continue // usual names that nothing reads
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CallExpr:
				f, ok := node.Fun.(*ast.SelectorExpr)
				if ok && (f.Sel.Name == "Getenv" || f.Sel.Name == "LookupEnv") {
					note(node.Args[0], true)
				}
			case *ast.BasicLit:
				note(node, false)
			}
			return true
		})
	}
	return found
}

// sources are the files that the program is made of.
func sources(t *testing.T) []string {
	t.Helper()
	var paths []string
	forTests := regexp.MustCompile(`_test\.go$|/internal/(attack|bench|chaos|docs|logtopeers|postgrestest)/|/tools/`)
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !forTests.MatchString(filepath.ToSlash(path)) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
