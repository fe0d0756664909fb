//go:build unix

package postgrestest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Pooler starts a pgbouncer that ends with the test, and returns the address of
// a database through it. It hands out a connection for a transaction only.
// Without pgbouncer the test is skipped, or fails if DMCONNECTOR_TEST_ALL is set.
func Pooler(tb testing.TB, dsn string) string {
	tb.Helper()
	server, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal("the database's address is none")
	}
	var p *pooler
	for range ports {
		if p, err = newPooler(server); err == nil {
			break
		}
	}
	give(tb, err)
	tb.Cleanup(p.remove)
	return p.address.String()
}

type pooler struct {
	address *url.URL // of the database, through it
	folder  string
	process *process
}

func newPooler(server *url.URL) (*pooler, error) {
	binary, err := findPooler()
	if err != nil {
		return nil, err
	}
	account, err := findAccount()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	folder, err := account.folder()
	if err != nil {
		return nil, err
	}
	address := *server
	address.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	p := &pooler{address: &address, folder: folder}
	if err := p.run(account, binary, port, server); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// findPooler looks in PATH and where Debian has it, which only root's PATH names.
func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", missing("pgbouncer")
}

func (p *pooler) run(account *account, binary string, port int, server *url.URL) error {
	config := filepath.Join(p.folder, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
`, server.Hostname(), server.Port(), server.User.Username(), port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil { //nolint:gosec // a folder of its own
		return err
	}
	if err := account.own(config); err != nil {
		return err
	}
	logPath := filepath.Join(p.folder, "log")
	process, err := launch(account.command(p.folder, binary, config), logPath)
	if err != nil {
		return fmt.Errorf("start pgbouncer: %w", err)
	}
	if err := process.ready(p.ping); err != nil {
		return fmt.Errorf("start pgbouncer: %w: %s", err, tail(logPath))
	}
	p.process = process
	return nil
}

func (p *pooler) ping(ctx context.Context) error {
	config, err := pgx.ParseConfig(p.address.String())
	if err != nil {
		return err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statement counts
	return conn.Ping(ctx)
}

func (p *pooler) remove() {
	if p.process != nil {
		_ = p.process.end(syscall.SIGTERM)
	}
	_ = os.RemoveAll(p.folder)
}
