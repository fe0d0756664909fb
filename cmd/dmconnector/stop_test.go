package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/internal/store"
)

// A slow connection does not use up the time in which outcomes are recorded, and what
// ends sooner is not waited for longer.
func TestStopLeavesTimeForOutcomes(t *testing.T) {
	forever := time.Hour
	tests := map[string]struct {
		connections, outcomes time.Duration // how long they would take
		recorded              bool
		took                  time.Duration
	}{
		"nothing is left":                 {0, 0, true, 0},
		"a slow connection":               {forever, time.Second, true, 12 * time.Second},
		"outcomes that are never written": {0, forever, false, 12 * time.Second},
		"both":                            {forever, forever, false, 12 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stopped := time.Now()
				wait := func(until time.Time) func(context.Context) error {
					return func(ctx context.Context) error {
						select {
						case <-time.After(time.Until(until)):
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					}
				}
				recorded := false
				d := drainer{
					connections: wait(stopped.Add(tt.connections)),
					outcomes: func(ctx context.Context) error {
						err := wait(time.Now().Add(tt.outcomes))(ctx)
						recorded = err == nil
						return err
					},
				}
				d.wait(t.Context(), stopped)
				if took := time.Since(stopped); took != tt.took || recorded != tt.recorded {
					t.Errorf("it took %v, recorded: %v", took, recorded)
				}
			})
		})
	}
}

// A failing reload of the stored tokens is logged, once.
func TestFailingTokenReloadIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state, err := store.Open(t.Context(), store.Options{State: "memory"})
		if err != nil {
			t.Fatal(err)
		}
		if err := state.Close(); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := &service{state: state, log: slog.New(slog.NewTextHandler(&log, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.followTokens(ctx) }()
		<-time.After(5 * time.Second)
		cancel()
		<-done
		if n := strings.Count(log.String(), "cannot reload stored tokens"); n != 1 {
			t.Errorf("it is logged %d times: %s", n, log.String())
		}
	})
}
