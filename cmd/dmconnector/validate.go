package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"dmconnector/connector"
)

func newValidate() *cobra.Command {
	var (
		strict bool
		format string
		allow  []string
	)
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check connector JSON and report all its problems",
		Long: `validate checks connectors and reports every problem at once: where it is (a JSON
pointer), what is wrong, and what would be right. It ends with status 1 if a file
has errors. Warnings are for what is allowed and probably not meant.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := map[string]func(io.Writer, []connectorFile) error{"text": printReports, "json": printReportsJSON}[format]
			if !ok {
				return fmt.Errorf("--format %q is not text or json", format)
			}
			files := make([]connectorFile, len(args))
			for i, path := range args {
				var err error
				if files[i], err = readConnector(path, connector.ParseOptions{Strict: strict, AllowedEndpoints: allow}); err != nil {
					return err
				}
			}
			if err := write(cmd.OutOrStdout(), files); err != nil {
				return err
			}
			if brokenConnectors(files) != nil {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "make unknown keys errors")
	cmd.Flags().StringVar(&format, "format", "text", "`format` of the output: text or json")
	cmd.Flags().StringSliceVar(&allow, "allow-endpoint", nil, "`hosts` that a connector's endpoint may name besides aliyuncs.com and loopback")
	return cmd
}

func printReports(w io.Writer, files []connectorFile) error {
	for _, file := range files {
		for _, p := range file.Report.Errors {
			fmt.Fprintf(w, "%s: error: %s\n", file.Path, p)
		}
		for _, p := range file.Report.Warnings {
			fmt.Fprintf(w, "%s: warning: %s\n", file.Path, p)
		}
		switch {
		case len(file.Report.Errors) > 0:
			fmt.Fprintf(w, "%s: %d errors, %d warnings\n", file.Path, len(file.Report.Errors), len(file.Report.Warnings))
		case len(file.Report.Warnings) > 0:
			fmt.Fprintf(w, "%s: valid, %d warnings\n", file.Path, len(file.Report.Warnings))
		default:
			fmt.Fprintf(w, "%s: valid\n", file.Path)
		}
	}
	return nil
}

func printReportsJSON(w io.Writer, files []connectorFile) error {
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
			// An empty list, not null, for those who count.
			Errors:   append([]connector.Problem{}, file.Report.Errors...),
			Warnings: append([]connector.Problem{}, file.Report.Warnings...),
		}
	}
	return printJSON(w, list)
}

// printJSON prints v for people and programs: indented, with < and > as they
// are.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
