package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dmconnector/connector"
	"dmconnector/internal/migrate"
	"dmconnector/internal/plaintext"
)

type importFlags struct {
	emailTemplates, fallbackLanguage string
	languages                        []string
	templates, escape, against       string
	format, out                      string
	allow                            []string
}

func newImport() *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Move from Logto's own Aliyun Direct Mail connector",
		Long: `import reads the config of Logto's own Aliyun Direct Mail connector, bare or in the
answer of GET /api/connectors, and the answer of GET /api/email-templates. It
composes mails for requests recorded from a real Logto, for every usage type and
language, the way Logto does and the way a connector here does. It reports each
difference with its reason, and sends nothing.

The exit status is 1 if a recipient would see a difference.`,
		Example: `  dmconnector import logto-connector.json --email-templates email-templates.json
  dmconnector import logto-connector.json --out connector.json
  dmconnector import logto-connector.json --against connector.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd, args[0]) },
	}
	flag := cmd.Flags()
	flag.StringVar(&flags.emailTemplates, "email-templates", "", "`file` with Logto's email templates")
	languageVar(flag, &flags.fallbackLanguage, "fallback-language", "en", "`tag` of the sign-in experience's default language")
	listVar(flag, &flags.languages, "languages", "comma-separated language `tags` to compare (default: those of Logto's sign-in page and of the templates)", languageTag)
	wordVar(flag, &flags.templates, "templates", "folded", "`where` the email templates go: folded into the connector, or shared (left to /api/email-templates)", "folded", "shared")
	wordVar(flag, &flags.escape, "escape", "", "`how` values go into HTML: html (escaped, the default) or none (unescaped, as in Logto)", "html", "none")
	flag.StringVar(&flags.against, "against", "", "compare with the connector in this `file` instead of the imported one")
	formatVar(flag, &flags.format)
	endpointsVar(flag, &flags.allow, "")
	flag.StringVar(&flags.out, "out", "", "write the connector to a new `file` with mode 0600; - prints it with the secret masked instead of the report")
	return cmd
}

func (f *importFlags) run(cmd *cobra.Command, path string) error {
	if f.against != "" && f.out != "" {
		return errors.New("use --against or --out, not both: --out writes the connector that import makes, --against compares with another one")
	}
	logto := &migrate.Logto{FallbackLanguage: f.fallbackLanguage}
	for _, export := range []struct {
		path string
		read func([]byte) error
	}{{path, logto.ReadConfig}, {f.emailTemplates, logto.ReadEmailTemplates}} {
		if export.path == "" {
			continue
		}
		data, err := plaintext.ReadFile(export.path, 64<<20)
		if err != nil {
			return err
		}
		if err := export.read(data); err != nil {
			return fmt.Errorf("%s: %w", export.path, err)
		}
	}
	draft := migrate.NewDraft(logto, f.templates == "shared", f.escape)
	here, warnings, err := draft.Connector(path, f.emailTemplates)
	if f.against != "" {
		var cfg *connector.Config
		if cfg, err = readValid(cmd, f.against, f.allow); err == nil {
			here, warnings = connector.New(cfg, draft.Shared...), nil
		}
	}
	for _, warning := range warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), warning)
	}
	if err != nil {
		return err
	}
	if len(f.languages) == 0 {
		f.languages = migrate.Languages(logto)
	}
	results := migrate.Compare(logto, here, f.languages)
	if err := f.write(cmd.OutOrStdout(), logto, draft, results); err != nil {
		return err
	}
	if slices.ContainsFunc(results, func(r migrate.Result) bool { return len(r.Differences) > 0 }) {
		return errReported
	}
	return nil
}

// write writes the report or connector. Standard output never gets the secret.
func (f *importFlags) write(w io.Writer, logto *migrate.Logto, draft *migrate.Draft, results []migrate.Result) error {
	var err error
	switch {
	case f.out == "-":
		masked := *draft
		if !strings.HasPrefix(masked.AccessKeySecret, "${") {
			masked.AccessKeySecret = "***"
		}
		return printJSON(w, &masked)
	case f.format == "json":
		err = printJSON(w, map[string]any{"fallbackLanguage": f.fallbackLanguage, "results": results})
	default:
		_, err = io.WriteString(w, migrate.Report(logto, f.languages, results))
	}
	if err != nil || f.out == "" {
		return err
	}
	file, err := os.OpenFile(f.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(printJSON(file, draft), file.Close())
}
