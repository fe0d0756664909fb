//go:build unix

package chaos_test

import "testing"

// runStates runs the scenarios in which the state fails, or the program is killed.
func runStates(t *testing.T, all *results) {
	t.Helper()
	for name, scenario := range map[string]func(*testing.T) stateTally{
		"SQLite: kill -9 of the program":                                  killsOnSQLite,
		"SQLite: disk full for a while":                                   fillsDisk,
		"SQLite: a damaged page, then recovered":                          damagesPage,
		"SQLite: the file deleted while running, then saved":              deletesState,
		"SQLite: handover to a new process":                               handsOver,
		"SQLite: connector file rewritten repeatedly":                     reloads,
		"PostgreSQL: kill -9 of one of two replicas, and of the database": killsOnPostgres,
		"PostgreSQL: two replicas share limits and keys":                  sharesLimits,
		"PostgreSQL: failover, the old primary stays up read-only":        failsOverReadOnly,
		"PostgreSQL: failover, the old primary stays writable":            failsOverWritable,
		"PostgreSQL: wall clock of one of two replicas steps":             stepsOnPostgres,
		"SQLite: wall clock steps":                                        stepsOnSQLite,
		"PostgreSQL: the table of messages locked for a while":            locksMessages,
		"PostgreSQL: disk full for a while":                               fillsDiskOfPostgres,
		"PostgreSQL: one of two replicas cut off, packets lost":           losesPackets,
		"PostgreSQL: one of two replicas cut off, connections reset":      losesConnections,
		"PostgreSQL: stopped for a while":                                 stopsPostgres,
		"PostgreSQL: unresponsive for a while, connections open":          pausesPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := scenario(t)
			row.name = name
			all.addState(row)
		})
	}
}
