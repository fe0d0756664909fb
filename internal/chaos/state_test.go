//go:build unix

package chaos_test

import "testing"

// runStates has the scenarios in which the state fails, or the program on it.
func runStates(t *testing.T, book *ledger) {
	t.Helper()
	for name, scenario := range map[string]func(*testing.T) stateTally{
		"SQLite: kill -9 of the program":                                  killsOnSQLite,
		"SQLite: the disk is full for a while":                            fillsDisk,
		"SQLite: successors take the state over":                          handsOver,
		"SQLite: the connectors' file is written again and again":         reloads,
		"PostgreSQL: kill -9 of one of two replicas, and of the database": killsOnPostgres,
		"PostgreSQL: two replicas, limits and keys":                       sharesLimits,
		"PostgreSQL: stopped for a while":                                 stopsPostgres,
		"PostgreSQL: does not answer for a while, with connections open":  pausesPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := scenario(t)
			row.name = name
			book.addState(row)
		})
	}
}
