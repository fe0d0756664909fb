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

// environmentPrefix marks, among a command's annotations, that its own flags are
// environment variables too, and says what these begin with.
const environmentPrefix = "environment"

func withEnvironment(prefix string) map[string]string {
	return map[string]string{environmentPrefix: prefix}
}

// variableOf is the environment variable of a flag, such as DMCONNECTOR_LISTEN.
func variableOf(cmd *cobra.Command, flag *pflag.Flag) string {
	return cmd.Annotations[environmentPrefix] + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// fromEnvironment gives every flag that was not set on the command line the value
// of its variable; secrets also from the file that the variable with _FILE behind
// it names.
func fromEnvironment(cmd *cobra.Command, _ []string) error {
	var failed error
	cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed || flag.Name == "help" || failed != nil {
			return
		}
		name := variableOf(cmd, flag)
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

// variables are the environment variables that are no flags: ours, and those of the
// libraries that operators are likely to need.
var variables = []struct{ name, meaning string }{
	{keyVariable, "The key that seals secrets in the state: base64 of 32 bytes. Needed with PostgreSQL; otherwise the key is in a file in --data. Several keys, separated by commas, while the key is changed: the first seals, all open."},
	{keyVariable + "_FILE", "A file that has this key."},
	{"ALIBABA_CLOUD_ECS_METADATA", "The default of roleName in a connector's credentials."},
	{"ALIBABA_CLOUD_ECS_METADATA_DISABLED", "With true, no connector may send as the role of the ECS instance."},
	{"ALIBABA_CLOUD_ROLE_ARN", "The default of roleArn in a connector's credentials."},
	{"ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "The default of oidcProviderArn in a connector's credentials."},
	{"ALIBABA_CLOUD_OIDC_TOKEN_FILE", "The default of oidcTokenFile in a connector's credentials."},
	{"ALIBABA_CLOUD_ROLE_SESSION_NAME", "The default of sessionName in a connector's credentials."},
	{"ALIBABA_CLOUD_STS_REGION", "The region whose STS is asked for a role's keys, if stsEndpoint names none."},
	{"ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "With true, the STS of ALIBABA_CLOUD_STS_REGION is asked inside the VPC."},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "The OpenTelemetry collector that traces go to, by OTLP over HTTP, such as http://localhost:4318. Without it there are none. OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OpenTelemetry's other variables work as well."},
	{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "The same as the whole address that traces are posted to, with its path."},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "Nothing but http/protobuf, which is what is spoken without it, too. With anything else traces are off."},
	{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "The same for traces; it comes before OTEL_EXPORTER_OTLP_PROTOCOL."},
	{"OTEL_EXPORTER_OTLP_HEADERS", "Headers for the collector, such as its token: name=value, separated by commas, with % escapes."},
	{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "The same for traces; it comes before OTEL_EXPORTER_OTLP_HEADERS."},
	{"OTEL_SDK_DISABLED", "With true, there are no traces."},
	{"OTEL_TRACES_EXPORTER", "With none, there are no traces."},
	{"HTTPS_PROXY", "The proxy for calls of Aliyun. The ECS instance's metadata service is never asked through it."},
	{"NO_PROXY", "The hosts that are called without a proxy."},
	{"SSL_CERT_FILE", "A file of certificate authorities (PEM) to trust, in place of the system's file."},
	{"PGPASSWORD", "The password for PostgreSQL, if the address of the state has none. PGSSLMODE, PGSSLROOTCERT and the other variables of PostgreSQL's own programs complete the address likewise."},
	{"LISTEN_FDS", "With 1, serve takes the socket that systemd hands over, and --listen has no effect."},
	{"LISTEN_PID", "The process that the socket of LISTEN_FDS is for; set by systemd, too."},
	{"GOGC", "How much memory serve may take before Go reclaims some: 200 unless it is set. Smaller is less memory and more CPU."},
	{"GOMEMLIMIT", "The memory, such as 100MiB, near which Go reclaims more eagerly. It is no hard limit."},
	{"BROWSER", "The program that preview --open starts."},
}

// newEnvironment is a topic of help, no command.
func newEnvironment() *cobra.Command {
	var list strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&list, "\n\n%s\n    %s", v.name, v.meaning)
	}
	return &cobra.Command{
		Use:   "environment",
		Short: "Environment variables that are no flags",
		Long:  "The help of serve and of other commands says which flags are environment variables too.\nThese are no flags:" + list.String(),
	}
}
