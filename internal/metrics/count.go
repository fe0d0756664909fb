package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dmconnector/aliyundm"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// Observe counts how a message ended. It is for [delivery.Options].
func (m *Metrics) Observe(o delivery.Observation) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	id, usageType := bounded(m.known, o.Connector, ""), bounded(m.types, o.Type, other)
	m.messages.WithLabelValues(id, usageType, string(o.Mode), string(o.State), bounded(m.codes, o.Code, other)).Inc()
	if o.Limit != "" {
		m.limits.WithLabelValues(id, o.Limit).Inc()
	}
	if !o.FromQueue {
		m.sendTime.WithLabelValues(id, string(o.Mode)).Observe(o.Took.Seconds())
	}
	if o.Unread {
		m.unread.WithLabelValues(id).Inc()
	}
	// A message that will be retried is counted at its end.
	if o.Template == nil || o.State == delivery.StateQueued {
		return
	}
	if o.Template.Generic {
		m.fallbacks.WithLabelValues(id, usageType, "usage_type").Inc()
	}
	if o.Template.Unmatched {
		m.fallbacks.WithLabelValues(id, usageType, "language").Inc()
	}
	if n := len(o.Template.Missing); n > 0 {
		m.missing.WithLabelValues(id, usageType).Add(float64(n))
	}
}

// Rejected counts a send request that never became a message.
func (m *Metrics) Rejected(code errcode.Code) {
	m.rejected.WithLabelValues(bounded(m.codes, code, other)).Inc()
}

// bounded returns a label's value if it is a known one, else another.
func bounded[T ~string](known map[T]bool, value T, otherwise string) string {
	if known[value] {
		return string(value)
	}
	return otherwise
}

// Connectors returns the connectors with their requests to Aliyun counted. They are the
// active ones from now on: the series of all others end.
func (m *Metrics) Connectors(connectors map[string]delivery.Connector) map[string]delivery.Connector {
	counted, known := make(map[string]delivery.Connector, len(connectors)), make(map[string]bool, len(connectors))
	for id, c := range connectors {
		c.Sender = &sender{c.Sender, m, id}
		counted[id], known[id] = c, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := m.known
	m.known = known
	for id := range gone {
		if !known[id] {
			for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
				m.messages, m.requests, m.limits, m.fallbacks, m.missing, m.unread, m.sendTime, m.requestTime,
			} {
				v.DeletePartialMatch(prometheus.Labels{"connector": id})
			}
		}
	}
	// A series that exists from the start has a rate from its first failure on.
	for id := range known {
		for _, class := range classes {
			m.requests.WithLabelValues(id, class)
		}
		m.unread.WithLabelValues(id)
	}
	return counted
}

// A sender counts the requests of one connector.
type sender struct {
	delivery.Sender
	metrics *Metrics
	id      string
}

func (s *sender) SingleSendMail(ctx context.Context, mail *aliyundm.Mail) (*aliyundm.Receipt, error) {
	begun := time.Now()
	receipt, err := s.Sender.SingleSendMail(ctx, mail)
	took := time.Since(begun)
	m := s.metrics
	m.mu.RLock()
	defer m.mu.RUnlock()
	id := bounded(m.known, s.id, "")
	m.requests.WithLabelValues(id, classOf(err)).Inc()
	m.requestTime.WithLabelValues(id).Observe(took.Seconds())
	return receipt, err
}

const (
	accepted  = "accepted"
	throttled = "throttled"
)

// classes are all that [classOf] returns.
var classes = []string{
	accepted, throttled, string(aliyundm.Retry), string(aliyundm.Operator), string(aliyundm.Content),
	string(aliyundm.Recipient), string(aliyundm.Quota), string(aliyundm.Unknown),
}

// classOf is the class of a response. An unclassified error may hide an accepted mail.
func classOf(err error) string {
	if err == nil {
		return accepted
	}
	answer, ok := errors.AsType[*aliyundm.Error](err)
	switch {
	case !ok:
		return string(aliyundm.Unknown)
	case answer.Throttled():
		return throttled
	default:
		return string(answer.Class)
	}
}
