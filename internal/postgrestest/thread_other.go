//go:build unix && !linux

package postgrestest

import "os/exec"

// endWithThread does nothing here: tests that end in a panic leave the process
// behind.
func endWithThread(*exec.Cmd) {}
