package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/console"
	"dmconnector/internal/delivery"
	"dmconnector/internal/httpapi"
	"dmconnector/internal/metrics"
	"dmconnector/internal/registry"
	"dmconnector/internal/store"
	"dmconnector/internal/tracing"
)

// lockWait is how long a successor waits for the state while its predecessor answers its
// last callers.
const lockWait = 15 * time.Second

// A service is everything that serve runs, wired together.
type service struct {
	opts        serveOptions
	log         *slog.Logger
	level       *slog.LevelVar // of log; nil if it cannot be changed
	send, admin tokenSource
	referenced  map[string]bool // environment variables that connector files name; written by the registry alone once it runs

	listener net.Listener
	// adminListener is nil without --admin-listen.
	adminListener net.Listener
	tls           *tls.Config // nil for plain HTTP
	scheme        string
	sandbox       *localSandbox // nil without --sandbox
	state         *store.Store
	tracing       *tracing.Tracing // nil without a collector
	metrics       *metrics.Metrics
	messages      *delivery.Delivery
	registry      *registry.Registry
	api           *httpapi.Server
}

// open opens everything that the first request needs. The port comes first, so that a
// successor accepts requests while it waits for the state.
func (s *service) open(ctx context.Context) error {
	if err := s.readTokens(); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	var err error
	s.tracing = tracing.Open(ctx, os.Getenv, version(), s.log)
	if s.opts.sandbox {
		if s.sandbox, err = startSandbox(ctx, s.opts.sandboxListen, s.sandboxToken(), s.log); err != nil {
			return err
		}
	}
	if err = s.openState(ctx); err != nil {
		return err
	}
	return s.wire(ctx)
}

func (s *service) readTokens() error {
	var err error
	if s.send, err = callersToken(s.opts.sendTokens, s.opts.data, "send-token"); err != nil {
		return err
	}
	if s.admin, err = callersToken(s.opts.adminTokens, s.opts.data, "admin-token"); err != nil {
		return err
	}
	for _, token := range s.send.values {
		if slices.Contains(s.admin.values, token) {
			return errors.New("--send-token and --admin-token have a token in common: Logto must not have the admin's; make another one with openssl rand -hex 32")
		}
	}
	if s.opts.data != "" && (s.send.made || s.admin.made) {
		s.log.Info("created tokens in the data folder", "folder", s.opts.data, "send_token", s.send.made, "admin_token", s.admin.made)
	}
	return nil
}

func (s *service) listen(ctx context.Context) error {
	var err error
	if s.listener, err = listen(ctx, s.opts.listen); err != nil {
		return fmt.Errorf("--listen: %w", adviseAddress(err))
	}
	if s.opts.adminListen != "" {
		if s.adminListener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.opts.adminListen); err != nil {
			return fmt.Errorf("--admin-listen: %w", adviseAddress(err))
		}
	}
	s.scheme = "http"
	if s.opts.tlsCert == "" && s.opts.tlsKey == "" {
		return nil
	}
	certificate, err := newCertificate(s.opts.tlsCert, s.opts.tlsKey, s.log)
	if err != nil {
		return err
	}
	s.tls, s.scheme = certificate.config(), "https"
	return nil
}

func (s *service) openState(ctx context.Context) error {
	opts, err := stateOptions(s.opts.state, s.opts.data)
	if err != nil {
		return err
	}
	opts.Log, opts.LockWait, opts.Retention = s.log, lockWait, s.opts.retention
	if s.state, err = store.Open(ctx, opts); err != nil {
		return err
	}
	var paths []string
	if data := s.opts.data; data != "" {
		paths = append(paths, filepath.Clean(data), filepath.Join(data, keyFile), filepath.Join(data, "send-token"), filepath.Join(data, "admin-token"))
	}
	if address, err := store.ParseAddress(opts.State); err == nil && address.Kind == store.SQLite {
		paths = append(paths, filepath.Dir(address.Path), address.Path)
	}
	warnOfAccess(s.log, paths)
	return nil
}

// wire creates the parts and connects them.
func (s *service) wire(ctx context.Context) error {
	volatile := s.state.Kind() == store.Memory
	transport := aliyundm.NewHTTPClient()
	newSender := func(cfg *connector.Config) (delivery.Sender, error) {
		return newClient(cfg, s.sandbox, transport, s.log)
	}
	s.metrics = metrics.New(metrics.Options{
		Version: version(), State: string(s.state.Kind()),
		Loads:           func() []delivery.Load { return s.messages.Loads() },
		PendingOutcomes: func() (int, int64) { return s.messages.PendingOutcomes() },
		Backlog:         s.state.Backlog, QueueUse: s.state.QueueUse, Expired: s.state.Expired,
	})
	s.messages = delivery.New(delivery.Options{Store: s.metrics.Store(s.state), Volatile: volatile, Log: s.log, Observe: s.metrics.Observe, Tracer: s.tracing.Tracer()})
	s.referenced = make(map[string]bool)
	lookUp := func(folder, kind, name string) (string, error) {
		if kind == "env" {
			s.referenced[name] = true
		}
		return resolve(folder, kind, name)
	}
	options := registry.Options{
		Path: s.opts.connectors, Resolve: lookUp, AllowedEndpoints: s.opts.allowEndpoints, Loopback: s.opts.sandbox,
		ReservedIDs: []string{httpapi.FactoryID}, Volatile: volatile,
		Store: s.state, NewSender: newSender, Apply: s.apply, Log: s.log,
	}
	if s.opts.sandbox && s.opts.connectors == "" {
		options.Example = exampleConnector
	}
	s.registry = registry.New(options)
	if err := s.registry.Load(ctx); err != nil {
		return err
	}
	if len(s.registry.Connectors()) == 0 {
		s.log.Warn("there are no connectors: set --connectors, or create one with POST /api/connectors")
	}
	s.api = httpapi.New(httpapi.Options{
		Delivery: s.messages, Registry: s.registry, Messages: s.state, Ready: s.state.Ready, Log: s.log,
		AccessLog: s.opts.accessLog, LogLevel: s.level, Tracer: s.tracing.Tracer(),
		SendTokens: s.send.values, AdminTokens: s.admin.values, NewSender: newSender,
		Examine: examiner(s.sandbox, transport, s.log),
		Console: console.New(), Sessions: s.state, Inbox: s.sandbox.inbox(),
		Metrics: s.metrics.Handler(), Rejected: s.metrics.Rejected,
		TLS: s.scheme == "https", Version: version(), State: string(s.state.Kind()),
	})
	return s.readStoredTokens(ctx)
}

// apply makes connectors active, with their keys and senders known to the sandbox.
func (s *service) apply(connectors map[string]delivery.Connector) {
	s.sandbox.know(connectors)
	s.messages.Use(s.metrics.Connectors(connectors))
}

// run serves until ctx is done, then stops gracefully.
func (s *service) run(ctx context.Context) error {
	working, stopWork := context.WithCancel(ctx)
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	parts.Go(func() { s.state.Run(keeping) }) // until the last outcome is recorded
	parts.Go(func() { s.messages.Work(working) })
	parts.Go(func() { s.registry.Run(working) })
	parts.Go(func() { s.followTokens(working) })
	parts.Go(func() { s.followSignals(working) })
	defer parts.Wait()
	defer stopKeeping()
	defer stopWork()

	handshakes := newSampled(s.log)
	connections := &httpapi.Connections{Max: s.opts.maxConnections, TLS: s.tls, HandshakeFailed: func(cause string) {
		handshakes.LogAttrs(ctx, "tls", slog.LevelWarn, "TLS handshake failed", slog.String("cause", cause))
	}}
	server := newHTTPServer(s.api, s.log)
	server.ConnContext, server.ConnState = connections.Context, connections.State
	listeners := []net.Listener{connections.Listener(s.listener)}
	if s.adminListener != nil {
		admin := connections.Listener(s.adminListener)
		listeners = append(listeners, admin)
		var adminRoutes http.Handler
		server.Handler, adminRoutes = s.api.Split()
		serveAdminOn(server, admin, adminRoutes)
	}
	drain := drainer{s.api.Drain, connections.Wait, s.messages.Wait}
	return serveUntilDone(ctx, server, listeners, drain)
}

// close closes what was opened: the state after the connections, whose sends may still
// use it, and before the traces, which a successor need not wait for.
func (s *service) close() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.adminListener != nil {
		s.adminListener.Close()
	}
	s.sandbox.stop()
	if s.state != nil {
		if err := s.state.Close(); err != nil {
			s.log.Warn("cannot close state", "error", err)
		}
	}
	if err := s.tracing.Close(); err != nil {
		s.log.Warn("cannot send the last traces", "error", err)
	}
}

const (
	// tokensEvery is how often stored tokens are polled: every replica rejects a revoked
	// one within 2 s.
	tokensEvery = time.Second
	// tokensTime bounds each reading: the state may not answer.
	tokensTime = 2 * time.Second
)

// followTokens keeps the stored tokens up to date. While the state does not answer, the
// last known ones stay valid.
func (s *service) followTokens(ctx context.Context) {
	tick := time.NewTicker(tokensEvery)
	defer tick.Stop()
	var known int64
	failed := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		bounded, cancel := context.WithTimeout(ctx, tokensTime)
		revision, err := s.state.Revision(bounded)
		if err == nil && revision != known {
			err = s.readStoredTokens(bounded)
		}
		cancel()
		switch {
		case err == nil:
			known = revision
			if failed {
				s.log.Info("stored tokens are up to date again")
			}
		case !failed && ctx.Err() == nil:
			s.log.Error("cannot reload stored tokens, the last known ones stay valid", "error", err.Error())
		}
		failed = err != nil
	}
}

func (s *service) readStoredTokens(ctx context.Context) error {
	stored, err := s.state.Tokens(ctx)
	if err != nil {
		return err
	}
	var list []httpapi.Token
	for _, t := range stored {
		if t.Revoked.IsZero() {
			list = append(list, httpapi.Token{ID: t.ID, Hash: t.Hash, Scope: httpapi.Scope(t.Scope), Connector: t.Connector, Expires: t.Expires})
		}
	}
	s.api.SetTokens(list)
	return nil
}

func (s *service) banner() banner {
	url := s.scheme + "://" + s.listener.Addr().String()
	adminURL := url
	if s.adminListener != nil {
		adminURL = s.scheme + "://" + s.adminListener.Addr().String()
	}
	return banner{url, adminURL, s.sandbox.url(), s.opts.data, s.send, s.admin}
}

// newClient returns the client of a connector. A sandbox replaces every endpoint and
// role.
func newClient(cfg *connector.Config, local *localSandbox, transport *http.Client, log *slog.Logger) (*aliyundm.Client, error) {
	opts := cfg.ClientOptions()
	if local != nil {
		opts = aliyundm.Options{Region: cfg.RegionID, Endpoint: local.url(), Credentials: local.credentials(cfg)}
	}
	opts.HTTP = transport
	opts.OnKeyError = func(err error) { log.Warn("cannot fetch key of RAM role", "error", err) }
	return aliyundm.NewClient(opts)
}

// sandboxToken returns the inbox's token, which it needs unless it listens on loopback.
func (s *service) sandboxToken() string {
	host, _, err := net.SplitHostPort(s.opts.sandboxListen)
	if ip := net.ParseIP(host); err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		return ""
	}
	return s.admin.values[0]
}
