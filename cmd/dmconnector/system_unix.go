//go:build unix

package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"syscall"
)

// fileLimit is how many files and connections the process may have open.
func fileLimit() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt64
	}
	return int64(min(uint64(limit.Cur), math.MaxInt64)) //nolint:unconvert // signed on some systems
}

// keepOwner gives a file the owner of the one that it replaces, if there is one: after
// root has changed the key, the service must still be able to read it.
func keepOwner(path, as string) error {
	info, err := os.Stat(as)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() && int(owner.Gid) == os.Getegid() {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

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
