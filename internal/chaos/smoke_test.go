//go:build unix

package chaos_test

import (
	"slices"
	"testing"
)

// TestSmoke runs one scenario of each kind in seconds. The suite takes minutes.
func TestSmoke(t *testing.T) {
	all := new(results)
	runFaults(t, all, "Upstream", named(t, upstreamFaults, "accepts, then resets the connection"))
	runFaults(t, all, "Network", named(t, networkFaults, "resets mid-answer"))
	t.Run("SIGTERM during a burst", func(t *testing.T) {
		t.Parallel()
		stopsInBurst(t)
	})
	t.Run("kill -9 of the program", func(t *testing.T) {
		t.Parallel()
		killsOnSQLite(t)
	})
}

// named returns the fault of that name.
func named(t *testing.T, list []fault, name string) []fault {
	t.Helper()
	i := slices.IndexFunc(list, func(f fault) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("there is no fault %q", name)
	}
	return list[i : i+1]
}
