package store

import (
	"context"
	"database/sql"
	"maps"
	"sync"
	"time"

	"dmconnector/internal/delivery"
)

// A size is what messages take whose content is stored.
type size struct {
	messages int
	bytes    int64 // of the sealed contents
}

func (s size) plus(messages int, bytes int64) size {
	return size{s.messages + messages, s.bytes + bytes}
}

// queueLimit bounds what one connector has queued, and apart from that what it keeps of
// ended messages for an admin's retry.
var queueLimit = size{100_000, 256 << 20}

const (
	// countInterval is how old the count of what is queued may be at most, unless counting
	// takes more than one countShare of the time.
	countInterval = time.Second
	countShare    = 20
)

// queueSizes know how much each connector has queued: what was counted last, and what
// this process has queued since. So the limit costs a send nothing, but other processes
// may exceed it by what they queue between two counts.
type queueSizes struct {
	limit size

	mu             sync.Mutex
	counted, added map[string]size
}

func newQueueSizes() *queueSizes {
	return &queueSizes{limit: queueLimit, counted: make(map[string]size), added: make(map[string]size)}
}

// reserve takes room for a message, and reports whether there was enough.
func (q *queueSizes) reserve(e *delivery.Entry) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	counted, added := q.counted[e.Connector], q.added[e.Connector].plus(1, int64(len(e.Payload)))
	if counted.messages+added.messages > q.limit.messages || counted.bytes+added.bytes > q.limit.bytes {
		return false
	}
	q.added[e.Connector] = added
	return true
}

// release gives back the room of a message that was not queued.
func (q *queueSizes) release(e *delivery.Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.added[e.Connector] = q.added[e.Connector].plus(-1, -int64(len(e.Payload)))
}

// QueueUse returns which share of its queue each connector uses, of the messages or of
// their bytes, whichever is more. Connectors that have queued nothing may be missing.
func (s *Store) QueueUse() map[string]float64 {
	q := s.queued
	q.mu.Lock()
	defer q.mu.Unlock()
	use := make(map[string]float64)
	for connector, counted := range q.counted {
		use[connector] = max(float64(counted.messages)/float64(q.limit.messages), float64(counted.bytes)/float64(q.limit.bytes))
	}
	return use
}

// watchQueue counts what is queued, again and again until ctx ends.
func (s *Store) watchQueue(ctx context.Context) {
	for ctx.Err() == nil {
		begun := time.Now()
		s.try(ctx, "count what is queued", s.countQueue)
		sleep(ctx, max(countInterval, countShare*time.Since(begun)))
	}
}

// countQueue counts what is queued and what is kept of ended messages. Of the latter it
// erases the oldest beyond the limit.
func (s *Store) countQueue(ctx context.Context) error {
	q := s.queued
	q.mu.Lock()
	before := maps.Clone(q.added)
	q.mu.Unlock()
	queued, kept := make(map[string]size), make(map[string]size)
	err := s.engine.read(ctx, func(t *tx) error {
		clear(queued)
		clear(kept)
		return t.each(func(rows *sql.Rows) error {
			var (
				connector string
				waits     bool
				found     size
			)
			err := rows.Scan(&connector, &waits, &found.messages, &found.bytes)
			if waits {
				queued[connector] = found
			} else {
				kept[connector] = found
			}
			return err
		}, `SELECT connector, state IN ('queued', 'sending'), count(*), sum(length(payload)) FROM message WHERE payload IS NOT NULL GROUP BY 1, 2`)
	})
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.counted = queued
	for connector, counted := range before {
		if q.added[connector] = q.added[connector].plus(-counted.messages, -counted.bytes); q.added[connector] == (size{}) {
			delete(q.added, connector)
		}
	}
	q.mu.Unlock()
	for connector, found := range kept {
		room := int(q.limit.bytes * int64(found.messages) / found.bytes) // for contents of the mean length
		if err := s.eraseKept(ctx, connector, found.messages-min(room, q.limit.messages)); err != nil {
			return err
		}
	}
	return nil
}

// eraseKept erases the contents of that many ended messages, those first that expire
// first.
func (s *Store) eraseKept(ctx context.Context, connector string, count int) error {
	for count > 0 {
		erased, err := s.exec(ctx, `
UPDATE message SET payload = NULL
WHERE id IN (SELECT id FROM message WHERE payload IS NOT NULL AND connector = $1 AND state NOT IN ('queued', 'sending')
	ORDER BY expires_at LIMIT $2 {skip locked})`, connector, min(count, chunk))
		if err != nil || erased == 0 {
			return err
		}
		count -= int(erased)
	}
	return nil
}
