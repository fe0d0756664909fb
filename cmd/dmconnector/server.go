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
	"strconv"
	"strings"
	"sync"
	"time"

	"dmconnector/internal/plaintext"
	"dmconnector/internal/sampling"
)

// newHTTPServer limits the header. Package httpapi limits the rest: a deadline for the
// answer would drop connections, and Logto shows the code of a dropped request to the
// browser.
func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	errorLog := slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	errorLog.SetOutput(serverLog{newSampled(log)})
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    12 << 10, // and 4 KiB that net/http adds
		ErrorLog:          errorLog,
	}
}

// newSampled returns a log of what callers can cause at will.
func newSampled(log *slog.Logger) *sampling.Logger {
	return sampling.New(log, 10, time.Minute)
}

// A serverLog logs what an http.Server says.
type serverLog struct{ *sampling.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.LogAttrs(context.Background(), "http", slog.LevelWarn, "HTTP server", slog.String("detail", strings.TrimSpace(string(line))))
	return len(line), nil
}

// listen opens the address, or uses the socket passed by a supervisor (sd_listen_fds(3)),
// with which a restart refuses no connection.
func listen(ctx context.Context, address string) (net.Listener, error) {
	if os.Getenv("LISTEN_FDS") != "1" {
		return new(net.ListenConfig).Listen(ctx, "tcp", address)
	}
	if pid := os.Getenv("LISTEN_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return new(net.ListenConfig).Listen(ctx, "tcp", address)
	}
	const firstFD = 3
	file := os.NewFile(firstFD, "handed-over socket")
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("use the socket of LISTEN_FDS: %w", err)
	}
	return listener, file.Close()
}

// adviseAddress adds to the error about an address that cannot be read how to write one.
func adviseAddress(err error) error {
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		return fmt.Errorf("use a host and a port such as 127.0.0.1:8080, or :8080 for all addresses: %w", err)
	}
	return err
}

// Times of a stop, from the signal.
const (
	lingerTime = 2 * time.Second  // new connections are still answered
	stopTime   = 12 * time.Second // then open connections are cut off
	// outcomeTime is the part of stopTime reserved for recording outcomes: callers'
	// connections cannot use it up.
	outcomeTime = 2 * time.Second
)

// A drainer waits for what must end before the program does. Each function returns when
// its context ends at the latest; nil means nothing to wait for.
type drainer struct {
	begin       func()                      // the stop begins
	connections func(context.Context) error // of callers
	outcomes    func(context.Context) error // of messages, and the messages themselves
}

// wait waits for the connections and the outcomes, in stopTime less what has gone by
// since the stop began.
func (d drainer) wait(ctx context.Context, stopped time.Time) {
	end, cancel := context.WithDeadline(ctx, stopped.Add(stopTime))
	defer cancel()
	early, cancelEarly := context.WithDeadline(ctx, stopped.Add(stopTime-outcomeTime))
	defer cancelEarly()
	// An error means that the time was up.
	_ = d.connections(early)
	_ = d.outcomes(end)
	_ = d.connections(end) // the answers of the last messages
}

// serveAdminOn serves requests on one of the server's listeners by another handler.
func serveAdminOn(server *http.Server, listener net.Listener, admin http.Handler) {
	type fromAdminListener struct{}
	server.BaseContext = func(l net.Listener) context.Context {
		return context.WithValue(context.Background(), fromAdminListener{}, l == listener)
	}
	others := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(fromAdminListener{}) == true {
			admin.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// serveUntilDone serves until ctx is done, then stops gracefully. A plain Shutdown would
// cut connections on which a request may be arriving.
func serveUntilDone(ctx context.Context, server *http.Server, listeners []net.Listener, drain drainer) error {
	served := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { served <- server.Serve(listener) }()
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stopped := time.Now()
	drain.begin()
	linger := time.NewTimer(lingerTime)
	defer linger.Stop()
	select {
	case err := <-served:
		return err
	case <-linger.C:
	}
	for _, listener := range listeners {
		if err := listener.Close(); err != nil {
			return err
		}
	}
	// After this every connection is known.
	for range listeners {
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	if drain.connections != nil {
		drain.wait(context.WithoutCancel(ctx), stopped)
	}
	return server.Close()
}

// A certificate is a TLS certificate that is reloaded when its files change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   string // the files' times and sizes
}

// newCertificate reads the files, which must be valid at the start.
func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	if certFile == "" || keyFile == "" {
		return nil, errors.New("set both --tls-cert and --tls-key")
	}
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(c.filesStamp()); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return c, nil
}

// get is for a tls.Config's GetCertificate. While the files are broken or half written,
// the last good certificate stays in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stamp := c.filesStamp(); stamp != c.stamp {
		if err := c.read(stamp); err != nil {
			c.log.Error("cannot reload TLS certificate, the old one stays in use", "error", err)
			c.stamp = stamp // logged once
		}
	}
	return c.current, nil
}

func (c *certificate) read(stamp string) error {
	const limit = 1 << 20
	certificates, err := plaintext.ReadFile(c.certFile, limit)
	if err != nil {
		return err
	}
	key, err := plaintext.ReadFile(c.keyFile, limit)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificates, key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.certFile, c.keyFile, err)
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) filesStamp() string {
	var stamp []any
	for _, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			stamp = append(stamp, info.ModTime().UnixNano(), info.Size())
		}
	}
	return fmt.Sprint(stamp...)
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"http/1.1"},
	}
}
