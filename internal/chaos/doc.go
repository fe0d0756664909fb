// Package chaos is a suite of faults, in tests only: it drives the program as
// users run it, between callers and an upstream that fail in every way that can
// be provoked over a network, and counts what must never happen. Its figures are
// in docs/reliability.md.
package chaos
