package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm"
	"dmconnector/internal/delivery"
)

func newSendTest() *cobra.Command {
	var (
		flags messageFlags
		to    string
	)
	cmd := &cobra.Command{
		Use:   "send-test FILE --to ADDRESS",
		Short: "Send a test mail through a connector and show each step",
		Long: `send-test sends one real mail through a connector and shows each step: the template
and why it was chosen, Aliyun's answer, and what to do if Aliyun rejected the mail.
The exit status is 1 if the mail was not accepted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			composer, message, err := flags.read(cmd, args[0])
			if err != nil {
				return err
			}
			message.To = to
			client, err := newClient(composer.Config(), nil, aliyundm.NewHTTPClient(), slog.New(slog.DiscardHandler)) // the report tells why
			if err != nil {
				return err
			}
			target := delivery.Connector{Composer: composer, Sender: client}
			report, err := delivery.Try(cmd.Context(), target, delivery.Request{Message: message, Arrived: time.Now()})
			printReport(cmd.OutOrStdout(), report)
			if failure, ok := errors.AsType[*delivery.Error](err); ok {
				return fmt.Errorf("%s: %s", failure.Code, failure.Detail)
			}
			return err
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().StringVar(&to, "to", "", "recipient `address`")
	_ = cmd.MarkFlagRequired("to") // it has just been defined
	return cmd
}

func printReport(w io.Writer, report delivery.Report) {
	fmt.Fprintf(w, "To:       %s\n", report.Recipient)
	if report.Template != nil {
		printTrace(w, *report.Template)
	}
	for _, attempt := range report.Attempts {
		fmt.Fprintf(w, "Aliyun:   answered after %d ms\n", attempt.Milliseconds)
	}
	fmt.Fprintf(w, "Outcome:  %s\n", report.State)
	if report.Receipt != nil {
		fmt.Fprintf(w, "Receipt:  EnvId %s, RequestId %s\n", report.Receipt.EnvID, report.Receipt.RequestID)
	}
}
