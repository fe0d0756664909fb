package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// lookInterval is how often a new connection finds out where the address leads now.
	lookInterval = 5 * time.Second
	// staleTime is how long an older timeline is taken for a primary that was replaced.
	// After that it is what there is, such as a backup that was restored.
	staleTime = time.Minute
	// patience bounds how long a step waits for a server or for a free connection, and
	// retryPause is the mean time between two attempts.
	patience   = 3 * time.Second
	retryPause = 50 * time.Millisecond
)

// An era is the time between two failovers. Connections of an earlier one are not used
// again: they may lead to a server that was replaced.
type era struct {
	log *slog.Logger

	mu       sync.Mutex
	current  context.Context //nolint:containedctx // it ends with the era
	end      context.CancelFunc
	timeline int64     // of the primary; 0 if it cannot be known
	stale    time.Time // since when only older timelines were seen
}

func newEra(log *slog.Logger) *era {
	e := &era{log: log}
	e.current, e.end = context.WithCancel(context.Background())
	return e
}

// get returns the current era, which ends when ctx does.
func (e *era) get() (ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current
}

// next ends an era, unless it has ended. e.mu is held.
func (e *era) next(ended context.Context, reason string) {
	if ended != e.current || ended.Err() != nil {
		return
	}
	e.end()
	e.current, e.end = context.WithCancel(context.Background())
	e.log.Warn("PostgreSQL has changed, all connections are made anew", "reason", reason)
}

const eraKey = "era" // in a connection's custom data

// failed ends the era of a connection whose server cannot be used any more.
func (e *era) failed(conn *pgx.Conn, err error) {
	born, ok := conn.PgConn().CustomData()[eraKey].(context.Context)
	if !ok || !serverGone(err) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next(born, scrub(err))
}

// errStale says that a server was replaced by another one that was seen before.
var errStale = errors.New("this PostgreSQL server is on an older timeline than one seen before: it was replaced in a failover")

// see takes note of where a new connection leads. A standby that is promoted begins a
// new timeline, so of two primaries the one on the older timeline was replaced. Where the
// timeline cannot be read, only errors tell.
func (e *era) see(ctx context.Context, conn *pgx.Conn) error {
	var timeline int64
	err := conn.QueryRow(ctx, `
SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END`).Scan(&timeline)
	if _, refused := errors.AsType[*pgconn.PgError](err); err != nil && !refused {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case timeline == 0 || timeline == e.timeline:
		if timeline != 0 {
			e.stale = time.Time{}
		}
	case timeline > e.timeline:
		if e.timeline != 0 {
			e.next(e.current, "a standby was promoted")
		}
		e.timeline, e.stale = timeline, time.Time{}
	case e.stale.IsZero() || time.Since(e.stale) < staleTime:
		if e.stale.IsZero() {
			e.stale = time.Now()
			e.log.Error("PostgreSQL's address leads to a server that was replaced, not using it for a minute; correct the address or stop that server")
		}
		return errStale
	default:
		e.next(e.current, "the server is on an older timeline: it was restored or replaced")
		e.timeline, e.stale = timeline, time.Time{}
	}
	conn.PgConn().CustomData()[eraKey] = e.current
	return nil
}

// serverGone reports whether a server refuses what a primary would do: it is read-only,
// shuts down, starts, or lost the connection (PostgreSQL's documentation, appendix A).
func serverGone(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch refusal.Code {
	case "25006", "57P01", "57P02", "57P03":
		return true
	case "08P01": // a pooler's word for a wrong address
		return false
	}
	return strings.HasPrefix(refusal.Code, "08")
}

// isFull reports whether the server, or the role, has no connection left.
func isFull(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refusal.Code == "53300" || refusal.Code == "53400")
}

// pause waits before another attempt. It reports false when ctx ends first.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(retryPause/2 + rand.N(retryPause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// manyHosts reports whether an address names several servers, of which one is the primary.
func manyHosts(config *pgx.ConnConfig) bool {
	for _, other := range config.Fallbacks {
		if other.Host != config.Host || other.Port != config.Port {
			return true
		}
	}
	return false
}
