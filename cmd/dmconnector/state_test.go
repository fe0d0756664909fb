//go:build unix

package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dmconnector/internal/httpapi"
	"dmconnector/internal/postgrestest"
	"dmconnector/internal/seal"
	"dmconnector/internal/store"
)

// The scripts have an empty database at $POSTGRES.
func TestScriptsWithPostgres(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, "fsync=off")
	testscript.Run(t, scripts(testscript.Params{
		Dir: "testdata/postgres",
		Setup: func(env *testscript.Env) error {
			env.Setenv("POSTGRES", server.Database(env.T().(testing.TB)))
			return nil
		},
	}))
}

// logLines are the lines of a log, as they are written.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// A state that hangs does not hold up the reload of stored tokens in silence.
func TestHangingTokenReloadIsLogged(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, "fsync=off")
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	state, err := store.Open(t.Context(), store.Options{State: server.DSN(), Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	lines := make(logLines, 100)
	s := &service{state: state, log: slog.New(slog.NewTextHandler(lines, nil)), api: httpapi.New(httpapi.Options{})}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { s.followTokens(ctx) })
	defer following.Wait()
	defer cancel()
	defer server.Resume(t)
	server.Pause(t)
	if line := <-lines; !strings.Contains(line, "cannot reload stored tokens") {
		t.Errorf("paused: %s", line)
	}
	server.Resume(t)
	if line := <-lines; !strings.Contains(line, "up to date again") {
		t.Errorf("resumed: %s", line)
	}
}
