package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"dmconnector"
	"dmconnector/connector"
	"dmconnector/internal/words"
	"dmconnector/templates"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a connector, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(dmconnector.Schema())
			return err
		},
	}
}

func newTemplates() *cobra.Command {
	var languages, types []string
	cmd := &cobra.Command{
		Use:   "templates",
		Short: "Print the built-in templates as JSON, as a starting point",
		Long: `templates prints the built-in templates in the form of "templates" in a connector's
JSON. A connector with "templates": "builtin" uses all of them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var chosen []templates.Source
			for _, source := range templates.Builtin() {
				if (languages == nil || slices.Contains(languages, source.LanguageTag)) && (types == nil || slices.Contains(types, source.UsageType)) {
					chosen = append(chosen, source)
				}
			}
			if len(chosen) == 0 {
				return errors.New("no built-in template has this language and type")
			}
			return printJSON(cmd.OutOrStdout(), chosen)
		},
	}
	listVar(cmd.Flags(), &languages, "language", "only these comma-separated `languages`, such as en,zh-CN", func(text string) (string, error) {
		var known []string
		for _, source := range templates.Builtin() {
			known = append(known, source.LanguageTag)
		}
		return words.Choose(text, slices.Compact(known)...)
	})
	listVar(cmd.Flags(), &types, "type", "only these comma-separated usage `types`, such as SignIn,Register", func(text string) (string, error) {
		return words.Choose(text, connector.UsageTypes()...)
	})
	return cmd
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(cmd.OutOrStdout(), "dmconnector %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

// version is what Go's build recorded: the module's version, else the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return "devel"
}
