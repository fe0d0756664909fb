// Package store keeps the state: messages (one table is idempotency, delivery log and
// queue), limits, connectors, email templates, callers' tokens, sessions and the audit
// trail. One set of statements runs on SQLite, for one process, and on PostgreSQL, which
// several processes may share; nothing above this package knows which.
//
// Addresses, IPs and keys are stored as keyed hashes. What must be read again, such as a
// connector's secrets or a queued message, is sealed.
package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"dmconnector/internal/delivery"
	"dmconnector/internal/seal"
)

// Options say which state to open, and how.
type Options struct {
	// State is "sqlite:<path>", "postgres://…", or "memory", which is lost at the end.
	State string
	// Ring has the sealing keys. Nil means a new key, for memory only.
	Ring *seal.Ring
	Log  *slog.Logger
	// LockWait is how long to wait for another process to release a SQLite file.
	LockWait time.Duration
	// Shared opens the state beside a process that may be serving on it, for a short
	// command. It reclaims nothing.
	Shared bool
	// Retention is how long messages are kept; 0 means 30 days.
	Retention time.Duration
}

// A Store is an open state. It is safe for concurrent use.
type Store struct {
	engine engine
	kind   Kind
	ring   *seal.Ring
	log    *slog.Logger
	shared bool
	secret []byte // of the hashes
	self   string // this process, among those that share the state

	retention   time.Duration
	maxMessages int // in memory
	maxUnsent   int // of a connector
	exceeded    exceededCache
	rejected    rejectedLog
	queued      *queueSizes
	replicas    atomic.Int64
	expired     atomic.Int64 // queued messages
	health      health
	damage      damage
	times       *semaphore.Weighted // who uses the time holds one; who sets it, all
	due         topic               // messages may be due
	configured  topic               // the configuration may have changed
}

// An engine runs steps on one kind of database. When a transaction is committed, it
// signals the transaction's topics.
type engine interface {
	// write runs a step in a transaction, perhaps more than once: its last run counts.
	// After an error it may still be running, and what it sets must not be looked at.
	write(ctx context.Context, step func(*tx) error) error
	// read runs a step that only reads. The same holds after an error.
	read(ctx context.Context, step func(*tx) error) error
	// snapshot is read with all statements seeing the state as of one moment.
	snapshot(ctx context.Context, step func(*tx) error) error
	// now is the state's time.
	now() time.Time
	// watch signals the topics of other processes, and keeps now right, until ctx ends.
	watch(ctx context.Context)
	close() error
}

// Open opens the state, brings its tables up to date, and reclaims what a crash of this
// process's predecessor left behind.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s, err := open(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open is [Open] without a look at what the state holds.
func open(ctx context.Context, opts Options) (*Store, error) {
	address, err := ParseAddress(opts.State)
	if err != nil {
		return nil, err
	}
	kind := address.Kind
	s := &Store{
		kind: kind, ring: opts.Ring, log: opts.Log, shared: opts.Shared, self: uuid.NewString(),
		retention: opts.Retention, maxMessages: maxInMemory, maxUnsent: maxUnsent, queued: newQueueSizes(), times: semaphore.NewWeighted(allTimes), due: newTopic(), configured: newTopic(),
	}
	s.replicas.Store(1)
	if s.retention == 0 {
		s.retention = 30 * 24 * time.Hour
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.ring == nil {
		if kind != Memory {
			return nil, errors.New("a state that lasts needs a key")
		}
		if s.ring, err = seal.NewRing(seal.NewKey()); err != nil {
			return nil, err
		}
	}
	opts.Log = s.log
	switch kind {
	case Postgres:
		s.engine, err = openPostgres(ctx, address.postgres, s.log, s.heard)
	case SQLite:
		s.engine, err = openSQLite(ctx, address.Path, opts, &s.damage, s.heard)
	default:
		s.engine, err = openSQLite(ctx, inMemory, opts, &s.damage, s.heard)
	}
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	s.startRejectedLog()
	return s, nil
}

// prepare reads the key of the hashes, and reclaims what was left behind.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.readHashKey(ctx); err != nil {
		return err
	}
	if s.shared {
		return nil
	}
	if s.kind == Postgres {
		return s.heartbeat(ctx)
	}
	if err := s.followClockAtStart(ctx); err != nil && !isDamage(err) {
		return err
	}
	if err := s.reclaim(ctx, everyLease); err != nil && !isDamage(err) {
		return err
	}
	return nil // what can be read goes on
}

// Close ends the store, when nothing uses it any more. It waits some seconds for a state
// that hangs, and then says so in the error.
func (s *Store) Close() error {
	s.rejected.stop()
	if s.kind == Postgres && !s.shared {
		// The other replicas need not wait until this one's heartbeat is too old.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, _ = s.exec(ctx, `DELETE FROM replica WHERE id = $1`, s.self)
		cancel()
	}
	return s.engine.close()
}

// hashKeyName names the key of the hashes in table secret.
const hashKeyName = "hash"

// readHashKey reads the key of the hashes, which the first start makes. It is sealed, so
// that a start with a wrong key ends here.
func (s *Store) readHashKey(ctx context.Context) error {
	sealed, err := transact(ctx, s.engine.write, func(t *tx) ([]byte, error) {
		fresh := s.ring.Seal(hashKeyName, seal.NewKey())
		if _, err := t.exec(`INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, hashKeyName, fresh); err != nil {
			return nil, err
		}
		return value[[]byte](t, `SELECT value FROM secret WHERE name = $1`, hashKeyName)
	})
	if err != nil {
		return fmt.Errorf("read the key of the hashes: %w", err)
	}
	s.secret, err = s.ring.Open(hashKeyName, sealed)
	if errors.Is(err, seal.ErrOtherKey) {
		return errOtherKey
	}
	if err != nil {
		return fmt.Errorf("open the key of the hashes: %w", err)
	}
	return nil
}

var errOtherKey = errors.New("the state was sealed with another key than DMCONNECTOR_SECRET_KEY or the data folder's secret-key: start with that key; dmconnector state rekey changes it")

// Hash returns the hash of what the parts name.
func (s *Store) Hash(parts ...string) delivery.Hash {
	mac := hmac.New(sha256.New, s.secret)
	for i, part := range parts {
		if i > 0 {
			mac.Write([]byte{0})
		}
		mac.Write([]byte(part))
	}
	return delivery.Hash(mac.Sum(nil))
}

// Kind returns the kind of the state.
func (s *Store) Kind() Kind { return s.kind }

// Replicas is how many processes share the state, this one included.
func (s *Store) Replicas() int { return int(s.replicas.Load()) }

// Wake is signalled when a queued message may be due.
func (s *Store) Wake() <-chan struct{} { return s.due }

// ConfigurationChanged is signalled when connectors, templates or tokens may have
// changed.
func (s *Store) ConfigurationChanged() <-chan struct{} { return s.configured }

// write runs a step, and records whether the state can be written. A step that changed
// nothing says nothing about that: it would succeed on a full disk.
func (s *Store) write(ctx context.Context, step func(*tx) error) error {
	var changed int64
	err := s.engine.write(ctx, func(t *tx) error {
		err := step(t)
		changed = t.changed
		return err
	})
	if err != nil || changed > 0 {
		s.health.record(err)
	}
	return err
}

// exec is a write of one statement. It returns how many rows that changed.
func (s *Store) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	return transact(ctx, s.write, func(t *tx) (int64, error) { return t.exec(statement, args...) })
}

// A topic is signalled, without counting how often.
type topic chan struct{}

func newTopic() topic { return make(topic, 1) }

func (t topic) signal() {
	select {
	case t <- struct{}{}:
	default:
	}
}

// The topics that processes tell each other of.
const (
	topicQueue         = "queue"
	topicConfiguration = "configuration"
)

func (s *Store) heard(name string) {
	switch name {
	case topicQueue:
		s.due.signal()
	case topicConfiguration:
		s.configured.signal()
	}
}

// micros is how times are stored; 0 means none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
