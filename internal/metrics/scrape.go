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

// loads shows what the connectors have to do at the time of a scrape.
type loads struct {
	read                        func() []delivery.Load
	inFlight, waiting, refusing *prometheus.Desc
}

func newLoads(read func() []delivery.Load) *loads {
	return &loads{
		read:     read,
		inFlight: describe("in_flight", "Calls of Aliyun under way.", "connector"),
		waiting:  describe("waiting", "Messages that wait for their connector's pace, for a place, or for their next attempt.", "connector"),
		refusing: describe("breaker_open", "1 while Aliyun refuses the account as a whole, and messages are refused without a call.", "connector"),
	}
}

func (l *loads) Describe(c chan<- *prometheus.Desc) {
	c <- l.inFlight
	c <- l.waiting
	c <- l.refusing
}

func (l *loads) Collect(c chan<- prometheus.Metric) {
	for _, load := range l.read() {
		open := 0.0
		if load.BreakerOpen {
			open = 1
		}
		c <- gauge(l.inFlight, float64(load.InFlight), load.Connector)
		c <- gauge(l.waiting, float64(load.Waiting), load.Connector)
		c <- gauge(l.refusing, open, load.Connector)
	}
}

const (
	// backlogFor is how long the backlog is not looked at again, however many ask.
	backlogFor = 5 * time.Second
	// backlogTime is how long a scrape waits for the state.
	backlogTime = time.Second
)

// A backlog shows what is queued, or that the state does not say.
type backlog struct {
	metrics          *Metrics
	read             func(context.Context) (delivery.Backlog, error)
	up, queued, late *prometheus.Desc

	mu      sync.Mutex
	current seen
	reading chan struct{} // closed when the look at the state that is under way ends
}

// seen is what a look at the state has shown.
type seen struct {
	delivery.Backlog
	at time.Time
	ok bool
}

func (m *Metrics) newBacklog(read func(context.Context) (delivery.Backlog, error)) *backlog {
	return &backlog{
		metrics: m, read: read,
		up:     describe("state_up", "Whether the state answered the last question about the queue."),
		queued: describe("queue_depth", "Queued messages in the state, for all processes that share it; 100000 also stands for more."),
		late:   describe("queue_oldest_due_seconds", "For how long the oldest queued message has been due."),
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

// look returns what is known, and finds out if that is old. There is one look at a
// time, even if the state does not keep to its deadline.
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
