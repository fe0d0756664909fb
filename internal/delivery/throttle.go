package delivery

import (
	"context"
	"slices"
	"sync"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

const (
	// processLimit is how many messages a process sends at once.
	processLimit = 512
	// A connector's limit is between these, by its rate. At 100 a second, which is
	// Aliyun's number, it allows a latency of a second.
	leastConcurrency = 16
	mostConcurrency  = 128
	// maxWaiting bounds the sends that wait for one of a connector's to end.
	maxWaiting = 1024
	// processMemory and connectorMemory bound the mails that are signed and sent at once,
	// in bytes as encoded: a few connectors whose calls hang hold up no other.
	processMemory   = 48 << 20
	connectorMemory = 16 << 20
	// rateMargin is added to the limiter's period: mails that leave exactly a second
	// apart may arrive at Aliyun a little closer.
	rateMargin = 25 * time.Millisecond
)

// concurrencyOf returns how many messages a connector with that rate sends at once:
// those of one second.
func concurrencyOf(rate connector.Rate) int {
	if rate.Count == 0 {
		return mostConcurrency
	}
	inASecond := int(float64(rate.Count) * float64(time.Second) / float64(rate.Per))
	return min(max(inASecond, leastConcurrency), mostConcurrency)
}

// A rateLimiter spaces sends so that no window of Per has more than Count of them,
// as Aliyun counts. Those that wait are served in order.
type rateLimiter struct {
	rate     connector.Rate
	replicas func() int // each has its part of the rate

	mu      sync.Mutex
	granted []time.Time // the last Count, in order
	waiting []*reservation
	timer   *time.Timer // for the first that waits
}

// A reservation is a place in a rateLimiter.
type reservation struct {
	limiter    *rateLimiter
	superseded <-chan struct{} // closed when its message is
	ready      chan struct{}   // closed when the send may begin
	at         time.Time       // when that was; zero while it waits
}

// reserve takes a place. If it would have to wait longer than most, it takes none,
// and returns how long that would be.
func (l *rateLimiter) reserve(most time.Duration, superseded <-chan struct{}) (r *reservation, wait time.Duration, ok bool) {
	r = &reservation{limiter: l, superseded: superseded, ready: make(chan struct{})}
	if l.rate.Count == 0 {
		close(r.ready)
		return r, 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	// Those that are superseded, perhaps by this one, may not have canceled yet.
	l.waiting = slices.DeleteFunc(l.waiting, func(r *reservation) bool { return isClosed(r.superseded) })
	var planned []time.Time // of those that wait
	for range l.waiting {
		planned = append(planned, l.slot(planned, now))
	}
	if wait = l.slot(planned, now).Sub(now); wait > most {
		return nil, wait, false
	}
	l.waiting = append(l.waiting, r)
	l.grant(now)
	return r, wait, true
}

// slot returns when the next send may begin after those granted and planned.
func (l *rateLimiter) slot(planned []time.Time, now time.Time) time.Time {
	part := max(1, l.rate.Count/max(1, l.replicas()))
	slot := now
	if i := len(l.granted) + len(planned) - part; i >= len(l.granted) {
		slot = planned[i-len(l.granted)].Add(l.rate.Per + rateMargin)
	} else if i >= 0 {
		slot = l.granted[i].Add(l.rate.Per + rateMargin)
	}
	if slot.Before(now) {
		return now
	}
	return slot
}

// grant lets those begin whose time has come, and waits for the next. l.mu is held.
func (l *rateLimiter) grant(now time.Time) {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	for len(l.waiting) > 0 {
		if wait := l.slot(nil, now).Sub(now); wait > 0 {
			l.timer = time.AfterFunc(wait, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.grant(time.Now())
			})
			return
		}
		first := l.waiting[0]
		l.waiting = l.waiting[1:]
		first.at = now
		close(first.ready)
		l.granted = append(l.granted, now)
		if extra := len(l.granted) - l.rate.Count; extra > 0 {
			l.granted = l.granted[extra:]
		}
	}
}

// cancel frees the place, even one that was granted and is not used: those behind
// move up.
func (r *reservation) cancel() {
	l := r.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, r); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	} else if i := slices.Index(l.granted, r.at); i >= 0 {
		l.granted = slices.Delete(l.granted, i, i+1)
	}
	l.grant(time.Now())
}

func (l *rateLimiter) waitingCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// concurrency bounds the messages that are sent at once, for each connector and in
// the process. Queued messages hold a place from their claim on, others during each
// attempt.
type concurrency struct {
	freed chan struct{} // signalled when a place was released

	mu         sync.Mutex
	inUse      int
	connectors map[string]*places
	waiting    []*waiter // in order
}

// places are those of one connector.
type places struct {
	limit, inUse, queued, waiting int
}

type waiter struct {
	id    string
	ready chan struct{} // closed when it has its place
}

// setLimits replaces the limits of all active connectors. Those that are gone keep
// theirs until their last message has ended.
func (c *concurrency) setLimits(limits map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, limit := range limits {
		c.of(id).limit = limit
	}
	for id, p := range c.connectors {
		if _, active := limits[id]; !active && p.inUse+p.waiting == 0 {
			delete(c.connectors, id)
		}
	}
}

// of returns the places of a connector. c.mu is held.
func (c *concurrency) of(id string) *places {
	p, ok := c.connectors[id]
	if !ok {
		p = &places{limit: leastConcurrency}
		c.connectors[id] = p
	}
	return p
}

// room is how many places a connector may still take: up to its limit, and to half
// of what the others leave of the process, so that several accounts that hang hold
// up no other. c.mu is held.
func (c *concurrency) room(p *places) int {
	share := (processLimit - (c.inUse - p.inUse) + 1) / 2
	return min(p.limit, share) - p.inUse
}

// roomForQueued leaves a quarter of a connector's places to those who wait for an
// answer. c.mu is held.
func (c *concurrency) roomForQueued(p *places) int {
	return min(c.room(p), p.limit*3/4-p.queued)
}

// acquire takes a place for one attempt, and waits for one if all are taken. The
// failure is that of a message that cannot be sent in time, or of ctx's cause.
func (c *concurrency) acquire(ctx context.Context, id string, urgent bool, superseded <-chan struct{}) error {
	bound := maxWaiting
	if !urgent {
		bound /= 2
	}
	c.mu.Lock()
	p := c.of(id)
	if c.room(p) > 0 {
		p.inUse++
		c.inUse++
		c.mu.Unlock()
		return nil
	}
	if p.waiting >= bound {
		c.mu.Unlock()
		return errNoPlace
	}
	w := &waiter{id, make(chan struct{})}
	p.waiting++
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()

	var err error
	select {
	case <-w.ready:
		return nil
	case <-superseded:
		err = ErrSuperseded
	case <-ctx.Done():
		err = errNoPlace
	}
	c.mu.Lock()
	i := slices.Index(c.waiting, w)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
		p.waiting--
	}
	c.mu.Unlock()
	if i < 0 { // it has just got its place
		c.release(id, false)
	}
	return err
}

// claimable returns how many queued messages may be claimed, and the connectors that
// have no room for one. What is claimed may all be of one connector, also of one
// that is not known here.
func (c *concurrency) claimable() (n int, full []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = c.roomForQueued(&places{limit: leastConcurrency})
	for id, p := range c.connectors {
		if room := c.roomForQueued(p); room > 0 {
			n = min(n, room)
		} else {
			full = append(full, id)
		}
	}
	slices.Sort(full)
	return n, full
}

// claimed takes the place of a queued message.
func (c *concurrency) claimed(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.of(id)
	p.inUse++
	p.queued++
	c.inUse++
}

// release frees a place, and hands free ones to those who wait.
func (c *concurrency) release(id string, queued bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.of(id)
	p.inUse--
	c.inUse--
	if queued {
		p.queued--
	}
	c.waiting = slices.DeleteFunc(c.waiting, func(w *waiter) bool {
		p := c.of(w.id)
		if c.room(p) <= 0 {
			return false
		}
		p.inUse++
		p.waiting--
		c.inUse++
		close(w.ready)
		return true
	})
	select {
	case c.freed <- struct{}{}:
	default:
	}
}

// load returns how many messages of a connector are sent, and how many wait.
func (c *concurrency) load(id string) (inUse, waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.of(id)
	return p.inUse, p.waiting
}

const (
	breakAfter = 5 // one bad template is not the account
	probeEvery = 30 * time.Second
)

// A breaker spares an account that Aliyun rejects as a whole, for its key or its
// quota: after some rejections in a row it answers as the last of them, and lets one
// message through now and then as a probe.
type breaker struct {
	mu        sync.Mutex
	rejected  int       // in a row
	last      *Error    // the last of them
	nextProbe time.Time // while it is open
}

// check returns the answer to a message that is not to be sent, or nil.
func (b *breaker) check(now time.Time, incident string) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rejected < breakAfter {
		return nil
	}
	if !now.Before(b.nextProbe) {
		b.nextProbe = now.Add(probeEvery)
		return nil
	}
	answer := *b.last
	answer.Incident, answer.untried = incident, true
	answer.Detail = "not sent, as Aliyun has rejected the last messages: " + answer.Detail
	answer.RetryAfter = b.nextProbe.Sub(now)
	return &answer
}

func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rejected >= breakAfter
}

// record learns from a message's end.
func (b *breaker) record(now time.Time, failure *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case failure != nil && (failure.Code == errcode.ProviderRejected || failure.Code == errcode.QuotaExhausted):
		b.rejected++
		b.last = failure
		if b.rejected == breakAfter {
			b.nextProbe = now.Add(probeEvery)
		}
	case failure == nil, failure.Code == errcode.RecipientRejected, failure.Code == errcode.ContentRejected && !failure.isOurs():
		b.rejected = 0 // the account is in order
	}
}
