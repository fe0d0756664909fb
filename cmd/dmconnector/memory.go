package main

import (
	"fmt"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// heapRatio is the Go runtime's part of the cgroup's memory. The program's code, SQLite's
// pages and the kernel's socket buffers need the rest.
const heapRatio = 0.65

// limitMemory sets Go's memory limit from the cgroup's, unless GOMEMLIMIT is set. Without
// a cgroup, or with one that cannot be read, there is no limit.
func limitMemory() error {
	fromCgroup := func() (uint64, error) {
		limit, err := memlimit.FromCgroup()
		if err != nil {
			return 0, memlimit.ErrNoLimit
		}
		return limit, nil
	}
	if _, err := memlimit.Set(memlimit.WithProvider(fromCgroup), memlimit.WithRatio(heapRatio)); err != nil {
		return fmt.Errorf("set AUTOMEMLIMIT to a number up to 1, or to off: %w", err)
	}
	return nil
}

// memoryLimit is Go's memory limit for the log, such as "166 MiB" or "none".
func memoryLimit() string {
	limit := debug.SetMemoryLimit(-1)
	if limit >= 1<<50 {
		return "none"
	}
	return fmt.Sprintf("%d MiB", limit>>20)
}
