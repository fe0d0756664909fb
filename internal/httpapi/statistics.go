package httpapi

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

const (
	maxBuckets   = 200
	defaultStep  = time.Minute
	maxStep      = 31 * 24 * time.Hour
	defaultRange = time.Hour
)

type statistics struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Step  int       `json:"step"` // seconds
	delivery.Statistics
}

// A step is the number of seconds of a bucket; 0 means the default.
type step int

func (s *step) parse(value any) error {
	text, _ := value.(string)
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > int(maxStep/time.Second) {
		return fmt.Errorf("must be a number of seconds from 1 to %d", int(maxStep/time.Second))
	}
	*s = step(n)
	return nil
}

// readStatistics counts the messages of the hour before now, unless the request says
// otherwise.
func (s *Server) readStatistics(r *request) (any, error) {
	var given struct {
		Since     timestamp `json:"since"`
		Until     timestamp `json:"until"`
		Connector string    `json:"connector" form:"connector"`
		Type      string    `json:"type" form:"type"`
		Step      step      `json:"step"`
	}
	if err := r.decodeQuery(&given, "since", "until", "step", "connector", "type"); err != nil {
		return nil, err
	}
	q := delivery.StatisticsQuery{
		Since: given.Since.Time, Until: given.Until.Time, Connector: given.Connector, Type: given.Type,
		Step: cmp.Or(time.Duration(given.Step)*time.Second, defaultStep),
	}
	if q.Until.IsZero() {
		q.Until = time.Now().UTC().Truncate(time.Second).Add(time.Second) // with the messages of this moment
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-defaultRange)
	}
	if !q.Until.After(q.Since) {
		return nil, invalidRequest([]connector.Problem{{Pointer: "/until", Detail: "must be after since"}})
	}
	if q.Buckets() > maxBuckets {
		detail := fmt.Sprintf("is too small: there would be more than %d counts", maxBuckets)
		return nil, invalidRequest([]connector.Problem{{Pointer: "/step", Detail: detail}})
	}
	counted, err := s.opts.Messages.Statistics(r.Context(), q)
	return statistics{q.Since, q.Until, int(q.Step / time.Second), counted}, stateError(err)
}
