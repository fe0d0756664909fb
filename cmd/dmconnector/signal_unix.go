//go:build unix

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// followSignals reloads the connector files after SIGHUP, and switches the log after
// SIGUSR1 between debug and the level that serve was started with.
func (s *service) followSignals(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	for {
		select {
		case received := <-signals:
			if received == syscall.SIGHUP {
				s.log.Info("SIGHUP: reloading connector files")
				s.registry.Reload(ctx)
				continue
			}
			level := slog.LevelDebug
			if s.level.Level() == slog.LevelDebug {
				level = s.opts.logLevel
			}
			s.level.Set(level)
			s.log.Warn("SIGUSR1: log level changed", "level", level.String())
		case <-ctx.Done():
			return
		}
	}
}
