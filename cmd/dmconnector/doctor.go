package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/doctor"
	"dmconnector/internal/httpapi"
)

// A usageError ends the program with status 2: nothing was looked at.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitStatus is what the program ends with after an error.
func exitStatus(err error) int {
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

func newDoctor() *cobra.Command {
	var (
		asJSON bool
		allow  []string
	)
	cmd := &cobra.Command{
		Use:   "doctor FILE",
		Short: "Look for what keeps a connector from sending",
		Long: `doctor checks a connector step by step: its file, the way to Aliyun, the clock, the
key and what it may do, the account, the sender address, its domain, and where
answers go. It says what is wrong and what cures it, and sends no mail.

It ends with status 1 if something keeps mail from being sent, and with 2 if it
was called in a wrong way.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readConnector(args[0], connector.ParseOptions{AllowedEndpoints: allow})
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
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	cmd.Flags().StringSliceVar(&allow, "allow-endpoint", nil, "`hosts` that a connector's endpoint may name besides aliyuncs.com and loopback")
	return cmd
}

// examiner looks at the connectors of a service.
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
	for _, step := range report.Steps {
		fmt.Fprintf(w, "%-8s %-11s %s\n", step.Status, step.Check, step.Detail)
		if step.Cure != "" {
			fmt.Fprintf(w, "%21s-> %s\n", "", step.Cure)
		}
		if step.RequestID != "" && step.Status != doctor.Skipped {
			fmt.Fprintf(w, "%21s   (request %s)\n", "", step.RequestID)
		}
	}
	fmt.Fprintf(w, "\n%s\n", conclusions[report.Outcome])
}

var conclusions = map[doctor.Status]string{
	doctor.Good:    "Nothing was found that keeps mail from being sent.",
	doctor.Warning: "Mail can be sent; see the warnings.",
	doctor.Problem: "Mail cannot be sent: see the problems.",
}
