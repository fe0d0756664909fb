package main

import (
	"context"
	_ "embed"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// exampleConnector is what serve --sandbox has when it is given no connectors.
//
//go:embed example.json
var exampleConnector []byte

type serveOptions struct {
	listen, connectors, state, data string
	retention                       time.Duration
	sandbox                         bool
	sandboxListen                   string
	sendTokens, adminTokens         string
	allowEndpoints                  []string
	tlsCert, tlsKey                 string
	logLevel                        string
	accessLog                       bool
}

func newServe() *cobra.Command {
	var opts serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `serve runs the service: it takes send-code requests at POST /api/send, and admins'
requests at /api.

Every flag is also an environment variable, DMCONNECTOR_<FLAG> (--send-token is
DMCONNECTOR_SEND_TOKEN); the tokens and the state also as DMCONNECTOR_<FLAG>_FILE. A
token given as a flag is visible in the list of processes: better use one of the
others. The key that seals secrets at rest comes from DMCONNECTOR_SECRET_KEY or
DMCONNECTOR_SECRET_KEY_FILE, else from a file in --data that the first start makes.

Traces go to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names
(OTLP over HTTP), if it is set.

SIGHUP has the connectors' files read again; changes are also noticed without.
SIGUSR1 switches the log between the level debug and the one of --log-level.`,
		Example: `  dmconnector serve --sandbox
  dmconnector serve --connectors connector.json --listen 0.0.0.0:8080
  dmconnector serve --state postgres://dmconnector@db/dmconnector`,
		Args:        cobra.NoArgs,
		Annotations: withEnvironment("DMCONNECTOR_"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// With a heap of a few MB Go's standard would collect garbage all the
			// time: this trades a few MB of memory for CPU.
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(200)
			}
			return serve(cmd.Context(), opts, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	flags.StringVar(&opts.connectors, "connectors", "", "connector JSON `file`, or a folder of them (a file's name without .json is the connector's id; a single file is \"default\")")
	secret(flags, &opts.state, "state", "`address` of the state: sqlite:<path>, postgres://… for several replicas, or memory (default: state.db in --data)")
	flags.StringVar(&opts.data, "data", "./data", "`folder` for state, keys and tokens")
	flags.DurationVar(&opts.retention, "retention", 30*24*time.Hour, "`duration` for which messages are remembered, 24h at least")
	flags.BoolVar(&opts.sandbox, "sandbox", false, "run the simulated Direct Mail inside and send there; without --connectors there is an example connector, and without --data and --state everything is in memory")
	flags.StringVar(&opts.sandboxListen, "sandbox-listen", "127.0.0.1:8025", "`address` that the sandbox of --sandbox listens on")
	secret(flags, &opts.sendTokens, "send-token", "callers' `tokens` for sending, comma-separated (default: made at the first start, in --data)")
	secret(flags, &opts.adminTokens, "admin-token", "callers' `tokens` for administration, comma-separated (default: made at the first start, in --data)")
	flags.StringSliceVar(&opts.allowEndpoints, "allow-endpoint", nil, "`hosts` that a connector's endpoint may name besides aliyuncs.com and loopback")
	flags.StringVar(&opts.tlsCert, "tls-cert", "", "`file` (PEM) with the certificate for HTTPS; read again when it changes")
	flags.StringVar(&opts.tlsKey, "tls-key", "", "`file` (PEM) with the key of --tls-cert")
	flags.StringVar(&opts.logLevel, "log-level", "info", "least `level` of what is logged: debug, info, warn or error")
	flags.BoolVar(&opts.accessLog, "access-log", false, "log each request, a line each")
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if err := fromEnvironment(cmd, args); err != nil {
			return err
		}
		// A try leaves nothing behind.
		if opts.sandbox && !flags.Changed("data") && !flags.Changed("state") {
			opts.data, opts.state = "", "memory"
		}
		return nil
	}
	return cmd
}

const leastRetention = 24 * time.Hour

func serve(ctx context.Context, opts serveOptions, stdout, stderr io.Writer) error {
	started, err := parseLevel(opts.logLevel)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(started)
	log := newLeveledLog(stderr, level)
	if opts.retention < leastRetention {
		log.Warn("--retention is too short: messages are remembered for a day, as long as Idempotency-Keys", "retention", opts.retention.String())
		opts.retention = leastRetention
	}
	s := &service{opts: opts, log: log, level: level, started: started}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	// The start leaves much behind, by which the collector would measure what a
	// service may take. What is pooled goes the second time.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	s.banner().writeTo(stdout)
	log.Info("listening", "address", s.listener.Addr().String(), "connectors", len(s.registry.Connectors()), "state", string(s.state.Kind()), "version", version())
	return s.run(ctx)
}
