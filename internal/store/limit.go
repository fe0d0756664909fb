package store

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"dmconnector/internal/delivery"
)

// clockSlack is how much the times of messages that are accepted at once may differ: by
// how long they wait for each other, and by errors in reading clocks.
const clockSlack = 10 * time.Second

// charge charges each limit, or none of them if one is used up; then it returns that
// one and how long to wait. It is the generic cell rate algorithm. All messages charge
// their limits in the same order, so that they do not deadlock.
func charge(t *tx, charges []delivery.Charge, now time.Time) (*delivery.Charge, time.Duration, error) {
	for i, c := range charges {
		per, interval := c.Per.Microseconds(), intervalOf(c)
		at := micros(now)
		// No charge leads beyond this time. What is later was charged while the limit was
		// longer or a clock was wrong, and does not count.
		latest := at + per + clockSlack.Microseconds()
		charged, err := t.exec(`
INSERT INTO rate_limit (subject, full_at) VALUES ($1, $2)
ON CONFLICT (subject) DO UPDATE SET full_at = CASE WHEN rate_limit.full_at > $6 THEN $2 ELSE {greatest}(rate_limit.full_at, $3) + $4 END
WHERE rate_limit.full_at > $6 OR {greatest}(rate_limit.full_at, $3) + $4 <= $5`, c.Subject[:], at+interval, at, interval, at+per, latest)
		if err != nil {
			return nil, 0, err
		}
		if charged == 1 {
			continue
		}
		full, err := value[int64](t, `SELECT full_at FROM rate_limit WHERE subject = $1`, c.Subject[:])
		if err != nil {
			return nil, 0, err
		}
		wait := time.Duration(full+interval-at-per) * time.Microsecond
		return &charges[i], wait, refund(t, charges[:i])
	}
	return nil, 0, nil
}

// refund undoes charges, perhaps of several messages, in the order in which each was
// charged: recipients before clients.
func refund(t *tx, charges []delivery.Charge) error {
	ordered := slices.SortedFunc(slices.Values(charges), func(a, b delivery.Charge) int {
		return cmp.Or(cmp.Compare(b.Limit, a.Limit), bytes.Compare(a.Subject[:], b.Subject[:]))
	})
	for _, c := range ordered {
		if _, err := t.exec(`UPDATE rate_limit SET full_at = full_at - $2 WHERE subject = $1`, c.Subject[:], intervalOf(c)); err != nil {
			return err
		}
	}
	return nil
}

// intervalOf is the time in which one of a limit is refilled, in microseconds.
func intervalOf(c delivery.Charge) int64 { return c.Per.Microseconds() / int64(c.Count) }

// An exceededCache knows for a moment which limits are used up.
type exceededCache struct {
	mu    sync.Mutex
	found map[delivery.Hash]exceeded
}

type exceeded struct {
	at   time.Time // with a monotonic reading
	wait time.Duration
}

const (
	// maxCacheTime bounds how late a refund in another process is noticed.
	maxCacheTime = time.Second
	maxExceeded  = 4096
)

func (c *exceededCache) find(charges []delivery.Charge) (*delivery.Charge, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range charges {
		known, ok := c.found[charges[i].Subject]
		if !ok {
			continue
		}
		if since := time.Since(known.at); since < min(known.wait, maxCacheTime) {
			return &charges[i], known.wait - since
		}
		delete(c.found, charges[i].Subject)
	}
	return nil, 0
}

func (c *exceededCache) add(limit delivery.Charge, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil || len(c.found) >= maxExceeded {
		c.found = make(map[delivery.Hash]exceeded)
	}
	c.found[limit.Subject] = exceeded{time.Now(), wait}
}

func (c *exceededCache) forget(charges []delivery.Charge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range charges {
		delete(c.found, charges[i].Subject)
	}
}
