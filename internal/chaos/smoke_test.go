//go:build unix

package chaos_test

import (
	"slices"
	"testing"
)

// TestSmoke has a scenario of each kind, which takes seconds. The suite takes minutes.
func TestSmoke(t *testing.T) {
	book := new(ledger)
	runFaults(t, book, "Upstream", named(t, upstreamFaults, "accepts, then resets"))
	runFaults(t, book, "Network", named(t, networkFaults, "resets in the middle of the answer"))
	t.Run("SIGTERM in the middle of a burst", func(t *testing.T) {
		t.Parallel()
		stopsInBurst(t)
	})
	t.Run("kill -9 of the program", func(t *testing.T) {
		t.Parallel()
		killsOnSQLite(t)
	})
}

// named returns the one fault of that name.
func named(t *testing.T, list []fault, name string) []fault {
	t.Helper()
	i := slices.IndexFunc(list, func(f fault) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("there is no fault %q", name)
	}
	return list[i : i+1]
}
