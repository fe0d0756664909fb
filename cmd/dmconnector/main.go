// Command dmconnector sends verification mail for Logto, or for any backend
// that speaks Logto's email contract, through Aliyun Direct Mail.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
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
		fmt.Fprintln(os.Stderr, "dmconnector:", err)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		os.Exit(2)
	}
	os.Exit(1)
}

// errReported ends the program with status 1 and no further output.
var errReported = errors.New("reported")

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
