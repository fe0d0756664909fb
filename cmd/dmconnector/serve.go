package main

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
)

// exampleConnector is what serve --sandbox has when it is given no connectors.
//
//go:embed example.json
var exampleConnector []byte

type serveOptions struct {
	listen, connectors, state, data string
	sandbox                         bool
	sandboxListen                   string
	sendTokens, adminTokens         string
	allowEndpoints                  []string
	tlsCert, tlsKey                 string
}

func newServe() *cobra.Command {
	var opts serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `serve runs the service: it takes send-code requests at POST /api/send and test
mails at POST /api/connectors/{id}/test.

Every flag is also an environment variable, DMCONNECTOR_<FLAG> (--send-token is
DMCONNECTOR_SEND_TOKEN); the tokens also as DMCONNECTOR_<FLAG>_FILE. A token given
as a flag is visible in the list of processes: better use one of the others.`,
		Example: `  dmconnector serve --sandbox
  dmconnector serve --connectors connector.json --listen 0.0.0.0:8080`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// With a heap of a few MB Go's standard would collect garbage all the
			// time: this trades a few MB of memory for CPU.
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(200)
			}
			return serve(cmd.Context(), opts, cmd.OutOrStdout(), newLog(cmd.ErrOrStderr()))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	flags.StringVar(&opts.connectors, "connectors", "", "connector JSON `file`, or a folder of them (a file's name is the connector's id; a single file is \"default\")")
	flags.StringVar(&opts.state, "state", "memory", "where state is kept: `memory`")
	flags.StringVar(&opts.data, "data", "./data", "`folder` for tokens")
	flags.BoolVar(&opts.sandbox, "sandbox", false, "run the simulated Direct Mail inside and send there; without --connectors with an example connector")
	flags.StringVar(&opts.sandboxListen, "sandbox-listen", "127.0.0.1:8025", "`address` that this sandbox listens on")
	secret(flags, &opts.sendTokens, "send-token", "callers' `tokens` for sending, comma-separated (default: made at the first start, in --data)")
	secret(flags, &opts.adminTokens, "admin-token", "callers' `tokens` for administration, likewise")
	flags.StringSliceVar(&opts.allowEndpoints, "allow-endpoint", nil, "`hosts` that a connector's endpoint may name besides aliyuncs.com and loopback")
	flags.StringVar(&opts.tlsCert, "tls-cert", "", "certificate `file` (PEM) for HTTPS; read again when it changes")
	flags.StringVar(&opts.tlsKey, "tls-key", "", "its key's `file` (PEM)")
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if err := fromEnvironment("DMCONNECTOR_")(cmd, args); err != nil {
			return err
		}
		// A try leaves nothing behind.
		if opts.sandbox && !flags.Changed("data") && !flags.Changed("state") {
			opts.data = ""
		}
		return nil
	}
	return cmd
}

func serve(ctx context.Context, opts serveOptions, stdout io.Writer, log *slog.Logger) error {
	if opts.state != "memory" {
		return fmt.Errorf("--state %q: this version keeps its state in memory only", opts.state)
	}
	files, err := loadConnectors(opts, log)
	if err != nil {
		return err
	}
	send, err := callersToken(opts.sendTokens, opts.data, "send-token")
	if err != nil {
		return err
	}
	admin, err := callersToken(opts.adminTokens, opts.data, "admin-token")
	if err != nil {
		return err
	}
	listener, err := listen(ctx, opts.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	scheme := "http"
	if opts.tlsCert != "" || opts.tlsKey != "" {
		certificate, err := newCertificate(opts.tlsCert, opts.tlsKey, log)
		if err != nil {
			return err
		}
		listener, scheme = certificate.listener(listener), "https"
	}

	var sandboxURL string
	if opts.sandbox {
		addr, stop, err := startSandbox(ctx, opts.sandboxListen, sandboxToken(opts, admin), files, log)
		if err != nil {
			return err
		}
		defer stop() // after the sends that are under way
		sandboxURL = "http://" + addr.String()
	}
	transport := aliyundm.NewHTTPClient()
	newSender := func(cfg *connector.Config) (delivery.Sender, error) { return newClient(cfg, sandboxURL, transport) }
	connectors, err := openConnectors(files, newSender)
	if err != nil {
		return err
	}
	messages := delivery.New(connectors, log)
	api := httpapi.New(httpapi.Options{
		Delivery: messages, Log: log,
		SendTokens: send.values, AdminTokens: admin.values,
		NewSender: newSender, AllowedEndpoints: opts.allowEndpoints,
	})
	banner{scheme + "://" + listener.Addr().String(), sandboxURL, opts.data, send, admin}.writeTo(stdout)
	log.Info("listening", "address", listener.Addr().String(), "connectors", len(files), "version", version())
	var connections httpapi.Connections
	server := newHTTPServer(api, log)
	server.ConnContext, server.ConnState = connections.Context, connections.State
	drain := drainer{api.Drain, []func(context.Context) error{connections.Wait, messages.Wait}}
	return serveUntilDone(ctx, server, connections.Listener(listener), drain)
}

// loadConnectors reads the connectors; one with errors stops the start.
func loadConnectors(opts serveOptions, log *slog.Logger) ([]connectorFile, error) {
	parse := connector.ParseOptions{AllowedEndpoints: opts.allowEndpoints}
	var files []connectorFile
	switch {
	case opts.connectors != "":
		var err error
		if files, err = readConnectors(opts.connectors, parse); err != nil {
			return nil, err
		}
	case opts.sandbox:
		example := connectorFile{ID: "default", Path: "example connector"}
		example.Config, example.Report = connector.ParseConfig(exampleConnector, parse)
		files = []connectorFile{example}
	default:
		log.Warn("there is no connector: give --connectors")
	}
	for _, file := range files {
		for _, p := range file.Report.Warnings {
			log.Warn("doubtful connector", "connector", file.ID, "pointer", p.Pointer, "detail", p.Detail)
		}
	}
	if err := brokenConnectors(files); err != nil {
		return nil, err
	}
	return files, checkAgainstState(files)
}

// checkAgainstState refuses what the memory cannot do: to keep a promise over a
// restart.
func checkAgainstState(files []connectorFile) error {
	for _, file := range files {
		for usageType, how := range file.Config.Delivery {
			if how == "queued" {
				return fmt.Errorf("%s: %s is to be delivered \"queued\", which needs state that survives a restart: this version has none", file.Path, usageType)
			}
		}
	}
	return nil
}

func openConnectors(files []connectorFile, newSender func(*connector.Config) (delivery.Sender, error)) (map[string]delivery.Connector, error) {
	connectors := make(map[string]delivery.Connector, len(files))
	for _, file := range files {
		sender, err := newSender(file.Config)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Path, err)
		}
		connectors[file.ID] = delivery.Connector{ID: file.ID, Composer: connector.New(file.Config), Sender: sender}
	}
	return connectors, nil
}

// newClient makes the client of a connector. A sandbox takes the place of every
// endpoint.
func newClient(cfg *connector.Config, sandboxURL string, transport *http.Client) (*aliyundm.Client, error) {
	return aliyundm.NewClient(aliyundm.Options{
		Region:   cfg.RegionID,
		Endpoint: cmp.Or(sandboxURL, cfg.Endpoint),
		Credentials: aliyundm.Credentials{
			AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret), SecurityToken: string(cfg.SecurityToken),
		},
		HTTP: transport,
	})
}

// sandboxToken closes the inbox of a sandbox that others can reach.
func sandboxToken(opts serveOptions, admin tokenSource) string {
	host, _, err := net.SplitHostPort(opts.sandboxListen)
	if ip := net.ParseIP(host); err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		return ""
	}
	return admin.values[0]
}

func newLog(w io.Writer) *slog.Logger { return slog.New(slog.NewJSONHandler(w, nil)) }
