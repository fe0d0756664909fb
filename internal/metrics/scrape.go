package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"dmconnector/internal/delivery"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

// A collector makes metrics at the time of a scrape.
type collector struct {
	descs   []*prometheus.Desc
	collect func(c chan<- prometheus.Metric)
}

func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
}

func (c collector) Collect(metrics chan<- prometheus.Metric) { c.collect(metrics) }

// newLoads collects what the connectors have to do.
func newLoads(read func() []delivery.Load) collector {
	inFlight := describe("messages_in_flight", "Messages being sent.", "connector")
	waiting := describe("messages_waiting", "Messages waiting for the connector's rate, for a free slot, or for their next attempt.", "connector")
	breaker := describe("circuit_breaker_open", "1 while the circuit breaker is open: Aliyun rejects the account, and messages are rejected without a request.", "connector")
	return collector{[]*prometheus.Desc{inFlight, waiting, breaker}, func(c chan<- prometheus.Metric) {
		for _, load := range read() {
			open := 0.0
			if load.BreakerOpen {
				open = 1
			}
			c <- gauge(inFlight, float64(load.InFlight), load.Connector)
			c <- gauge(waiting, float64(load.Waiting), load.Connector)
			c <- gauge(breaker, open, load.Connector)
		}
	}}
}

// newBacklog collects what is queued, or that the state does not answer.
func (m *Metrics) newBacklog(read func(context.Context) (delivery.Backlog, error)) collector {
	up := describe("state_up", "1 if a send would work, as /readyz says, else 0.")
	queued := describe("queue_depth", "Queued messages in the state, which all replicas share; at most 100000 are counted.")
	late := describe("queue_oldest_overdue_seconds", "Time since the oldest queued message became due.")
	b := &backlog{metrics: m, read: read}
	return collector{[]*prometheus.Desc{up, queued, late}, func(c chan<- prometheus.Metric) {
		now := b.look()
		if !now.ok {
			c <- gauge(up, 0)
			return
		}
		c <- gauge(up, 1)
		c <- gauge(queued, float64(now.Queued))
		c <- gauge(late, now.Late.Seconds())
	}}
}

// newQueueUse collects how full the queues of the active connectors are.
func (m *Metrics) newQueueUse(read func() map[string]float64) collector {
	use := describe("queue_use_ratio", "Share of the connector's queue in use: of 100,000 messages or of 256 MiB, whichever is more. At 1, queued messages are rejected as overloaded.", "connector")
	return collector{[]*prometheus.Desc{use}, func(c chan<- prometheus.Metric) {
		found := read()
		m.mu.RLock()
		defer m.mu.RUnlock()
		for id := range m.known {
			c <- gauge(use, found[id], id)
		}
	}}
}

const (
	// backlogFor is how long a read backlog is served to all scrapes.
	backlogFor = 5 * time.Second
	// backlogTime is how long a scrape waits for the state.
	backlogTime = time.Second
)

// A backlog reads what is queued, one read at a time.
type backlog struct {
	metrics *Metrics
	read    func(context.Context) (delivery.Backlog, error)
	reads   singleflight.Group
	last    seen // used inside reads alone
}

// seen is the result of a read.
type seen struct {
	delivery.Backlog
	at time.Time
	ok bool
}

// look returns the last result, and reads anew if that is old. It does not wait for a
// state that misses its deadline.
func (b *backlog) look() seen {
	result := b.reads.DoChan("", func() (any, error) {
		if b.last.at.IsZero() || time.Since(b.last.at) >= backlogFor {
			ctx, cancel := context.WithTimeout(context.Background(), backlogTime)
			defer cancel()
			found, err := timed(b.metrics, lookingAt, func() (delivery.Backlog, error) { return b.read(ctx) })
			b.last = seen{found, time.Now(), err == nil}
		}
		return b.last, nil
	})
	select {
	case r := <-result:
		return r.Val.(seen)
	case <-time.After(backlogTime):
		return seen{}
	}
}
