// Command dmconnector sends verification mail for Logto, or for any backend
// that speaks Logto's email contract, through Aliyun Direct Mail.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	err := newRoot().ExecuteContext(ctx)
	if err == nil {
		return
	}
	// errReported: the command has already said what is wrong.
	if !errors.Is(err, errReported) {
		fmt.Fprintln(os.Stderr, "dmconnector:", textOf(err))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		os.Exit(2)
	}
	os.Exit(1)
}

// errReported ends the program with status 1 and no further output.
var errReported = errors.New("reported")

// textOf returns an error's text. A path that cannot be one is left out of it: it may be
// the content of a file, given in place of its path, such as a key.
func textOf(err error) string {
	failed, ok := errors.AsType[*fs.PathError](err)
	if !ok || !strings.ContainsAny(failed.Path, "\n{@") && !strings.Contains(failed.Path, "-----BEGIN") {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), failed.Path, "(give the path of a file, not its content)")
}

// noArguments is cobra.NoArgs without their text: one may be a piece of a secret that was
// not quoted.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments: put a value with blanks in quotation marks", cmd.CommandPath())
	}
	return nil
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "dmconnector",
		Short: "Send verification mail through Aliyun Direct Mail",
		Long: `dmconnector receives send requests from Logto, or from any backend that speaks its
email contract, and sends the mail through Aliyun Direct Mail.

Try it without an Aliyun account:  dmconnector serve --sandbox`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(suggestFlag)
	root.AddCommand(
		newServe(), newValidate(), newPreview(), newSendTest(), newDoctor(), newImport(),
		newSandbox(), newTemplates(), newSchema(), newToken(), newState(), newVersion(),
		newHealthcheck(), newEnvironment(),
	)
	return root
}
