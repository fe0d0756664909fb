// Package metrics counts what happens to messages, for Prometheus. No label has a value
// that a caller could choose, so the series are bounded by the connectors. A
// connector's series end with it.
package metrics

import (
	"context"
	"net/http"
	"runtime"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// Options are what [Metrics] need. All are required.
type Options struct {
	Version, State string // of the program; the kind of its state
	// Loads returns what the active connectors have to do.
	Loads func() []delivery.Load
	// PendingOutcomes returns how many outcomes wait to be recorded, and how many were
	// dropped.
	PendingOutcomes func() (waiting int, dropped int64)
	// Backlog returns what is queued, and Expired how many queued messages have
	// expired.
	Backlog func(context.Context) (delivery.Backlog, error)
	// QueueUse returns which share of its queue each connector uses.
	QueueUse func() map[string]float64
	Expired  func() int64
}

// Metrics are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	codes    map[errcode.Code]bool
	types    map[string]bool

	// mu is held while something is counted, so that nothing is counted for a connector
	// that is being removed.
	mu    sync.RWMutex
	known map[string]bool // the active connectors

	messages, requests, limits, fallbacks, missing, unread *prometheus.CounterVec
	rejected, stateErrors                                  *prometheus.CounterVec
	sendTime, requestTime, stateTime                       *prometheus.HistogramVec
}

// Buckets in seconds. The service answers within 8, and its callers give up at 10.
var (
	sendBuckets  = []float64{0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 7.5, 8, 10}
	stateBuckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3}
)

// other is the label of unknown codes and usage types.
const other = "other"

// rejections are the codes of requests that never become a message.
var rejections = []errcode.Code{
	errcode.InvalidRequest, errcode.Unauthorized, errcode.Forbidden, errcode.MethodNotAllowed,
	errcode.ConnectorNotFound, errcode.Unavailable, errcode.Internal,
}

// New returns metrics that have counted nothing yet.
func New(opts Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		codes:    map[errcode.Code]bool{"": true}, types: make(map[string]bool), known: make(map[string]bool),
	}
	for _, kind := range errcode.Kinds() {
		if kind.Message || slices.Contains(rejections, kind.Code) {
			m.codes[kind.Code] = true
		}
	}
	for _, label := range delivery.TypeLabels() {
		m.types[label] = true
	}
	m.messages = m.counter("messages_total", "Messages by their state at the end of a request or of an attempt. The state queued without a code: accepted for the queue; with a code: will be retried.", "connector", "type", "mode", "state", "code")
	m.requests = m.counter("aliyun_requests_total", "Requests to Aliyun by the class of the response: accepted, throttled, retry (not reached), operator, content, recipient, quota, unknown.", "connector", "class")
	m.limits = m.counter("rate_limit_exceeded_total", "Messages rejected by a rate limit: recipient, ip, connector, tester.", "connector", "limit")
	m.fallbacks = m.counter("template_fallbacks_total", "Messages composed with a fallback template. Kind usage_type: the template for Generic; kind language: a language that was not requested.", "connector", "type", "kind")
	m.missing = m.counter("missing_variables_total", "Template variables that a message did not contain.", "connector", "type")
	m.unread = m.counter("unreadable_client_ips_total", "Messages whose ip could not be read. They share one limit.", "connector")
	m.rejected = m.counter("requests_rejected_total", "Send requests that were rejected before they became a message.", "code")
	m.stateErrors = m.counter("state_operation_errors_total", "Operations on the state that failed.", "operation")
	m.sendTime = m.histogram("send_duration_seconds", "Time from a send request to its response.", sendBuckets, "connector", "mode")
	m.requestTime = m.histogram("aliyun_request_duration_seconds", "Time from a request to Aliyun to its response.", sendBuckets, "connector")
	m.stateTime = m.histogram("state_operation_duration_seconds", "Time of operations on the state.", stateBuckets, "operation")
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newLoads(opts.Loads),
		m.newBacklog(opts.Backlog),
		m.newQueueUse(opts.QueueUse),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: namespace + "queue_expired_total", Help: "Queued messages that expired before they could be sent."},
			func() float64 { return float64(opts.Expired()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: namespace + "pending_outcomes", Help: "Outcomes that could not be recorded yet and are being retried."},
			func() float64 { waiting, _ := opts.PendingOutcomes(); return float64(waiting) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: namespace + "outcomes_dropped_total", Help: "Outcomes that could not be recorded and were given up."},
			func() float64 { _, dropped := opts.PendingOutcomes(); return float64(dropped) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: namespace + "build_info", Help: "Always 1. The labels are the program's version, the version of Go, and the kind of state.",
			ConstLabels: prometheus.Labels{"version": opts.Version, "goversion": runtime.Version(), "state": opts.State},
		}, func() float64 { return 1 }),
	)
	for _, code := range rejections {
		m.rejected.WithLabelValues(string(code))
	}
	for _, operation := range operations {
		m.stateErrors.WithLabelValues(operation)
		m.stateTime.WithLabelValues(operation)
	}
	return m
}

const namespace = "dmconnector_"

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// maxScrapes bounds concurrent scrapes: they need no token.
const maxScrapes = 4

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		ErrorHandling:       promhttp.ContinueOnError,
	})
}
