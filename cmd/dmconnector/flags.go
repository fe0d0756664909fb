package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/text/language"

	"dmconnector/aliyundm"
	"dmconnector/internal/words"
)

// A parsed is the value of a flag that is read by a function. Empty text leaves its
// default, as if the flag were not given.
type parsed[T any] struct {
	target *T
	text   string
	kind   string
	parse  func(string) (T, error)
}

func (p *parsed[T]) String() string { return p.text }
func (p *parsed[T]) Type() string   { return p.kind }

func (p *parsed[T]) Set(text string) error {
	if text == "" {
		return nil
	}
	value, err := p.parse(text)
	if err != nil {
		return err
	}
	*p.target, p.text = value, text
	return nil
}

func parsedVar[T any](flags *pflag.FlagSet, target *T, kind, name, value, usage string, parse func(string) (T, error)) *pflag.Flag {
	p := &parsed[T]{target: target, kind: kind, parse: parse}
	if err := p.Set(value); err != nil {
		panic(fmt.Sprintf("default of --%s: %v", name, err))
	}
	return flags.VarPF(p, name, "", usage)
}

func boolVar(flags *pflag.FlagSet, target *bool, name, usage string) {
	parsedVar(flags, target, "bool", name, "false", usage, words.Bool).NoOptDefVal = "true"
}

func durationVar(flags *pflag.FlagSet, target *time.Duration, name, value, usage string) {
	parsedVar(flags, target, "duration", name, value, usage, words.Duration)
}

// intVar adds a flag for a whole number, which is 0 if it is not given.
func intVar(flags *pflag.FlagSet, target *int, name, usage string) {
	parsedVar(flags, target, "int", name, "", usage, func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, errors.New("use a whole number")
		}
		return n, nil
	})
}

// wordVar adds a flag for one of the known words.
func wordVar(flags *pflag.FlagSet, target *string, name, value, usage string, known ...string) {
	parsedVar(flags, target, "string", name, value, usage, func(text string) (string, error) {
		return words.Choose(text, known...)
	})
}

func formatVar(flags *pflag.FlagSet, target *string) {
	wordVar(flags, target, "format", "text", "`format` of the output: text or json", "text", "json")
}

// listVar adds a flag that is comma-separated or repeated.
func listVar(flags *pflag.FlagSet, target *[]string, name, usage string, parse func(string) (string, error)) {
	parsedVar(flags, target, "strings", name, "", usage, func(text string) ([]string, error) {
		list := slices.Clone(*target)
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue // as of a comma at the end
			}
			word, err := parse(item)
			if err != nil {
				return nil, err
			}
			list = append(list, word)
		}
		return list, nil
	})
}

// endpointsVar adds --allow-endpoint.
func endpointsVar(flags *pflag.FlagSet, target *[]string, more string) {
	usage := "additional `hosts` for endpoints, such as dm.example.com or 127.0.0.1:8025; no patterns" + more
	listVar(flags, target, "allow-endpoint", usage, func(text string) (string, error) {
		u, err := aliyundm.ParseEndpoint(text)
		if err != nil {
			return "", errors.New("use hosts such as dm.example.com or 127.0.0.1:8025, without patterns")
		}
		return u.Host, nil
	})
}

// languageTag reads the tag of a language that is known.
func languageTag(text string) (string, error) {
	if _, err := language.Parse(text); err != nil {
		return "", errors.New("use language tags such as en, zh-CN or pt-BR")
	}
	return text, nil
}

func languageVar(flags *pflag.FlagSet, target *string, name, value, usage string) {
	parsedVar(flags, target, "string", name, value, usage, languageTag)
}

// suggestFlag adds the flag that was probably meant to the error about an unknown one.
func suggestFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { known = append(known, "--"+flag.Name) })
	return fmt.Errorf("%w%s", err, words.DidYouMean("--"+unknown.GetSpecifiedName(), known))
}

// onlySubcommands is the Args of a command that does nothing itself.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range cmd.Commands() {
		known = append(known, sub.Name())
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), words.DidYouMean(args[0], known))
}
