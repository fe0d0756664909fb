package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dmconnector/connector"
	"dmconnector/internal/logto"
	"dmconnector/internal/parity"
)

// maxExport keeps a wrong path from filling the memory.
const maxExport = 64 << 20

type importFlags struct {
	emailTemplates   string
	fallbackLanguage string
	languages        []string
	templates        string
	escape           string
	against          string
	format           string
	out              string
}

func newImport() *cobra.Command {
	var flags importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Move from Logto's own Aliyun Direct Mail connector",
		Long: `import takes the config of Logto's own Aliyun Direct Mail connector, bare or as
GET /api/connectors answers it, and what GET /api/email-templates answers. For the
requests that were recorded from a real Logto, of every usage type and in every
language, it composes the mail as Logto would and as a connector here would, and
shows each difference with its reason. It sends nothing.

It ends with status 1 if a reader would see a difference.`,
		Example: `  dmconnector import logto-connector.json --email-templates email-templates.json
  dmconnector import logto-connector.json --out connector.json
  dmconnector import logto-connector.json --against connector.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return flags.run(cmd, args[0]) },
	}
	flag := cmd.Flags()
	flag.StringVar(&flags.emailTemplates, "email-templates", "", "`file` with Logto's email templates")
	flag.StringVar(&flags.fallbackLanguage, "fallback-language", logto.DefaultFallbackLanguage, "the `tag` of the sign-in experience's default language")
	flag.StringSliceVar(&flags.languages, "languages", nil, "language `tags` to look at, comma-separated (default: those of Logto's sign-in page and of the templates)")
	flag.StringVar(&flags.templates, "templates", "folded", "`where` the email templates go: folded, they become the connector's own; shared, they are to go to /api/email-templates")
	flag.StringVar(&flags.escape, "escape", "", "`how` values go into HTML: html escapes them, none leaves them as they are, as Logto does (default: html)")
	flag.StringVar(&flags.against, "against", "", "compare with this connector's `file` instead of the one that import makes")
	flag.StringVar(&flags.format, "format", "text", "`format` of the output: text or json")
	flag.StringVar(&flags.out, "out", "", "write the connector to a new `file` for its owner alone; - prints it with the secret masked instead of the report")
	return cmd
}

func (f *importFlags) run(cmd *cobra.Command, path string) error {
	if err := f.check(); err != nil {
		return err
	}
	from, ignored, err := f.read(path)
	if err != nil {
		return err
	}
	draft := parity.NewDraft(from, parity.DraftOptions{Shared: f.templates == "shared", Escape: f.escape})
	warn := cmd.ErrOrStderr()
	for _, pointer := range ignored {
		fmt.Fprintf(warn, "%s: warning: %s: has no meaning for Logto's connector and is left out\n", path, pointer)
	}
	for _, what := range draft.LeftOut() {
		fmt.Fprintf(warn, "%s: warning: %s; it is left out\n", f.emailTemplates, what)
	}
	here, err := f.here(cmd, path, draft)
	if err != nil {
		return err
	}
	results := (&parity.Comparison{Logto: from, Here: here, Languages: f.tags(from)}).Run()
	if err := f.report(cmd.OutOrStdout(), from, results); err != nil {
		return err
	}
	if err := f.write(cmd.OutOrStdout(), draft); err != nil {
		return err
	}
	for _, r := range results {
		if r.Outcome == parity.Differs {
			return errReported
		}
	}
	return nil
}

func (f *importFlags) check() error {
	switch {
	case f.templates != "folded" && f.templates != "shared":
		return fmt.Errorf("--templates %q is not folded or shared", f.templates)
	case f.escape != "" && f.escape != "html" && f.escape != "none":
		return fmt.Errorf("--escape %q is not html or none", f.escape)
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %q is not text or json", f.format)
	case f.against != "" && f.out != "":
		return errors.New("--out writes the connector that import makes, and --against compares with another one: use one of them")
	}
	return nil
}

// read reads what Logto has.
func (f *importFlags) read(path string) (*logto.Connector, []string, error) {
	data, err := readLimited(path, maxExport)
	if err != nil {
		return nil, nil, err
	}
	from := &logto.Connector{FallbackLanguage: f.fallbackLanguage}
	var ignored []string
	if from.Config, ignored, err = logto.ReadConfig(data); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.emailTemplates == "" {
		return from, ignored, nil
	}
	if data, err = readLimited(f.emailTemplates, maxExport); err != nil {
		return nil, nil, err
	}
	if from.EmailTemplates, err = logto.ReadEmailTemplates(data); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.emailTemplates, err)
	}
	return from, ignored, nil
}

// here is the connector that Logto's is held against.
func (f *importFlags) here(cmd *cobra.Command, path string, draft *parity.Draft) (*connector.Connector, error) {
	if f.against != "" {
		cfg, err := readValid(cmd, f.against, nil)
		if err != nil {
			return nil, err
		}
		return connector.New(cfg, draft.Shared()...), nil
	}
	here, ofConfig, ofEmailTemplates := draft.Connector()
	files := []connectorFile{{Path: path, Report: ofConfig}, {Path: f.emailTemplates, Report: ofEmailTemplates}}
	for _, file := range files {
		for _, p := range file.Report.Warnings {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: warning: %s\n", file.Path, p)
		}
	}
	return here, brokenConnectors(files)
}

func (f *importFlags) tags(from *logto.Connector) []string {
	if len(f.languages) > 0 {
		return f.languages
	}
	return parity.Languages(from)
}

func (f *importFlags) report(w io.Writer, from *logto.Connector, results []parity.Result) error {
	switch {
	case f.out == "-":
		return nil
	case f.format == "json":
		return printJSON(w, map[string]any{
			"fallbackLanguage": from.FallbackLanguage, "results": results, "summary": parity.Summarize(results),
		})
	}
	var text bytes.Buffer
	(&parityReport{&text, f.tags(from)}).all(from, results)
	_, err := w.Write(text.Bytes())
	return err
}

// write writes the connector where --out says. A terminal, and whatever stands
// behind standard output, never gets the secret.
func (f *importFlags) write(w io.Writer, draft *parity.Draft) error {
	switch f.out {
	case "":
		return nil
	case "-":
		masked := *draft
		if !strings.HasPrefix(masked.AccessKeySecret, "${") {
			masked.AccessKeySecret = "***"
		}
		return printJSON(w, &masked)
	}
	file, err := os.OpenFile(f.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(printJSON(file, draft), file.Close())
}
