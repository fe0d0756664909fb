package store

import (
	"context"
	"database/sql"
	"log/slog"
	"time"
)

// A checkpointer moves what was committed from SQLite's log into its database,
// beside the scribe: a commit must not wait for that. (SQLite itself would do it
// in the middle of one of them.)
type checkpointer struct {
	db  *sql.DB // a connection of its own
	log *slog.Logger
	// overdue is signalled when the log has become long because there was always
	// somebody writing: then the scribe does it.
	overdue topic
}

const (
	checkpointEvery = 500 * time.Millisecond
	// longLog is in pages of 4 KiB.
	longLog = 8000
	// moveLog waits for nobody, and keeps nobody waiting.
	moveLog = "PRAGMA wal_checkpoint(PASSIVE)"
)

// work checkpoints until it is to quit.
func (c *checkpointer) work(quit <-chan struct{}) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-tick.C:
		case <-quit:
			return
		}
		var busy, pages, moved int
		err := c.db.QueryRowContext(context.Background(), moveLog).Scan(&busy, &pages, &moved)
		if err != nil && !failed {
			c.log.Error("the state's log could not be moved into its database; it grows until that works", "error", err)
		}
		failed = err != nil
		if pages > longLog {
			c.overdue.signal()
		}
	}
}
