package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// eachFlag calls do with each flag that is an environment variable too, of a fresh
// command.
func eachFlag(t *testing.T, do func(t *testing.T, cmd *cobra.Command, flag *pflag.Flag)) {
	t.Helper()
	for i, cmd := range commands(newRoot()) {
		if cmd.Annotations[environmentPrefix] == "" {
			continue
		}
		for _, flag := range flagsOf(cmd) {
			t.Run(cmd.Name()+" --"+flag.Name, func(t *testing.T) {
				fresh := commands(newRoot())[i]
				do(t, fresh, fresh.Flag(flag.Name))
			})
		}
	}
}

func TestEmptyIsUnset(t *testing.T) {
	eachFlag(t, func(t *testing.T, cmd *cobra.Command, flag *pflag.Flag) {
		variable := variableOf(cmd, flag)
		t.Setenv(variable, "")
		t.Setenv(variable+"_FILE", "")
		if err := cmd.ParseFlags([]string{"--" + flag.Name + "="}); err != nil {
			t.Fatal(err)
		}
		if err := fromEnvironment(cmd, nil); err != nil {
			t.Fatal(err)
		}
		if got := flag.Value.String(); got != flag.DefValue {
			t.Errorf("is %q, not its default %q", got, flag.DefValue)
		}
	})
}

// Each secret may come from a file, which then wins over an empty variable. For what is
// no secret, a variable that names a file says what to set.
func TestFilesAreForSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DMCONNECTOR_TEST_ALL", "") // which only tests know
	eachFlag(t, func(t *testing.T, cmd *cobra.Command, flag *pflag.Flag) {
		variable := variableOf(cmd, flag)
		t.Setenv(variable, "")
		t.Setenv(variable+"_FILE", path)
		err := fromEnvironment(cmd, nil)
		switch {
		case flag.Annotations[secretFlag] != nil:
			if err != nil || flag.Value.String() != "from-a-file" {
				t.Errorf("%q, %v", flag.Value, err)
			}
		case isPath(flag):
			unknown := unknownVariables(cmd.Root(), os.Environ())
			if err != nil || len(unknown) != 1 || unknown[0] != (unknownVariable{variable + "_FILE", variable}) {
				t.Errorf("%v, %v", unknown, err)
			}
		case err == nil || !strings.HasPrefix(err.Error(), variable+"_FILE: set "+variable+" itself"):
			t.Error(err)
		}
	})
}

func TestUnknownVariables(t *testing.T) {
	for _, tt := range []struct{ entry, near string }{
		{"DMCONNECTOR_ADMIN_TOKENS=x", "DMCONNECTOR_ADMIN_TOKEN"},
		{"DMCONNECTOR_SEND_TOKENS=x", "DMCONNECTOR_SEND_TOKEN"},
		{"DMCONNECTOR_SEND_TOKEN_FILES=x", "DMCONNECTOR_SEND_TOKEN_FILE"},
		{"DMCONNECTOR_DATABASE_URL=x", "DMCONNECTOR_STATE"},
		{"DMCONNECTOR_STATE_URL=x", "DMCONNECTOR_STATE"},
		{"DMCONNECTOR_TLS_CERT_FILE=x", "DMCONNECTOR_TLS_CERT"},
		{"DMCONNECTOR_LOGLEVEL=x", "DMCONNECTOR_LOG_LEVEL"},
		{"DMCONNECTOR_CONNECTOR=x", "DMCONNECTOR_CONNECTORS"},
		{"DMCONNECTOR_SECRETKEY=x", "DMCONNECTOR_SECRET_KEY"},
		{"DMCONNECTOR_SANDBOX_LISTEN_ADDRESS=x", "DMCONNECTOR_SANDBOX_LISTEN"},
		{"DMCONNECTOR_PORT=8080", "DMCONNECTOR_LISTEN"},
		{"DMCONNECTOR_FAVOURITE_COLOUR=x", ""},
	} {
		name, _, _ := strings.Cut(tt.entry, "=")
		unknown := unknownVariables(newRoot(), []string{tt.entry})
		if len(unknown) != 1 || unknown[0] != (unknownVariable{name, tt.near}) {
			t.Errorf("%s: %v, want %q", tt.entry, unknown, tt.near)
		}
	}
	for _, entry := range []string{
		"DMCONNECTOR_LISTEN=x", "DMCONNECTOR_STATE_FILE=x", "DMCONNECTOR_SECRET_KEY=x", "DMCONNECTOR_SECRET_KEY_FILE=x",
		"DMCONNECTOR_SANDBOX_TOKEN_FILE=x", "DMCONNECTOR_TO=x", "DMCONNECTOR_TIMEOUT=x", "DMCONNECTOR_WHATEVER=", "DMCONNECTOR", "LISTEN=x",
		"DMCONNECTOR_SERVICE_HOST=10.0.0.1", "DMCONNECTOR_SERVICE_PORT=8080", "DMCONNECTOR_SERVICE_PORT_HTTP=8080", "DMCONNECTOR_PORT=tcp://10.0.0.1:8080",
		"DMCONNECTOR_PORT_8080_TCP=tcp://10.0.0.1:8080", "DMCONNECTOR_PORT_8080_TCP_PROTO=tcp", "DMCONNECTOR_PORT_8080_TCP_PORT=8080",
		"DMCONNECTOR_PORT_8080_TCP_ADDR=10.0.0.1", "DMCONNECTOR_ADMIN_SERVICE_HOST=10.0.0.1", "DMCONNECTOR_ADMIN_PORT_8081_TCP_ADDR=10.0.0.1",
	} {
		if unknown := unknownVariables(newRoot(), []string{entry}); unknown != nil {
			t.Errorf("%s: %v", entry, unknown)
		}
	}
}
