package httpapi

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dmconnector/internal/delivery"
)

const (
	maxBuckets = 200
	// maxTallied is how many messages are counted, the newest.
	maxTallied  = 200_000
	defaultStep = time.Minute
	maxStep     = 31 * 24 * time.Hour
	usualRange  = time.Hour
)

var statisticsKeys = []string{"since", "until", "step", "connector", "type"}

// statistics count messages by time. They are complete unless there were too many
// to be counted; then Covered says from when on all are.
type statistics struct {
	Since    time.Time       `json:"since"`
	Until    time.Time       `json:"until"`
	Step     int             `json:"step"` // seconds
	Complete bool            `json:"complete"`
	Covered  *covered        `json:"covered,omitempty"`
	Series   []series        `json:"series"`
	Latency  []*latencyShown `json:"latency"` // of a bucket; null where nothing was sent
}

type covered struct {
	Since time.Time `json:"since"`
}

// A series counts the messages of one kind in each bucket.
type series struct {
	kind
	Counts []int `json:"counts"`
}

type kind struct {
	Connector string         `json:"connector"`
	Type      string         `json:"type"`
	State     delivery.State `json:"state"`
}

func (a kind) compare(b kind) int {
	return cmp.Or(strings.Compare(a.Connector, b.Connector), strings.Compare(a.Type, b.Type), cmp.Compare(a.State, b.State))
}

// latencyShown is how long messages took from their request until they were sent,
// in milliseconds.
type latencyShown struct {
	P50 int64 `json:"p50"`
	P95 int64 `json:"p95"`
	Max int64 `json:"max"`
}

func (s *Server) readStatistics(w http.ResponseWriter, r *http.Request, _ caller) error {
	f, err := queryFields(r, statisticsKeys...)
	if err != nil {
		return err
	}
	t := newTally(f, time.Now())
	if err := f.err(); err != nil {
		return err
	}
	complete, err := s.opts.Messages.Tally(r.Context(), t.since, t.until, maxTallied, t.add)
	if err != nil {
		return stateProblem(err)
	}
	writeAnswer(w, t.statistics(complete))
	return nil
}

// A tally counts messages.
type tally struct {
	since, until         time.Time
	step                 time.Duration
	connector, usageType string // empty is any

	oldest  time.Time // that was seen
	counts  map[kind][]int
	latency []*histogram
}

// newTally reads what is to be counted. Unless the request says otherwise that is
// the hour before now.
func newTally(f *fields, now time.Time) *tally {
	t := &tally{since: f.time("since"), until: f.time("until"), connector: f.filled("connector"), usageType: f.usageType("type")}
	if t.until.IsZero() {
		t.until = now.UTC().Truncate(time.Second).Add(time.Second) // with this moment's messages
	}
	if t.since.IsZero() {
		t.since = t.until.Add(-usualRange)
	}
	t.step = f.step("step")
	length := t.until.Sub(t.since)
	switch {
	case len(f.faults) > 0:
	case length <= 0:
		f.fault("until", "must be after since")
	case (length-1)/t.step >= maxBuckets:
		f.fault("step", fmt.Sprintf("is too small: there would be more than %d counts", maxBuckets))
	default:
		t.oldest, t.counts = t.until, make(map[kind][]int)
		t.latency = make([]*histogram, (length-1)/t.step+1)
	}
	return t
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

// add counts a message that is in the range by its id. Times of the state may be a
// little beyond.
func (t *tally) add(r delivery.Record) {
	if r.Created.Before(t.oldest) {
		t.oldest = r.Created
	}
	if t.connector != "" && r.Connector != t.connector || t.usageType != "" && r.Type != t.usageType {
		return
	}
	bucket := min(max(int(r.Created.Sub(t.since)/t.step), 0), len(t.latency)-1)
	k := kind{r.Connector, r.Type, r.State}
	if t.counts[k] == nil {
		t.counts[k] = make([]int, len(t.latency))
	}
	t.counts[k][bucket]++
	if r.State != delivery.StateSent {
		return
	}
	if t.latency[bucket] == nil {
		t.latency[bucket] = new(histogram)
	}
	t.latency[bucket].add(r.Updated.Sub(r.Created))
}

func (t *tally) statistics(complete bool) statistics {
	shown := statistics{
		Since: t.since, Until: t.until, Step: int(t.step / time.Second), Complete: complete,
		Series: []series{}, Latency: make([]*latencyShown, len(t.latency)),
	}
	if !complete {
		shown.Covered = &covered{t.oldest}
	}
	for _, k := range slices.SortedFunc(maps.Keys(t.counts), kind.compare) {
		shown.Series = append(shown.Series, series{k, t.counts[k]})
	}
	for i, h := range t.latency {
		if h != nil {
			shown.Latency[i] = &latencyShown{h.quantile(0.5), h.quantile(0.95), h.max}
		}
	}
	return shown
}

// A histogram counts milliseconds in classes, each by a tenth wider than the one
// before: what it tells is right within 10 %.
type histogram struct {
	classes [256]uint32 // the first is 0; the last, of a year, has all that is longer
	count   int
	max     int64
}

const classWidth = 1.1

func (h *histogram) add(d time.Duration) {
	ms := max(d.Milliseconds(), 0)
	class := 0
	if ms > 0 {
		class = min(1+int(math.Log(float64(ms))/math.Log(classWidth)), len(h.classes)-1)
	}
	h.classes[class]++
	h.count++
	h.max = max(h.max, ms)
}

// quantile returns the middle of the class in which the quantile is.
func (h *histogram) quantile(q float64) int64 {
	rank := int(math.Ceil(q * float64(h.count)))
	for class, n := range h.classes {
		if rank -= int(n); rank > 0 {
			continue
		}
		if class == 0 {
			return 0
		}
		middle := math.Pow(classWidth, float64(class-1)+0.5)
		return min(int64(math.Round(middle)), h.max)
	}
	return h.max
}
