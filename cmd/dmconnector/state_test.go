//go:build unix

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dmconnector/internal/postgrestest"
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
