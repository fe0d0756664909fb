//go:build unix

package postgrestest

import (
	"sync"
	"testing"
)

// shared is one server for all tests of a package, so that they need not wait
// for one each.
var shared struct {
	sync.Mutex
	server *Server
	err    error
}

// Database returns the address of an empty database of a server that all tests
// of a package share, and that does not wait for the disk. A package that calls
// it has os.Exit(postgrestest.Main(m)) in its TestMain.
func Database(tb testing.TB) string {
	tb.Helper()
	server, err := sharedServer()
	give(tb, err)
	return server.Database(tb)
}

func sharedServer() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = create([]string{"fsync=off"})
	}
	return shared.server, shared.err
}

// Main runs the tests of a package, and then ends the server they shared.
func Main(m *testing.M) int {
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.server != nil {
			shared.server.remove()
			shared.server = nil
		}
	}()
	return m.Run()
}
