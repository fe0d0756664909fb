package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/registry"
)

func newPreview() *cobra.Command {
	var (
		flags  messageFlags
		open   bool
		format string
	)
	cmd := &cobra.Command{
		Use:   "preview FILE",
		Short: "Show the mail that a connector would send",
		Long: `preview shows the mail that a connector would send for a usage type, a language and a
payload, and why this template was chosen. It sends nothing.`,
		Example: `  dmconnector preview connector.json --type SignIn --locale zh-CN
  dmconnector preview connector.json --type OrganizationInvitation --payload '{"inviter":null}' --open`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			composer, message, err := flags.read(cmd, args[0])
			if err != nil {
				return err
			}
			mail, trace, err := composer.Compose(message)
			if err != nil {
				return err
			}
			switch {
			case open:
				return openMail(cmd, mail)
			case format == "json":
				return printJSON(cmd.OutOrStdout(), previewed{mail.Subject, mail.HTMLBody, mail.TextBody, mail.FromAlias, mail.ReplyAddress, trace})
			default:
				printMail(cmd.OutOrStdout(), mail, trace)
				return nil
			}
		},
	}
	flags.register(cmd.Flags())
	boolVar(cmd.Flags(), &open, "open", "write the body to an HTML file and open it in a browser")
	formatVar(cmd.Flags(), &format)
	return cmd
}

// previewed is a preview for programs.
type previewed struct {
	Subject      string          `json:"subject"`
	HTML         string          `json:"html,omitempty"`
	Text         string          `json:"text,omitempty"`
	FromAlias    string          `json:"fromAlias,omitempty"`
	ReplyAddress string          `json:"replyAddress,omitempty"`
	Trace        connector.Trace `json:"trace"`
}

// readValid reads a connector without errors. Its warnings go to standard error.
func readValid(cmd *cobra.Command, path string, allow []string) (*connector.Config, error) {
	file, err := registry.ReadFile(path, connector.ParseOptions{AllowedEndpoints: allow}, resolve)
	if err != nil {
		return nil, err
	}
	for _, p := range file.Report.Warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", path, p)
	}
	return file.Config, registry.Errors([]registry.File{file})
}

func printMail(w io.Writer, mail *aliyundm.Mail, trace connector.Trace) {
	fmt.Fprintf(w, "From:     %s\n", strings.TrimSpace(mail.FromAlias+" <"+mail.AccountName+">"))
	if mail.ReplyAddress != "" {
		fmt.Fprintf(w, "Reply-To: %s\n", mail.ReplyAddress)
	}
	fmt.Fprintf(w, "Subject:  %s\n", mail.Subject)
	printTrace(w, trace)
	for _, body := range []struct{ kind, content string }{{"HTML", mail.HTMLBody}, {"text", mail.TextBody}} {
		if body.content != "" {
			fmt.Fprintf(w, "\n--- %s ---\n%s\n", body.kind, strings.TrimRight(body.content, "\n"))
		}
	}
}

func printTrace(w io.Writer, trace connector.Trace) {
	fmt.Fprintf(w, "Template: /templates/%d, %s\n", trace.Template, strings.TrimSpace(trace.UsageType+" "+trace.LanguageTag))
	for _, step := range trace.Choice {
		fmt.Fprintf(w, "Why:      %s\n", step)
	}
	if len(trace.Missing) > 0 {
		fmt.Fprintf(w, "Missing:  %s\n", strings.Join(trace.Missing, ", "))
	}
	for _, note := range trace.Notes {
		fmt.Fprintf(w, "Note:     %s\n", note)
	}
}

// openMail writes the body to a file and opens it in a browser. The file's name is
// useful even if no browser can be started.
func openMail(cmd *cobra.Command, mail *aliyundm.Mail) error {
	body, pattern := mail.HTMLBody, "dmconnector-*.html"
	if body == "" {
		body, pattern = mail.TextBody, "dmconnector-*.txt"
	}
	f, err := os.CreateTemp("", pattern)
	if err != nil {
		return err
	}
	_, err = f.WriteString(body)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), f.Name())
	if err := browser(cmd.Context(), f.Name()).Start(); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "cannot start a browser: %v\n", err)
	}
	return nil
}

// browser opens a file in the browser that BROWSER names, or in the system's.
func browser(ctx context.Context, path string) *exec.Cmd {
	ctx = context.WithoutCancel(ctx) // it outlives this program
	command := []string{"xdg-open"}
	switch named := os.Getenv("BROWSER"); {
	case named != "":
		command = []string{named}
	case runtime.GOOS == "darwin":
		command = []string{"open"}
	case runtime.GOOS == "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	return exec.CommandContext(ctx, command[0], append(command[1:], path)...) //nolint:gosec // the user's own browser, the program's own file
}
