package docs

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// A Shell reads commands without running them. It knows the variables that earlier
// commands have set to a fixed text; any other is worth its own name.
type Shell struct {
	variables map[string]string
}

// A Command is a simple command as a shell would call it.
type Command struct {
	Line  int // from 1 on
	Words []string
}

// substituted stands for what a $(…) would print.
const substituted = "SUBSTITUTED"

// Commands returns the commands of a script, also those in pipes and in $(…).
func (s *Shell) Commands(script string) ([]Command, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil {
		return nil, err
	}
	var commands []Command
	syntax.Walk(file, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Assign:
			err = s.assign(node)
		case *syntax.CallExpr:
			var words []string
			if words, err = expand.Fields(s.config(), node.Args...); len(words) > 0 {
				commands = append(commands, Command{int(node.Pos().Line()), words})
			}
		}
		return err == nil
	})
	return commands, err
}

func (s *Shell) assign(node *syntax.Assign) error {
	if node.Name == nil || node.Value == nil {
		return nil
	}
	value, err := expand.Literal(s.config(), node.Value)
	if err != nil || strings.Contains(value, substituted) {
		return err
	}
	if s.variables == nil {
		s.variables = map[string]string{}
	}
	s.variables[node.Name.Value] = value
	return nil
}

func (s *Shell) config() *expand.Config {
	return &expand.Config{Env: environment{s}, CmdSubst: func(w io.Writer, _ *syntax.CmdSubst) error {
		_, err := io.WriteString(w, substituted)
		return err
	}}
}

type environment struct{ *Shell }

func (e environment) Get(name string) expand.Variable {
	if name == "IFS" {
		return expand.Variable{}
	}
	value, known := e.variables[name]
	if !known {
		value = name
	}
	return expand.Variable{Set: true, Kind: expand.String, Str: value}
}

func (e environment) Each(func(string, expand.Variable) bool) {}

// Program returns the arguments that a command gives the program itself, also when
// something else starts it: sudo, go run, docker, kubectl.
func (c Command) Program() ([]string, bool) {
	starts := func(word string) bool { return path.Base(word) == "dmconnector" }
	switch first := path.Base(c.Words[0]); {
	case starts(c.Words[0]):
		return c.Words[1:], true
	case len(c.Words) > 2 && c.Words[0] == "go" && c.Words[1] == "run" && starts(c.Words[2]):
		return c.Words[3:], true
	case first == "sudo", first == "env", first == "exec", first == "nohup", first == "kubectl" && slices.Contains(c.Words, "--"),
		first == "docker" && (slices.Contains(c.Words, "run") || slices.Contains(c.Words, "exec")):
		// The last word of that name: one before is a user, a container or a pod.
		for i := len(c.Words) - 1; i > 0; i-- {
			if starts(c.Words[i]) {
				// An image that is given no arguments has its own.
				return c.Words[i+1:], i+1 < len(c.Words)
			}
		}
	}
	return nil, false
}

// Commands returns the commands of the page's sh blocks, with their lines in the page.
func (p *Page) Commands() ([]Command, error) {
	var shell Shell
	var all []Command
	for _, block := range p.Blocks {
		if block.Language != "sh" {
			continue
		}
		commands, err := shell.Commands(block.Text)
		if err != nil {
			return all, fmt.Errorf("%s:%d: the block is no script: %w", p.Path, block.Line, err)
		}
		for _, command := range commands {
			command.Line += block.Line - 1
			all = append(all, command)
		}
	}
	return all, nil
}

// String is the command as the documents have it, more or less.
func (c Command) String() string { return fmt.Sprintf("%q", strings.Join(c.Words, " ")) }
