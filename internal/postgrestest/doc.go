// Package postgrestest runs a real PostgreSQL for tests, from the system's
// binaries, and a pooler before it. It is for tests and benchmarks only.
package postgrestest
