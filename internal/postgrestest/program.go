//go:build unix

package postgrestest

// New starts a server for a program that is no test, such as a benchmark. The
// error is a [MissingError] where there are no binaries. The caller closes the
// server.
func New(settings ...string) (*Server, error) { return create(settings) }

// Close ends the server, and leaves nothing behind.
func (s *Server) Close() { s.remove() }

// MissingError says which program a machine lacks.
type MissingError = missing
