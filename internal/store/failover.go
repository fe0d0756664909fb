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

// Connections made between two failovers are a generation. Those of an earlier one are not used
// again: they may lead to a server that was replaced.
type generations struct {
	log *slog.Logger

	mu      sync.Mutex
	current context.Context //nolint:containedctx // it ends with the current one
	end     context.CancelFunc
	primary primary
	stale   time.Time // since when only older timelines were seen
	warning string    // the last one
	warned  time.Time
}

// A primary is a server that accepts writes. Its timeline is 0 if it cannot be known.
// When it was started tells servers apart.
type primary struct{ timeline, started int64 }

func newGenerations(log *slog.Logger) *generations {
	g := &generations{log: log}
	g.current, g.end = context.WithCancel(context.Background())
	return g
}

// next ends a generation, unless it has ended. g.mu is held.
func (g *generations) next(ended context.Context, reason string) {
	if ended != g.current {
		return
	}
	g.end()
	g.current, g.end = context.WithCancel(context.Background())
	g.warn(reason)
}

// warn does not repeat itself while a server stays as it is. g.mu is held.
func (g *generations) warn(reason string) {
	if reason == g.warning && time.Since(g.warned) < warnInterval {
		return
	}
	g.warning, g.warned = reason, time.Now()
	g.log.Warn("PostgreSQL has changed", "reason", reason)
}

const generationKey = "generation" // in a connection's custom data

// generationOf returns a context that ends with a connection's generation.
func generationOf(conn *pgx.Conn) context.Context {
	if born, ok := conn.PgConn().CustomData()[generationKey].(context.Context); ok {
		return born
	}
	return context.Background()
}

// failed ends the generation of a connection whose server cannot be used any more.
func (g *generations) failed(conn *pgx.Conn, err error) {
	if !serverGone(err) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next(generationOf(conn), scrub(err))
}

// selectPrimary asks for a primary's timeline and start; both are 0 on a standby. Not
// every service lets its users read the timeline.
var selectPrimary = []string{
	`SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END, ` + selectStart,
	`SELECT 0, ` + selectStart,
}

const selectStart = `CASE WHEN pg_is_in_recovery() THEN 0 ELSE (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint END`

// see takes note of where a new connection leads, and rejects a server that was replaced.
func (g *generations) see(ctx context.Context, conn *pgconn.PgConn) error {
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
	born, err := g.saw(seen)
	conn.CustomData()[generationKey] = born
	return err
}

// errStale says that a server was replaced by another one that was seen before.
var errStale = errors.New("this PostgreSQL server is on an older timeline than one seen before: it was replaced in a failover")

// saw returns the generation of a connection to a server. Another server than before
// begins a new one: the address leads there now. But a standby that is promoted begins a new
// timeline, so of two primaries the one on the older timeline was replaced.
func (g *generations) saw(seen primary) (context.Context, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch before := g.primary; {
	case seen.started == 0:
		return g.current, nil
	case before.started == 0 || seen.started == before.started:
	case seen.timeline > before.timeline && before.timeline != 0:
		g.next(g.current, "a standby was promoted")
	case seen.timeline == before.timeline || seen.timeline == 0 || before.timeline == 0:
		g.next(g.current, "the server was restarted, or the address leads to another one")
	case g.stale.IsZero() || time.Since(g.stale) < staleTime:
		if g.stale.IsZero() {
			g.stale = time.Now()
		}
		g.warn("not using a server that was replaced, for a minute; correct the state's address or stop that server")
		return g.current, errStale
	default:
		g.next(g.current, "the server is on an older timeline: it was restored or replaced")
	}
	g.primary, g.stale = seen, time.Time{}
	return g.current, nil
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
