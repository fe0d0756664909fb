//go:build unix

package main

import (
	"math"
	"syscall"
)

// fileLimit is how many files and connections the process may have open.
func fileLimit() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt64
	}
	return int64(min(uint64(limit.Cur), math.MaxInt64)) //nolint:unconvert // signed on some systems
}
