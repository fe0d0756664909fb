package delivery

import (
	"sync"
	"time"

	"dmconnector/connector"
)

// slack is added to a pacer's time: what leaves here exactly a second after
// something else may arrive at Aliyun a little earlier than that.
const slack = 25 * time.Millisecond

// A pacer spreads sends so that no span of Per has more than Count of them, as
// Aliyun counts. It hands out times in the order of asking.
type pacer struct {
	per time.Duration

	mu   sync.Mutex
	last []time.Time // the last Count times handed out, as a ring
	next int
}

// newPacer returns nil for a rate that is off.
func newPacer(rate connector.Rate) *pacer {
	if rate.Count == 0 {
		return nil
	}
	return &pacer{per: rate.Per + slack, last: make([]time.Time, rate.Count)}
}

// reserve returns how long to wait for the next free time. If that is longer
// than most, nothing is reserved. Of processes that share the pace each has its
// part of it.
func (p *pacer) reserve(now time.Time, most time.Duration, processes int) (time.Duration, bool) {
	if p == nil {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	part := max(1, len(p.last)/max(1, processes))
	slot := p.last[(p.next+len(p.last)-part)%len(p.last)]
	if !slot.IsZero() {
		slot = slot.Add(p.per)
	}
	if slot.Before(now) {
		slot = now
	}
	wait := slot.Sub(now)
	if wait > most {
		return wait, false
	}
	p.last[p.next] = slot
	p.next = (p.next + 1) % len(p.last)
	return wait, true
}
