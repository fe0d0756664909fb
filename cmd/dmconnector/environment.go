package main

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dmconnector/internal/plaintext"
	"dmconnector/internal/words"
)

// secretFlag marks the flags whose value may also come from a file: flags are visible
// in the machine's process list.
const secretFlag = "secret"

// secret adds a flag for a secret.
func secret(flags *pflag.FlagSet, target *string, name, usage string) {
	flags.StringVar(target, name, "", usage)
	// The flag has just been defined, so that it cannot be missing.
	_ = flags.SetAnnotation(name, secretFlag, []string{"true"})
}

// environmentPrefix is the annotation of commands whose flags are environment variables
// too. Its value is the prefix of their names.
const environmentPrefix = "environment"

func withEnvironment(prefix string) map[string]string {
	return map[string]string{environmentPrefix: prefix}
}

// variableOf is the environment variable of a flag, such as DMCONNECTOR_LISTEN.
func variableOf(cmd *cobra.Command, flag *pflag.Flag) string {
	return cmd.Annotations[environmentPrefix] + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// fromEnvironment sets every flag that is not on the command line from its variable. A
// secret may also come from the file that the variable with _FILE appended names. From
// wherever it comes, a secret is one line. What is empty counts as not given, since
// compose files pass on what is not set.
func fromEnvironment(cmd *cobra.Command, _ []string) error {
	var failed error
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if failed == nil && flag.Name != "help" {
			failed = setFlag(cmd, flag)
		}
		// No shell replaces ~ in a variable, nor in --data=~/x.
		if path, ok := strings.CutPrefix(flag.Value.String(), "~/"); failed == nil && ok && isPath(flag) {
			home, err := os.UserHomeDir()
			failed = cmp.Or(err, flag.Value.Set(filepath.Join(home, path)))
		}
	})
	return failed
}

func setFlag(cmd *cobra.Command, flag *pflag.Flag) (err error) {
	name, isSecret := variableOf(cmd, flag), flag.Annotations[secretFlag] != nil
	origin, value, given := "--"+flag.Name, flag.Value.String(), flag.Changed && flag.Value.String() != ""
	switch {
	case given && !isSecret:
		return nil
	case !given && !isSecret && !isPath(flag) && os.Getenv(name+"_FILE") != "":
		return fmt.Errorf("%s_FILE: set %[1]s itself: it is not a secret, and does not come from a file", name)
	case !given:
		origin = "environment variable " + name
		if value, given, err = lookUp(name, isSecret); err != nil {
			return err
		}
		if given && os.Getenv(name) == "" {
			origin += "_FILE"
		}
	}
	if !given {
		err = flag.Value.Set(flag.DefValue)
		flag.Changed = false
		return err
	}
	if isSecret {
		if value, err = plaintext.Line(value); err != nil {
			err = fmt.Errorf("copy it again: %w", err)
		}
	}
	if err == nil {
		err = cmd.Flags().Set(flag.Name, value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	return nil
}

// isPath reports whether a flag's value is a path already.
func isPath(flag *pflag.Flag) bool {
	kind, _ := pflag.UnquoteUsage(flag)
	return kind == "file" || kind == "folder"
}

// lookUp returns a variable's value, or the content of the file that the variable with
// _FILE appended names. It reports false if neither is set.
func lookUp(name string, mayBeFile bool) (string, bool, error) {
	// A file of variables may have Windows line ends.
	value, path := strings.TrimSuffix(os.Getenv(name), "\r"), ""
	if mayBeFile {
		path = strings.TrimSuffix(os.Getenv(name+"_FILE"), "\r")
	}
	switch {
	case path == "":
		return value, value != "", nil
	case value != "":
		return "", false, fmt.Errorf("%s and %[1]s_FILE are set: use one of them", name)
	}
	data, err := plaintext.ReadFile(path, maxSecretFile)
	if err == nil && strings.TrimSpace(string(data)) == "" {
		err = fmt.Errorf("%s is empty", path)
	}
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("cannot read the file that it names: %w", failed.Err) // it may hold the secret itself
	}
	if err != nil {
		return "", false, fmt.Errorf("environment variable %s_FILE: %w", name, err)
	}
	return string(data), true, nil
}

// ourPrefix begins the names of the program's own variables.
const ourPrefix = "DMCONNECTOR_"

// kubernetesVariable matches what Kubernetes sets for Services whose name begins with
// dmconnector. Its DMCONNECTOR_PORT is a URL such as tcp://10.0.0.1:8080.
var kubernetesVariable = regexp.MustCompile(`^DMCONNECTOR_(.*_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)=|^DMCONNECTOR_(.*_)?PORT=(tcp|udp|sctp)://`)

// usualNames are what other programs call our variables.
var usualNames = map[string]string{
	"DATABASE": "STATE", "DATABASE_URL": "STATE", "DB": "STATE", "DB_URL": "STATE", "POSTGRES_URL": "STATE",
	"ADDR": "LISTEN", "ADDRESS": "LISTEN", "BIND": "LISTEN", "HOST": "LISTEN", "PORT": "LISTEN",
	"CONFIG": "CONNECTORS", "CONFIG_FILE": "CONNECTORS", "TLS_CRT": "TLS_CERT", "VERBOSITY": "LOG_LEVEL",
	"TOKEN": "SEND_TOKEN", "API_KEY": "SEND_TOKEN", "API_TOKEN": "SEND_TOKEN", "ENCRYPTION_KEY": "SECRET_KEY",
}

// An unknownVariable looks like one of ours and has no effect.
type unknownVariable struct {
	name string
	near string // the one that was probably meant, or ""
}

// unknownVariables are those of the environment that no command of root reads. Values
// may be secrets: they are never shown.
func unknownVariables(root *cobra.Command, environment []string) []unknownVariable {
	known := append(readVariables(root), keyVariable, keyVariable+"_FILE")
	var unknown []unknownVariable
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		ours := strings.HasPrefix(name, ourPrefix) && value != ""
		if ours && !slices.Contains(known, name) && !kubernetesVariable.MatchString(entry) {
			unknown = append(unknown, unknownVariable{name, nearVariable(name, known)})
		}
	}
	return unknown
}

// readVariables are the names of the variables that cmd and the commands below it read.
func readVariables(cmd *cobra.Command) []string {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, readVariables(sub)...)
	}
	if cmd.Annotations[environmentPrefix] == "" {
		return names
	}
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		names = append(names, variableOf(cmd, flag))
		if flag.Annotations[secretFlag] != nil {
			names = append(names, variableOf(cmd, flag)+"_FILE")
		}
	})
	return names
}

// nearVariable returns the known variable that was probably meant, or "".
func nearVariable(name string, known []string) string {
	name = strings.TrimPrefix(name, ourPrefix)
	if usual := usualNames[name]; usual != "" {
		return ourPrefix + usual
	}
	var begins string
	short := make([]string, len(known))
	for i, variable := range known {
		short[i] = strings.TrimPrefix(variable, ourPrefix)
		if strings.HasPrefix(name, short[i]+"_") && len(short[i]) > len(begins) {
			begins = short[i] // TLS_CERT of TLS_CERT_FILE, LISTEN of LISTEN_ADDRESS
		}
	}
	near := cmp.Or(words.Nearest(name, short), begins)
	if near == "" {
		return ""
	}
	return ourPrefix + near
}

// warnOfVariables warns of variables that are probably misspelt. Connector files may
// refer to others.
func warnOfVariables(cmd *cobra.Command) {
	log := newLog(cmd.ErrOrStderr())
	for _, v := range unknownVariables(cmd.Root(), os.Environ()) {
		if v.near != "" {
			v.warn(log)
		}
	}
}

func (v unknownVariable) warn(log *slog.Logger) {
	if v.near == "" {
		log.Warn("unknown environment variable has no effect", "variable", v.name)
		return
	}
	log.Warn("unknown environment variable has no effect", "variable", v.name, "did_you_mean", v.near)
}

// environmentText has the environment variables without a flag: ours, and those of
// libraries that operators are likely to need.
//
//go:embed environment.txt
var environmentText string

// newEnvironment is a help topic, not a command.
func newEnvironment() *cobra.Command {
	return &cobra.Command{
		Use:   "environment",
		Short: "Environment variables without a flag",
		Long:  "The flags of serve and some other commands are environment variables too: see their\nhelp. These variables have no flag:\n\n" + environmentText,
	}
}
