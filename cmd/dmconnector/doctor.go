package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/doctor"
	"dmconnector/internal/httpapi"
	"dmconnector/internal/registry"
)

// A usageError ends the program with status 2: nothing was checked.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func newDoctor() *cobra.Command {
	var (
		asJSON bool
		allow  []string
	)
	cmd := &cobra.Command{
		Use:   "doctor FILE",
		Short: "Find out why a connector cannot send",
		Long: `doctor checks a connector step by step: the file, the connection to Aliyun, the
clock, the key and its permissions, the account, the sender address, its domain and
the reply address. It reports each problem with its fix, and sends no mail.

The exit status is 0 if mail can be sent, 1 if a problem prevents it, and 2 for wrong
usage or an unreadable file.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := registry.ReadFile(args[0], connector.ParseOptions{AllowedEndpoints: allow}, resolve)
			if err != nil {
				return usageError{err}
			}
			patient := doctor.Patient{Config: file.Config, Report: file.Report}
			if file.Config != nil {
				if patient.Client, err = newClient(file.Config, nil, aliyundm.NewHTTPClient(), slog.New(slog.DiscardHandler)); err != nil {
					return err
				}
			}
			report := doctor.Examine(cmd.Context(), patient)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				printExamination(cmd.OutOrStdout(), report)
			}
			if err == nil && report.Outcome == doctor.Problem {
				err = errReported
			}
			return err
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{suggestFlag(cmd, err)} })
	boolVar(cmd.Flags(), &asJSON, "json", "print the report as JSON")
	endpointsVar(cmd.Flags(), &allow, "")
	return cmd
}

// examiner runs the doctor on the connectors of a service.
func examiner(local *localSandbox, transport *http.Client, log *slog.Logger) httpapi.Examiner {
	return func(ctx context.Context, cfg *connector.Config) (doctor.Report, error) {
		client, err := newClient(cfg, local, transport, log)
		if err != nil {
			return doctor.Report{}, err
		}
		return doctor.Examine(ctx, doctor.Patient{Config: cfg, Client: client}), nil
	}
}

func printExamination(w io.Writer, report doctor.Report) {
	skipped := false
	for _, step := range report.Steps {
		skipped = skipped || step.Status == doctor.Skipped
		fmt.Fprintf(w, "%-8s %-11s %s\n", step.Status, step.Check, step.Detail)
		if step.Cure != "" {
			fmt.Fprintf(w, "%21s-> %s\n", "", step.Cure)
		}
		if step.RequestID != "" && step.Status != doctor.Skipped {
			fmt.Fprintf(w, "%21s   (request %s)\n", "", step.RequestID)
		}
	}
	conclusion := conclusions[report.Outcome]
	if report.Outcome == doctor.Good && skipped {
		conclusion = "No problems found. This connector can send."
	}
	fmt.Fprintf(w, "\n%s\n", conclusion)
}

var conclusions = map[doctor.Status]string{
	doctor.Good:    "All checks passed. This connector can send.",
	doctor.Warning: "This connector can send. See the warnings.",
	doctor.Problem: "This connector cannot send. Fix the problems.",
}
