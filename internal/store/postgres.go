package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"

	"dmconnector/internal/delivery"
)

// postgresEngine runs steps on PostgreSQL.
type postgresEngine struct {
	db          *sql.DB
	config      *pgx.ConnConfig
	log         *slog.Logger
	heard       func(topic string)
	clock       clock
	inUse       chan struct{} // holds one for each connection in use
	generations *generations

	// direct ends when the connections turn out to be those of a transaction pooler.
	direct    context.Context //nolint:containedctx // it is no call's
	endDirect context.CancelFunc
	warned    sync.Once

	queued    topic // the other processes are to hear of queued messages
	stop      context.CancelFunc
	notifying sync.WaitGroup
}

const (
	// With one that listens and one that reads the clock, a replica's share of what a small
	// instance of RDS allows in all.
	maxConnections = 9
	maxTries       = maxConnections + 2
	channel        = "dmconnector"
)

func openPostgres(ctx context.Context, address string, log *slog.Logger, heard func(string)) (*postgresEngine, error) {
	config, err := pgx.ParseConfig(address)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, file
	}
	if err != nil {
		// Its text may hold a piece of the password.
		return nil, errors.New("cannot use an option of PostgreSQL's address, of its PG… environment variables or of the service file that they name")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 2 * time.Second
	}
	several := slices.ContainsFunc(config.Fallbacks, func(other *pgconn.FallbackConfig) bool {
		return other.Host != config.Host || other.Port != config.Port
	})
	if several && config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler { return giveUp{conn} }
	generations, wanted := newGenerations(log), config.ValidateConnect
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if wanted != nil {
			if err := wanted(ctx, conn); err != nil {
				return err
			}
		}
		return generations.see(ctx, conn)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "dmconnector"
	}
	e := &postgresEngine{
		config: config, log: log, heard: heard, queued: newTopic(), generations: generations,
		inUse: make(chan struct{}, maxConnections-1), // one is left for notifications
	}
	e.direct, e.endDirect = context.WithCancel(context.Background())
	if mode := config.DefaultQueryExecMode; mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol {
		e.endDirect()
	}
	config.Tracer = e
	e.db = sql.OpenDB(e)
	e.allowConnections()
	e.db.SetConnMaxLifetime(30 * time.Minute)
	direct := !e.pooled()
	err = e.prepare(ctx)
	if err != nil && direct && e.pooled() {
		err = e.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, e.db.Close())
	}
	var running context.Context
	running, e.stop = context.WithCancel(context.Background())
	e.notifying.Go(func() { e.notify(running) })
	return e, nil
}

func (e *postgresEngine) allowConnections() {
	e.db.SetMaxOpenConns(maxConnections)
	e.db.SetMaxIdleConns(maxConnections)
}

func (e *postgresEngine) pooled() bool { return e.direct.Err() != nil }

// Connect is for package sql. A connection that prepares statements does not return from
// the pool once a transaction pooler was found.
func (e *postgresEngine) Connect(ctx context.Context) (driver.Conn, error) {
	config, pooled := e.connectConfig(), e.pooled()
	reset := func(_ context.Context, conn *pgx.Conn) error {
		if e.pooled() != pooled || generationOf(conn).Err() != nil {
			return driver.ErrBadConn
		}
		return nil
	}
	conn, err := stdlib.GetConnector(*config, stdlib.OptionResetSession(reset)).Connect(ctx)
	if isFull(err) {
		// Wait for one of ours, until watch tries again.
		e.db.SetMaxOpenConns(max(1, e.db.Stats().OpenConnections-1))
	}
	return conn, connectFailure(err)
}

// connectConfig is how a new connection is made.
func (e *postgresEngine) connectConfig() *pgx.ConnConfig {
	config := e.config.Copy()
	if e.pooled() && config.DefaultQueryExecMode != pgx.QueryExecModeSimpleProtocol {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return config
}

// Driver is for package sql.
func (e *postgresEngine) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

// TraceQueryStart is for pgx.
func (e *postgresEngine) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd is for pgx. It finds out that a transaction pooler hands out the server's
// connections, by what only that does to prepared statements, and ends their use; and it
// finds out about failovers.
func (e *postgresEngine) TraceQueryEnd(_ context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	e.generations.failed(conn, data.Err)
	if data.Err == nil || !lostPrepared(data.Err) {
		return
	}
	e.warned.Do(func() {
		e.endDirect()
		e.log.Warn("PostgreSQL is behind a transaction pooler, switched to unprepared statements and polling; add default_query_exec_mode=exec to the options of the state's address", "error", scrub(data.Err))
	})
}

// lostPrepared reports whether a prepared statement was another client's (SQLSTATE
// 42P05), or was not on this connection any more (26000).
func lostPrepared(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (refusal.Code == "42P05" || refusal.Code == "26000")
}

func (e *postgresEngine) prepare(ctx context.Context) error {
	// A lock in a table, not in a session: that also works through a pooler.
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName(versionTable+"_lock"), lock.WithTableLogger(slog.New(slog.DiscardHandler)),
		lock.WithTableLockTimeout(200*time.Millisecond, 300), lock.WithTableUnlockTimeout(200*time.Millisecond, 50),
		lock.WithTableLeaseDuration(10*time.Second), lock.WithTableHeartbeatInterval(2*time.Second),
	)
	if err != nil {
		return err
	}
	if err := migrate(ctx, e.db, postgresDialect, locker); err != nil {
		return err
	}
	return e.readClock(ctx)
}

// acquire waits for a connection in the order of asking: database/sql hands them out at
// random, so that an older message could supersede a newer one.
func (e *postgresEngine) acquire(ctx context.Context) error {
	select {
	case e.inUse <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *postgresEngine) release() { <-e.inUse }

func (e *postgresEngine) write(ctx context.Context, step func(*tx) error) error {
	return e.try(ctx, func() error { return e.transact(ctx, step) })
}

// try repeats an attempt after errors that allow it, on another connection. It waits for
// a server that can be used, or for a free connection, but not for long.
func (e *postgresEngine) try(ctx context.Context, attempt func() error) error {
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	begun := time.Now()
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || ctx.Err() != nil || !mayTryAgain(err) || time.Since(begun) > patience {
			return err
		}
		// The first errors may come from connections that a restart has left dead in the pool.
		if n >= maxTries || mustWait(err) {
			pause(ctx, n)
		}
		if ctx.Err() != nil {
			return err
		}
	}
}

// mayTryAgain reports whether a transaction certainly did nothing and may succeed the
// next time: PostgreSQL gave it up in favour of another, its server was replaced, is full
// or cannot be reached, or its connection was dead or a pooler's.
func mayTryAgain(err error) bool {
	if errors.Is(err, delivery.ErrInDoubt) {
		return false
	}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		// PostgreSQL's documentation, appendix A: serialization failure, and deadlock.
		return refusal.Code == "40001" || refusal.Code == "40P01" || lostPrepared(err) || mustWait(err)
	}
	_, network := errors.AsType[net.Error](err)
	return network || mustWait(err) || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

func (e *postgresEngine) transact(ctx context.Context, step func(*tx) error) error {
	conn, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer conn.Rollback() //nolint:errcheck // it has no effect after the commit
	t := &tx{ctx: ctx, run: conn, dialect: postgresDialect}
	if err := step(t); err != nil {
		return err
	}
	if slices.Contains(t.topics, topicConfiguration) {
		if _, err := t.exec(pgNotify, channel, topicConfiguration); err != nil {
			return err
		}
	}
	err = conn.Commit()
	if err != nil {
		return commitFailure(err)
	}
	for _, topic := range t.topics {
		e.heard(topic)
		if topic == topicQueue {
			e.queued.signal()
		}
	}
	return nil
}

// commitFailure tells a commit that was refused from one that may have been done. A pooler
// that loses the server meanwhile says so in an error of class 08.
func commitFailure(err error) error {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	if ok && !strings.HasPrefix(refusal.Code, "08") {
		return err
	}
	return errors.Join(err, delivery.ErrInDoubt)
}

const (
	pgNotify       = `SELECT pg_notify($1, $2)`
	notifyInterval = 100 * time.Millisecond
)

// notify tells the other processes of queued messages until ctx ends. A transaction that
// notifies holds a lock of the whole server while it commits, so this neither belongs
// into the transactions that queue, nor is it done for each of them.
func (e *postgresEngine) notify(ctx context.Context) {
	for {
		select {
		case <-e.queued:
		case <-ctx.Done():
			return
		}
		bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
		_, _ = e.db.ExecContext(bounded, pgNotify, channel, topicQueue) // if it fails, their polls do
		cancel()
		sleep(ctx, notifyInterval)
	}
}

func (e *postgresEngine) read(ctx context.Context, step func(*tx) error) error {
	return e.try(ctx, func() error { return step(&tx{ctx: ctx, run: e.db, dialect: postgresDialect}) })
}

func (e *postgresEngine) snapshot(ctx context.Context, step func(*tx) error) error {
	return e.try(ctx, func() error {
		conn, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return err
		}
		defer conn.Rollback() //nolint:errcheck // nothing was written
		return step(&tx{ctx: ctx, run: conn, dialect: postgresDialect})
	})
}

// now is the server's time: replicas whose clocks differ or step must not enlarge limits,
// nor expire what others have queued.
func (e *postgresEngine) now() time.Time { return e.clock.now() }

// readClock reads the server's time over a new connection, which also shows where the
// address leads now. It assumes that the server read it in the middle of the exchange.
func (e *postgresEngine) readClock(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, e.connectConfig())
	if err != nil {
		return connectFailure(err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // there is nothing to lose
	var micros int64
	begun := time.Now()
	err = conn.QueryRow(ctx, `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`).Scan(&micros)
	if err != nil {
		return err
	}
	e.clock.set(time.UnixMicro(micros), begun.Add(time.Since(begun)/2))
	return nil
}

// watch listens, and keeps the time right. Polls find out what it misses.
func (e *postgresEngine) watch(ctx context.Context) {
	go e.listen(ctx)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.allowConnections()
			reading, cancel := context.WithTimeout(ctx, 2*time.Second)
			_ = e.readClock(reading) // the last reading is good enough meanwhile
			cancel()
		case <-ctx.Done():
			return
		}
	}
}

// listen signals what other processes notify, over a connection of its own, until ctx
// ends. Through a transaction pooler nothing would come.
func (e *postgresEngine) listen(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.direct, cancel)()
	for failed := false; ctx.Err() == nil; failed = true {
		listened, err := e.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if listened || !failed {
			e.log.Warn("cannot listen for notifications of the state, polling meanwhile", "error", scrub(err))
		}
		sleep(ctx, time.Second)
	}
}

func (e *postgresEngine) listenOnce(ctx context.Context) (listened bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return false, connectFailure(err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // there is nothing to lose
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(generationOf(conn), cancel)()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return false, err
	}
	// Earlier notifications were missed.
	e.heard(topicQueue)
	e.heard(topicConfiguration)
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return true, err
		}
		e.heard(notification.Payload)
	}
}

func (e *postgresEngine) close() error {
	e.stop()
	e.notifying.Wait()
	if err := e.db.Close(); !errors.Is(err, net.ErrClosed) { // which [giveUp] may have done
		return err
	}
	return nil
}

// A connectError is an error of the driver, and another text for it: the driver's shows
// most of the address, and the server's repeats options and names in it.
type connectError struct {
	text string
	err  error
}

func (c connectError) Error() string { return c.text }
func (c connectError) Unwrap() error { return c.err }

// connectFailure returns nil without an error.
func connectFailure(err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		text := "PostgreSQL refuses the connection: error " + refusal.Code
		if meaning := meanings[refusal.Code]; meaning != "" {
			text += ", " + meaning
		}
		return connectError{text, err}
	}
	cause := err
	if failed, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		cause = failed.Unwrap()
	}
	return connectError{"connect to PostgreSQL: " + cause.Error(), err}
}

// meanings of PostgreSQL's error codes, see its documentation, appendix A. Poolers use
// 08P01 for most of theirs.
var meanings = map[string]string{
	"08P01": "a pooler does not know the database or an option of the address; instead of search_path, use ALTER ROLE … SET search_path",
	"22023": "an option of the address has a bad value",
	"28000": "there is no such user, or it may not connect from here or without TLS",
	"28P01": "the user or the password is wrong",
	"3D000": "there is no such database",
	"42704": "an option of the address does not exist",
	"53300": "there are too many connections",
}

// scrub removes what the server repeats of values.
func scrub(err error) string {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "PostgreSQL error " + refusal.Code + " " + refusal.Severity
	}
	return err.Error()
}

// giveUp resets a connection whose step is given up: the kernel would otherwise go on
// sending its commit for minutes, and a message of it would be sent after newer ones.
type giveUp struct{ conn *pgconn.PgConn }

// HandleCancel is for pgx.
func (g giveUp) HandleCancel(context.Context) {
	conn := g.conn.Conn()
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// HandleUnwatchAfterCancel is for pgx.
func (giveUp) HandleUnwatchAfterCancel() {}
