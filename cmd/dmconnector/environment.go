package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dmconnector/internal/plaintext"
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
// wherever it comes, a secret is one line.
func fromEnvironment(cmd *cobra.Command, _ []string) error {
	var failed error
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Name == "help" || failed != nil {
			return
		}
		isSecret := flag.Annotations[secretFlag] != nil
		origin, value, given := "--"+flag.Name, flag.Value.String(), flag.Changed
		var err error
		if !given {
			origin = "environment variable " + variableOf(cmd, flag)
			value, given, err = lookUp(variableOf(cmd, flag), isSecret)
		}
		if err == nil && given && isSecret && value != "" {
			if value, err = plaintext.Line(value); err != nil {
				err = fmt.Errorf("copy it again: %w", err)
			}
		}
		if err == nil && given && (isSecret || !flag.Changed) {
			err = cmd.Flags().Set(flag.Name, value)
		}
		if err != nil {
			failed = fmt.Errorf("%s: %w", origin, err)
		}
	})
	return failed
}

func lookUp(name string, mayBeFile bool) (string, bool, error) {
	value, ok := os.LookupEnv(name)
	path, isFile := os.LookupEnv(name + "_FILE")
	switch {
	case !mayBeFile || !isFile:
		return strings.TrimSuffix(value, "\r"), ok, nil // of a Windows line end in a file of variables
	case ok:
		return "", false, fmt.Errorf("%s_FILE is set as well: use one of them", name)
	}
	data, err := plaintext.ReadFile(path, maxSecretFile)
	if err == nil && len(data) == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	return string(data), true, err
}

// variables are the environment variables without a flag: ours, and those of libraries
// that operators are likely to need.
var variables = []struct{ name, meaning string }{
	{keyVariable, "Key that seals secrets in the state: base64 of 32 bytes. Required with PostgreSQL; SQLite otherwise uses a file in --data. Of several comma-separated keys the first seals, all open."},
	{keyVariable + "_FILE", "File with this key."},
	{"ALIBABA_CLOUD_ECS_METADATA", "Default of roleName in a connector's credentials."},
	{"ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true: no connector may use the role of the ECS instance."},
	{"ALIBABA_CLOUD_ROLE_ARN", "Default of roleArn in a connector's credentials."},
	{"ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "Default of oidcProviderArn in a connector's credentials."},
	{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", "Default of oidcTokenFile in a connector's credentials."},
	{"ALIBABA_CLOUD_ROLE_SESSION_NAME", "Default of sessionName in a connector's credentials."},
	{"ALIBABA_CLOUD_STS_REGION", "Region whose STS issues a role's keys, unless stsEndpoint is set."},
	{"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true: use the VPC endpoint of that STS."},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "OpenTelemetry collector for traces (OTLP over HTTP), such as http://localhost:4318. If unset, traces are off. OpenTelemetry's other variables work too."},
	{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "Full URL for traces instead, with its path."},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "Only http/protobuf (the default) is supported; any other value disables traces."},
	{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "The same for traces; overrides OTEL_EXPORTER_OTLP_PROTOCOL."},
	{"OTEL_EXPORTER_OTLP_HEADERS", "Headers for the collector, such as a token: name=value, comma-separated, percent-encoded."},
	{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "The same for traces; overrides OTEL_EXPORTER_OTLP_HEADERS."},
	{"OTEL_SDK_DISABLED", "true: traces are off."},
	{"OTEL_TRACES_EXPORTER", "none: traces are off."},
	{"HTTPS_PROXY", "Proxy for calls to Aliyun. The ECS metadata service is always called directly."},
	{"NO_PROXY", "Hosts called without a proxy."},
	{"SSL_CERT_FILE", "PEM file of trusted certificate authorities, instead of the system's."},
	{"PGPASSWORD", "PostgreSQL password, if the address of the state has none. PGSSLMODE, PGSSLROOTCERT and libpq's other variables complete the address too."},
	{"LISTEN_FDS", "1: serve uses the socket passed by systemd and ignores --listen. It still opens --admin-listen itself."},
	{"LISTEN_PID", "Process that the socket of LISTEN_FDS is for; set by systemd."},
	{"GOGC", "Go's garbage collection target, 200 by default in serve. Smaller values need less memory and more CPU."},
	{"GOMEMLIMIT", "Soft memory limit such as 100MiB, near which Go collects garbage more often. serve sets it to 0.8 of its cgroup's limit: the container's, or MemoryMax of systemd."},
	{"AUTOMEMLIMIT", "Another ratio than that 0.8, or off."},
	{"BROWSER", "Program that preview --open starts."},
}

// newEnvironment is a help topic, not a command.
func newEnvironment() *cobra.Command {
	var list strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&list, "\n\n%s\n    %s", v.name, v.meaning)
	}
	return &cobra.Command{
		Use:   "environment",
		Short: "Environment variables without a flag",
		Long:  "The flags of serve and some other commands are environment variables too: see their\nhelp. These variables have no flag:" + list.String(),
	}
}
