package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// newHTTPServer bounds the header only: a deadline for the answer would drop
// connections, and a dropped connection shows its code to the browser.
func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Times of a stop: the listener still answers callers that have not noticed,
// then what is under way is brought to its end.
const (
	lingerTime = 2 * time.Second
	stopTime   = 10 * time.Second
)

// serveUntilDone serves until ctx is done, then stops in good order.
func serveUntilDone(ctx context.Context, server *http.Server, listener net.Listener, drain func()) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain()
	linger := time.NewTimer(lingerTime)
	defer linger.Stop()
	select {
	case err := <-served:
		return err
	case <-linger.C:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	return server.Shutdown(stop)
}
