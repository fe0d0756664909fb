// Package attack is an attack suite, in tests only: it runs the program, sends it what a
// hostile tester would, and measures memory, connections, disk and log while good
// callers go on sending. docs/security.md has its figures.
package attack
