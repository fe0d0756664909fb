package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// secretFlag marks the flags whose value may also come from a file: a flag's
// value is visible to everybody who lists the machine's processes.
const secretFlag = "secret"

// secret adds a flag for a secret.
func secret(flags *pflag.FlagSet, target *string, name, usage string) {
	flags.StringVar(target, name, "", usage)
	// The flag has just been defined, so that it cannot be missing.
	_ = flags.SetAnnotation(name, secretFlag, []string{"true"})
}

// fromEnvironment gives every flag that was not set on the command line the
// value of prefix + its name in capitals, such as DMCONNECTOR_LISTEN; secrets
// also from the file that the variable with _FILE behind it names.
func fromEnvironment(prefix string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		var failed error
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Changed || flag.Name == "help" || failed != nil {
				return
			}
			name := prefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
			value, ok, err := lookUp(name, flag.Annotations[secretFlag] != nil)
			if err == nil && ok {
				err = cmd.Flags().Set(flag.Name, value)
			}
			if err != nil {
				failed = fmt.Errorf("environment variable %s: %w", name, err)
			}
		})
		return failed
	}
}

func lookUp(name string, mayBeFile bool) (string, bool, error) {
	value, ok := os.LookupEnv(name)
	path, isFile := os.LookupEnv(name + "_FILE")
	switch {
	case !mayBeFile || !isFile:
		return value, ok, nil
	case ok:
		return "", false, fmt.Errorf("%s_FILE is set as well: use one of them", name)
	}
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), true, err
}
