package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// exampleConnector is the connector of serve --sandbox without --connectors.
//
//go:embed example.json
var exampleConnector []byte

type serveOptions struct {
	listen, adminListen     string
	connectors, state, data string
	retention               time.Duration
	sandbox                 bool
	sandboxListen           string
	sendTokens, adminTokens string
	allowEndpoints          []string
	tlsCert, tlsKey         string
	maxConnections          int
	logLevel                slog.Level
	logFormat               string
	accessLog               bool
	unknownVariables        []unknownVariable
}

func newServe() *cobra.Command {
	var opts serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `serve runs the service: send requests go to POST /api/send, the admin API is below
/api, and the console is at /.

Every flag can also be set by an environment variable, DMCONNECTOR_<FLAG>
(--send-token: DMCONNECTOR_SEND_TOKEN). An empty one counts as not set. For the tokens
and the state, a variable with _FILE appended names a file. Prefer variables and files
for secrets: flags are visible in the process list. The key that seals secrets in the
state comes from DMCONNECTOR_SECRET_KEY or DMCONNECTOR_SECRET_KEY_FILE; with SQLite,
the first start otherwise creates it in --data.

If OTEL_EXPORTER_OTLP_ENDPOINT is set, traces go to that OpenTelemetry collector (OTLP
over HTTP).

SIGHUP reloads connector files at once; the service also notices changes itself, within
2 s. SIGUSR1 switches the log level between debug and --log-level.`,
		Example: `  dmconnector serve --sandbox
  dmconnector serve --connectors connector.json --listen 0.0.0.0:8080
  dmconnector serve --state postgres://dmconnector@db/dmconnector`,
		Args:        noArguments,
		Annotations: withEnvironment("DMCONNECTOR_"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The heap is a few MB: with Go's default of 100, collecting garbage would cost
			// much CPU to save little memory. Many connections make it large: it then must
			// not triple. Memory that is never touched counts as heap, but takes none.
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(50)
				untouched := make([]byte, 12<<20)
				defer runtime.KeepAlive(untouched)
			}
			opts.unknownVariables = unknownVariables(cmd.Root(), os.Environ())
			return serve(cmd.Context(), opts, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	flags.StringVar(&opts.adminListen, "admin-listen", "", "another `address` for the console, the admin API and metrics; --listen then has only the send requests, /healthz and /readyz (default: --listen has everything)")
	flags.StringVar(&opts.connectors, "connectors", "", "connector JSON `file`, or a folder of them; the file name without .json is the connector's id, and a single file is \"default\"")
	secret(flags, &opts.state, "state", "`address` of the state: sqlite:<path>, postgres://… for several processes, or memory (default: state.db in --data)")
	flags.StringVar(&opts.data, "data", "./data", "`folder` for the state, its key and tokens")
	durationVar(flags, &opts.retention, "retention", "30d", "`duration` to keep messages, such as 30d or 12w; at least 24h")
	boolVar(flags, &opts.sandbox, "sandbox", "send all mail to a simulated Direct Mail in this process; without --connectors use an example connector, and without --data and --state keep everything in memory")
	flags.StringVar(&opts.sandboxListen, "sandbox-listen", "127.0.0.1:8025", "`address` for the sandbox of --sandbox to listen on")
	secret(flags, &opts.sendTokens, "send-token", "comma-separated `tokens` for sending (default: created in --data at the first start)")
	secret(flags, &opts.adminTokens, "admin-token", "comma-separated `tokens` for administration (default: created in --data at the first start)")
	endpointsVar(flags, &opts.allowEndpoints, "; for connectors made over the API, loopback needs this or --sandbox")
	flags.StringVar(&opts.tlsCert, "tls-cert", "", "PEM `file` with the certificate for HTTPS; reloaded when it changes")
	flags.StringVar(&opts.tlsKey, "tls-key", "", "PEM `file` with the private key of --tls-cert")
	intVar(flags, &opts.maxConnections, "max-connections", "maximum `number` of callers' connections; at the maximum, the longest idle one closes for a new one if it was idle for over 6 s, otherwise the new one waits (default: 10,000, less with little memory or few open files)")
	parsedVar(flags, &opts.logLevel, "string", "log-level", "info", "lowest `level` to log: debug, info, warn or error", parseLevel)
	wordVar(flags, &opts.logFormat, "log-format", "", "`format` of the log: text or json (default: text on a terminal, else json)", "text", "json")
	boolVar(flags, &opts.accessLog, "access-log", "log every request")
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if err := limitMemory(); err != nil {
			return err
		}
		if err := fromEnvironment(cmd, args); err != nil {
			return err
		}
		switch {
		case !flags.Changed("max-connections"):
			opts.maxConnections = defaultMaxConnections(debug.SetMemoryLimit(-1), fileLimit())
		case opts.maxConnections < 1:
			return fmt.Errorf("--max-connections %d: use at least 1, or omit the flag", opts.maxConnections)
		}
		// Trying the sandbox leaves no files behind.
		if opts.sandbox && !flags.Changed("data") && !flags.Changed("state") {
			opts.data, opts.state = "", "memory"
		}
		return nil
	}
	return cmd
}

// defaultMaxConnections is how many connections the memory and the limit of open files
// allow. The state, connectors' files and calls to Aliyun need files too.
func defaultMaxConnections(memory, files int64) int {
	const most, each, reserved = 10_000, 64 << 10, 64
	return int(max(1, min(most, memory/each, max(files-reserved, files/2))))
}

const leastRetention = 24 * time.Hour

func serve(ctx context.Context, opts serveOptions, stdout, stderr io.Writer) error {
	level := new(slog.LevelVar)
	level.Set(opts.logLevel)
	log := newLeveledLog(stderr, opts.logFormat, level)
	if opts.retention < leastRetention {
		log.Warn("--retention is too short: messages are kept for 24h, like Idempotency-Keys", "retention", opts.retention.String())
		opts.retention = leastRetention
	}
	s := &service{opts: opts, log: log, level: level}
	defer s.close()
	err := s.open(ctx)
	for _, v := range opts.unknownVariables {
		if !s.referenced[v.name] {
			v.warn(log)
		}
	}
	if err != nil {
		return err
	}
	// Free what the start used, so that the collector does not take it for live heap.
	// Pools are emptied by the second call.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	s.banner().writeTo(stdout)
	attrs := []any{"address", s.listener.Addr().String()}
	if s.adminListener != nil {
		attrs = append(attrs, "admin_address", s.adminListener.Addr().String())
	}
	log.Info("listening", append(attrs, "connectors", len(s.registry.Connectors()), "state", string(s.state.Kind()), "memory_limit", memoryLimit(), "version", version())...)
	return s.run(ctx)
}
