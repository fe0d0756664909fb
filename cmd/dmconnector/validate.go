package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dmconnector/connector"
	"dmconnector/internal/registry"
)

func newValidate() *cobra.Command {
	var (
		strict bool
		format string
		allow  []string
	)
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check connector JSON and report every problem",
		Long: `validate checks connector files and reports every problem at once, with its place (a
JSON pointer) and its fix. Warnings are for what is allowed but probably a mistake. The
exit status is 1 if a file has errors.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write := printReports
			if format == "json" {
				write = printReportsJSON
			}
			files := make([]registry.File, len(args))
			for i, path := range args {
				var err error
				if files[i], err = registry.ReadFile(path, connector.ParseOptions{Strict: strict, AllowedEndpoints: allow}, resolve); err != nil {
					return err
				}
			}
			if err := write(cmd.OutOrStdout(), files); err != nil {
				return err
			}
			if registry.Errors(files) != nil {
				return errReported
			}
			return nil
		},
	}
	boolVar(cmd.Flags(), &strict, "strict", "treat unknown keys as errors")
	formatVar(cmd.Flags(), &format)
	endpointsVar(cmd.Flags(), &allow, "")
	return cmd
}

func printReports(w io.Writer, files []registry.File) error {
	for _, file := range files {
		for _, p := range file.Report.Errors {
			fmt.Fprintf(w, "%s: error: %s\n", file.Path, p)
		}
		for _, p := range file.Report.Warnings {
			fmt.Fprintf(w, "%s: warning: %s\n", file.Path, p)
		}
		switch {
		case len(file.Report.Errors) > 0:
			fmt.Fprintf(w, "%s: %s, %s\n", file.Path, counted(len(file.Report.Errors), "error"), counted(len(file.Report.Warnings), "warning"))
		case len(file.Report.Warnings) > 0:
			fmt.Fprintf(w, "%s: valid, %s\n", file.Path, counted(len(file.Report.Warnings), "warning"))
		default:
			fmt.Fprintf(w, "%s: valid\n", file.Path)
		}
	}
	return nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func printReportsJSON(w io.Writer, files []registry.File) error {
	type report struct {
		File     string              `json:"file"`
		Valid    bool                `json:"valid"`
		Errors   []connector.Problem `json:"errors"`
		Warnings []connector.Problem `json:"warnings"`
	}
	list := make([]report, len(files))
	for i, file := range files {
		list[i] = report{
			File: file.Path, Valid: len(file.Report.Errors) == 0,
			// Empty lists instead of null.
			Errors:   append([]connector.Problem{}, file.Report.Errors...),
			Warnings: append([]connector.Problem{}, file.Report.Warnings...),
		}
	}
	return printJSON(w, list)
}

// printJSON prints v indented, with < and > unescaped.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
