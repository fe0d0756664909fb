//go:build !unix

package main

import "math"

// fileLimit is how many files and connections the process may have open.
func fileLimit() int64 { return math.MaxInt64 }
