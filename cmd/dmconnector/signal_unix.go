//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// followLevel switches the log level on SIGUSR1.
func (s *service) followLevel(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	for {
		select {
		case <-signals:
			s.toggleLevel()
		case <-ctx.Done():
			return
		}
	}
}
