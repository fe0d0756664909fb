//go:build unix

package postgrestest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

const poolerConfig = `[databases]
* = host=%s port=%s user=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
`

// Pooler starts a pgbouncer that ends with the test, and returns the address of the
// database through it. A client has a server connection for one transaction only.
func Pooler(tb testing.TB, dsn string) string {
	tb.Helper()
	server, err := url.Parse(dsn)
	check(tb, err)
	binary, err := find("pgbouncer", "/usr/sbin/pgbouncer")
	check(tb, err)
	process, err := newProcess()
	check(tb, err)
	tb.Cleanup(process.remove)
	pooled := *server
	check(tb, onFreePort(func(port int) error {
		pooled.Host = fmt.Sprintf("127.0.0.1:%d", port)
		config := fmt.Sprintf(poolerConfig, server.Hostname(), server.Port(), server.User.Username(), port)
		if err := os.WriteFile(filepath.Join(process.folder, "pgbouncer.ini"), []byte(config), 0o644); err != nil { //nolint:gosec // pgbouncer's account reads it
			return err
		}
		return process.start(process.command(binary, "pgbouncer.ini"), pooled.String())
	}))
	return pooled.String()
}
