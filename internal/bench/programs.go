//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"dmconnector/internal/postgrestest"
)

// A storage is a kind of state.
type storage string

// The kinds, as the tables name them.
const (
	memory   storage = "memory"
	sqlite   storage = "SQLite"
	postgres storage = "PostgreSQL"
)

// programs makes the commands that are measured.
type programs struct {
	binary, dir string
	server      *postgrestest.Server // nil where there are no binaries of PostgreSQL
}

// startPostgres starts a server that is as durable as PostgreSQL is by default. It
// returns nil where there are no binaries.
func startPostgres() (*postgrestest.Server, error) {
	server, err := postgrestest.New("shared_buffers=128MB") // its default, too
	if missing, ok := errors.AsType[postgrestest.MissingError](err); ok {
		fmt.Fprintln(os.Stderr, "bench: nothing is measured on PostgreSQL:", missing)
		return nil, nil //nolint:nilnil // none is an answer
	}
	return server, err
}

// has reports whether the machine has that kind of state.
func (p programs) has(kind storage) bool { return kind != postgres || p.server != nil }

// newState makes an empty state, and returns what --state calls it.
func (p programs) newState(ctx context.Context, kind storage) (string, error) {
	switch kind {
	case sqlite:
		folder, err := os.MkdirTemp(p.dir, "state-")
		return "sqlite:" + filepath.Join(folder, "state.db"), err
	case postgres:
		return p.newDatabase(ctx)
	}
	return "memory", nil
}

func (p programs) newDatabase(ctx context.Context) (string, error) {
	config, err := pgx.ParseConfig(p.server.DSN())
	if err != nil {
		return "", err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statements count
	var name string
	if err := conn.QueryRow(ctx, `SELECT 'bench' || count(*) FROM pg_database`).Scan(&name); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable", config.User, config.Host, config.Port, name), nil
}

// service is the service on a state.
func (p programs) service(connectors, state string) program {
	return program{p.binary, []string{
		"serve", "--listen", "127.0.0.1:0", "--connectors", connectors,
		"--state", state, "--data", filepath.Join(p.dir, "data"),
	}, p.logPath()}
}

func (p programs) sandbox() program {
	return program{p.binary, []string{
		"serve", "--listen", "127.0.0.1:0", "--sandbox", "--sandbox-listen", "127.0.0.1:0",
	}, p.logPath()}
}

func (p programs) relay(_ context.Context, u *upstream) (program, error) {
	self, err := os.Executable()
	return program{self, []string{
		"-relay-to", u.url, "-template-size", strconv.Itoa(u.templateSize),
	}, p.logPath()}, err
}

// serviceOn returns what makes the service on a new state of that kind.
func (p programs) serviceOn(kind storage) programFor {
	return func(ctx context.Context, u *upstream) (program, error) {
		state, err := p.newState(ctx, kind)
		if err != nil {
			return program{}, fmt.Errorf("make a state on %s: %w", kind, err)
		}
		return p.serviceFor(u, state)
	}
}

// serviceFor is the service that sends to the upstream.
func (p programs) serviceFor(u *upstream, state string) (program, error) {
	path, err := writeConnector(p.dir, u.url, u.templateSize)
	return p.service(path, state), err
}

func (p programs) logPath() string { return filepath.Join(p.dir, "log") }

// environment is what every program has, so that a caller's own does not matter.
func environment(processors int) []string {
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	return []string{
		"GOMAXPROCS=" + strconv.Itoa(processors),
		"DMCONNECTOR_SEND_TOKEN=" + token, "DMCONNECTOR_ADMIN_TOKEN=" + adminToken, "DMCONNECTOR_SECRET_KEY=" + key,
	}
}
