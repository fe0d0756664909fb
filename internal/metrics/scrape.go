package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dmconnector/internal/delivery"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// loads collects what the connectors have to do at the time of a scrape.
type loads struct {
	read                       func() []delivery.Load
	inFlight, waiting, breaker *prometheus.Desc
}

func newLoads(read func() []delivery.Load) *loads {
	return &loads{
		read:     read,
		inFlight: describe("messages_in_flight", "Messages being sent.", "connector"),
		waiting:  describe("messages_waiting", "Messages waiting for the connector's rate, for a free slot, or for their next attempt.", "connector"),
		breaker:  describe("circuit_breaker_open", "1 while the circuit breaker is open: Aliyun rejects the account, and messages are rejected without a request.", "connector"),
	}
}

func (l *loads) Describe(c chan<- *prometheus.Desc) {
	c <- l.inFlight
	c <- l.waiting
	c <- l.breaker
}

func (l *loads) Collect(c chan<- prometheus.Metric) {
	for _, load := range l.read() {
		open := 0.0
		if load.BreakerOpen {
			open = 1
		}
		c <- gauge(l.inFlight, float64(load.InFlight), load.Connector)
		c <- gauge(l.waiting, float64(load.Waiting), load.Connector)
		c <- gauge(l.breaker, open, load.Connector)
	}
}

const (
	// backlogFor is how long a read backlog is served to all scrapes.
	backlogFor = 5 * time.Second
	// backlogTime is how long a scrape waits for the state.
	backlogTime = time.Second
)

// A backlog collects what is queued, or that the state does not answer.
type backlog struct {
	metrics          *Metrics
	read             func(context.Context) (delivery.Backlog, error)
	up, queued, late *prometheus.Desc

	mu      sync.Mutex
	current seen
	reading chan struct{} // closed when the read in progress ends; nil if there is none
}

// seen is the result of the last read.
type seen struct {
	delivery.Backlog
	at time.Time
	ok bool
}

func (m *Metrics) newBacklog(read func(context.Context) (delivery.Backlog, error)) *backlog {
	return &backlog{
		metrics: m, read: read,
		up:     describe("state_up", "1 if the state answered the last query about the queue, else 0."),
		queued: describe("queue_depth", "Queued messages in the state, which all replicas share; at most 100000 are counted."),
		late:   describe("queue_oldest_overdue_seconds", "Time since the oldest queued message became due."),
	}
}

func (b *backlog) Describe(c chan<- *prometheus.Desc) {
	c <- b.up
	c <- b.queued
	c <- b.late
}

func (b *backlog) Collect(c chan<- prometheus.Metric) {
	now := b.look()
	if !now.ok {
		c <- gauge(b.up, 0)
		return
	}
	c <- gauge(b.up, 1)
	c <- gauge(b.queued, float64(now.Queued))
	c <- gauge(b.late, now.Late.Seconds())
}

// look returns the last result, and reads anew if that is old. There is one read at a
// time, even if the state misses its deadline.
func (b *backlog) look() seen {
	b.mu.Lock()
	if b.current.at.IsZero() || time.Since(b.current.at) >= backlogFor {
		if b.reading == nil {
			b.reading = make(chan struct{})
			go b.refresh(b.reading)
		}
	}
	current, reading := b.current, b.reading
	b.mu.Unlock()
	if reading == nil {
		return current
	}
	bound := time.NewTimer(backlogTime)
	defer bound.Stop()
	select {
	case <-reading:
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.current
	case <-bound.C:
		return seen{}
	}
}

func (b *backlog) refresh(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTime)
	defer cancel()
	found, err := timed(b.metrics, lookingAt, func() (delivery.Backlog, error) { return b.read(ctx) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = seen{found, time.Now(), err == nil}
	b.reading = nil
	close(done)
}
