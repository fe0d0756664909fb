package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	// patience bounds how long a step waits for a server or for a free connection.
	patience = 3 * time.Second
	// retryPause is the mean of the first pause between two attempts.
	retryPause = 50 * time.Millisecond
	// warnInterval is how often the same change is logged.
	warnInterval = time.Minute
)

// An era is the time between two failovers. Connections of an earlier one are not used
// again: they may lead to a server that was replaced.
type era struct {
	log *slog.Logger

	mu      sync.Mutex
	current context.Context //nolint:containedctx // it ends with the era
	end     context.CancelFunc
	primary primary
	stale   time.Time // since when only older timelines were seen
	warning string    // the last one
	warned  time.Time
}

// A primary is a server that accepts writes. Its timeline is 0 if it cannot be known.
// When it was started tells servers apart.
type primary struct{ timeline, started int64 }

func newEra(log *slog.Logger) *era {
	e := &era{log: log}
	e.current, e.end = context.WithCancel(context.Background())
	return e
}

// next ends an era, unless it has ended. e.mu is held.
func (e *era) next(ended context.Context, reason string) {
	if ended != e.current {
		return
	}
	e.end()
	e.current, e.end = context.WithCancel(context.Background())
	e.warn(reason)
}

// warn does not repeat itself while a server stays as it is. e.mu is held.
func (e *era) warn(reason string) {
	if reason == e.warning && time.Since(e.warned) < warnInterval {
		return
	}
	e.warning, e.warned = reason, time.Now()
	e.log.Warn("PostgreSQL has changed", "reason", reason)
}

const eraKey = "era" // in a connection's custom data

// eraOf is done when the era in which a connection was made has ended.
func eraOf(conn *pgx.Conn) context.Context {
	if born, ok := conn.PgConn().CustomData()[eraKey].(context.Context); ok {
		return born
	}
	return context.Background()
}

// failed ends the era of a connection whose server cannot be used any more.
func (e *era) failed(conn *pgx.Conn, err error) {
	if !serverGone(err) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next(eraOf(conn), scrub(err))
}

// selectPrimary asks for a primary's timeline and start; both are 0 on a standby. Not
// every service lets its users read the timeline.
var selectPrimary = []string{
	`SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END, ` + selectStart,
	`SELECT 0, ` + selectStart,
}

const selectStart = `CASE WHEN pg_is_in_recovery() THEN 0 ELSE (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint END`

// see takes note of where a new connection leads, and rejects a server that was replaced.
func (e *era) see(ctx context.Context, conn *pgconn.PgConn) error {
	var seen primary
	for _, query := range selectPrimary {
		results, err := conn.Exec(ctx, query).ReadAll()
		if _, refused := errors.AsType[*pgconn.PgError](err); refused && !serverGone(err) {
			continue
		}
		if err != nil {
			return err
		}
		row := results[0].Rows[0]
		if _, err := fmt.Sscan(string(row[0])+" "+string(row[1]), &seen.timeline, &seen.started); err != nil {
			return fmt.Errorf("read PostgreSQL's timeline: %w", err)
		}
		break
	}
	born, err := e.saw(seen)
	conn.CustomData()[eraKey] = born
	return err
}

// errStale says that a server was replaced by another one that was seen before.
var errStale = errors.New("this PostgreSQL server is on an older timeline than one seen before: it was replaced in a failover")

// saw returns the era of a connection to a server. Another server than before begins a
// new era: the address leads there now. But a standby that is promoted begins a new
// timeline, so of two primaries the one on the older timeline was replaced.
func (e *era) saw(seen primary) (context.Context, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch before := e.primary; {
	case seen.started == 0:
		return e.current, nil
	case before.started == 0 || seen.started == before.started:
	case seen.timeline > before.timeline && before.timeline != 0:
		e.next(e.current, "a standby was promoted")
	case seen.timeline == before.timeline || seen.timeline == 0 || before.timeline == 0:
		e.next(e.current, "the server was restarted, or the address leads to another one")
	case e.stale.IsZero() || time.Since(e.stale) < staleTime:
		if e.stale.IsZero() {
			e.stale = time.Now()
		}
		e.warn("not using a server that was replaced, for a minute; correct the state's address or stop that server")
		return e.current, errStale
	default:
		e.next(e.current, "the server is on an older timeline: it was restored or replaced")
	}
	e.primary, e.stale = seen, time.Time{}
	return e.current, nil
}

// serverGone reports whether a server refuses what a primary would do: it is read-only,
// shuts down, starts, or lost the connection (PostgreSQL's documentation, appendix A).
// 08P01 is a pooler's word for a wrong address.
func serverGone(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (slices.Contains([]string{"25006", "57P01", "57P02", "57P03"}, refusal.Code) ||
		strings.HasPrefix(refusal.Code, "08") && refusal.Code != "08P01")
}

// isFull reports whether the server, or the role, has no connection left.
func isFull(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refusal.Code == "53300" || refusal.Code == "53400")
}

// mustWait reports whether another attempt needs a pause: there is no primary, or no
// connection left.
func mustWait(err error) bool {
	return serverGone(err) || isFull(err) || errors.Is(err, errStale) || errors.Is(err, pgconn.ErrReadOnlyConnection)
}

// pause waits before another attempt, longer after several.
func pause(ctx context.Context, attempts int) {
	mean := retryPause << min(attempts-1, 2)
	sleep(ctx, mean/2+rand.N(mean))
}
