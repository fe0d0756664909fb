// Package metrics counts what happens to messages, and shows it to Prometheus. No
// label has a value that a caller could choose, so that the series are bounded by
// the connectors, and those of a connector go with it.
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

// Options are what [Metrics] need. None may be left out.
type Options struct {
	Version, State string // of the program; the kind of its state
	// Loads tells what the connectors in force have to do.
	Loads func() []delivery.Load
	// Backlog tells what is queued, and Expired how many queued messages were not
	// sent while they were good.
	Backlog func(context.Context) (delivery.Backlog, error)
	Expired func() int64
}

// Metrics are all that is counted. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	codes    map[errcode.Code]bool
	types    map[string]bool

	// mu is held while something is counted, so that it is not counted for a
	// connector that has just gone.
	mu    sync.RWMutex
	known map[string]bool // the connectors in force

	sends, attempts, limits, fallbacks, missing *prometheus.CounterVec
	refused, stateErrors                        *prometheus.CounterVec
	sendTime, callTime, stateTime               *prometheus.HistogramVec
}

// Buckets in seconds. The service answers within 8, and its callers give up at 10.
var (
	sendBuckets  = []float64{0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 7.5, 8, 10}
	stateBuckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3}
)

// other stands for codes that are not known here.
const other = "other"

// refusals are the codes of requests that never become a message.
var refusals = []errcode.Code{
	errcode.InvalidRequest, errcode.Unauthorized, errcode.Forbidden, errcode.MethodNotAllowed,
	errcode.ConnectorNotFound, errcode.Unavailable, errcode.Internal,
}

// New returns metrics that have counted nothing yet.
func New(opts Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		codes:    make(map[errcode.Code]bool), types: make(map[string]bool), known: make(map[string]bool),
	}
	for _, kind := range errcode.Kinds() {
		if kind.Message || slices.Contains(refusals, kind.Code) {
			m.codes[kind.Code] = true
		}
	}
	for _, label := range delivery.TypeLabels() {
		m.types[label] = true
	}
	m.sends = m.counter("sends_total", "Messages by how they ended, and the tries of queued ones. The outcome queued without a code: the caller was told so; with one: it will be tried again.", "connector", "type", "mode", "outcome", "code")
	m.attempts = m.counter("attempts_total", "Calls of Aliyun by the class of the answer: accepted, throttled, retry (not reached), operator, content, recipient, quota, unknown.", "connector", "class")
	m.limits = m.counter("limits_hit_total", "Messages refused because a limit was used up: recipient, ip, connector (its pace), tester.", "connector", "limit")
	m.fallbacks = m.counter("template_fallbacks_total", "Messages for which another template stood in: kind usage_type, one for Generic; kind language, one in none of the languages asked for.", "connector", "type", "kind")
	m.missing = m.counter("missing_variables_total", "Variables of templates that messages did not carry.", "connector", "type")
	m.refused = m.counter("requests_refused_total", "Send requests that never became a message.", "code")
	m.stateErrors = m.counter("state_errors_total", "Steps of the state that failed.", "operation")
	m.sendTime = m.histogram("send_duration_seconds", "How long callers waited for the answer about a message, from the request on.", sendBuckets, "connector", "mode")
	m.callTime = m.histogram("aliyun_duration_seconds", "How long Aliyun took to answer a call.", sendBuckets, "connector")
	m.stateTime = m.histogram("state_duration_seconds", "How long steps of the state took.", stateBuckets, "operation")
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newLoads(opts.Loads),
		m.newBacklog(opts.Backlog),
		prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: namespace + "queue_expired_total", Help: "Queued messages that were not sent while they were good."},
			func() float64 { return float64(opts.Expired()) },
		),
		buildInfo(opts),
	)
	for _, code := range refusals {
		m.refused.WithLabelValues(string(code))
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

func buildInfo(opts Options) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: namespace + "build_info", Help: "Always 1: the version, the Go that built it, and the kind of state.",
		ConstLabels: prometheus.Labels{"version": opts.Version, "goversion": runtime.Version(), "state": opts.State},
	})
	info.Set(1)
	return info
}

// maxScrapes is how many scrapes are answered at once: anybody may ask.
const maxScrapes = 4

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes,
		ErrorHandling:       promhttp.ContinueOnError,
	})
}
