package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dmconnector/internal/delivery"
)

const (
	maxBuckets   = 200
	defaultStep  = time.Minute
	maxStep      = 31 * 24 * time.Hour
	defaultRange = time.Hour
)

var statisticsKeys = []string{"since", "until", "step", "connector", "type"}

type statistics struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Step  int       `json:"step"` // seconds
	delivery.Statistics
}

func (s *Server) readStatistics(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := queryFields(r, statisticsKeys...)
	if err != nil {
		return err
	}
	q := statisticsQuery(f, time.Now())
	if err := f.err(); err != nil {
		return err
	}
	counted, err := s.opts.Messages.Statistics(r.Context(), q)
	if err != nil {
		return stateProblem(err)
	}
	writeAnswer(w, statistics{q.Since, q.Until, int(q.Step / time.Second), counted})
	return nil
}

// statisticsQuery reads what to count: the hour before now, unless the request says
// otherwise.
func statisticsQuery(f *fields, now time.Time) delivery.StatisticsQuery {
	q := delivery.StatisticsQuery{
		Since: f.time("since"), Until: f.time("until"), Connector: f.filled("connector"), Type: f.usageType("type"), Step: f.step("step"),
	}
	if q.Until.IsZero() {
		q.Until = now.UTC().Truncate(time.Second).Add(time.Second) // with the messages of this moment
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-defaultRange)
	}
	switch {
	case len(f.faults) > 0:
	case !q.Until.After(q.Since):
		f.fault("until", "must be after since")
	case q.Buckets() > maxBuckets:
		f.fault("step", fmt.Sprintf("is too small: there would be more than %d counts", maxBuckets))
	}
	return q
}

// step reads a number of seconds.
func (f *fields) step(key string) time.Duration {
	value, ok := member[string](f, key, "a number of seconds")
	if !ok {
		return defaultStep
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > int(maxStep/time.Second) {
		f.fault(key, fmt.Sprintf("must be a number of seconds from 1 to %d", int(maxStep/time.Second)))
	}
	return time.Duration(n) * time.Second
}
