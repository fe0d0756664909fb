// Package chaos is a fault suite, in tests only: it runs the program between callers
// and an upstream that fail in every way a network allows, and counts what must never
// happen. docs/reliability.md has its figures.
package chaos
