package httpapi_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
)

var statisticsStart = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

// counted returns a message of some seconds after the start, that took so long.
func counted(seconds int, connector, usageType string, state delivery.State, took time.Duration) delivery.Record {
	created := statisticsStart.Add(time.Duration(seconds) * time.Second)
	return delivery.Record{Connector: connector, Type: usageType, State: state, Created: created, Updated: created.Add(took)}
}

func TestStatistics(t *testing.T) {
	m := &remembered{list: []delivery.Record{
		counted(181, "other", "Register", "sent", time.Second), // the state's clock is ahead
		counted(179, "mine", "SignIn", "sent", 40*time.Millisecond),
		counted(120, "mine", "SignIn", "failed", time.Hour),
		counted(119, "mine", "SignIn", "sent", 0),
		counted(119, "mine", "Generic", "queued", 0),
		counted(1, "mine", "SignIn", "failed", 0),
		counted(0, "mine", "SignIn", "failed", 0),
	}}
	const asked = `"since":"2026-01-31T08:00:00Z","until":"2026-01-31T08:03:00Z","step":60,"complete":true,`
	const latency = `"latency":[null,{"p50":0,"p95":0,"max":0},`
	tests := map[string]struct{ query, want string }{
		"all": {"", `{` + asked + `"series":[` +
			`{"connector":"mine","type":"Generic","state":"queued","counts":[0,1,0]},` +
			`{"connector":"mine","type":"SignIn","state":"failed","counts":[2,0,1]},` +
			`{"connector":"mine","type":"SignIn","state":"sent","counts":[0,1,1]},` +
			`{"connector":"other","type":"Register","state":"sent","counts":[0,0,1]}],` + latency + `{"p50":39,"p95":1000,"max":1000}]}`},
		"a connector": {"&connector=other", `{` + asked + `"series":[` +
			`{"connector":"other","type":"Register","state":"sent","counts":[0,0,1]}],"latency":[null,null,{"p50":1000,"p95":1000,"max":1000}]}`},
		"a type": {"&type=Generic", `{` + asked + `"series":[` +
			`{"connector":"mine","type":"Generic","state":"queued","counts":[0,1,0]}],"latency":[null,null,null]}`},
		"nothing": {"&connector=none", `{` + asked + `"series":[],"latency":[null,null,null]}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := m.ask(t, "GET /api/statistics?since=2026-01-31T08:00:00Z&until=2026-01-31T08:03:00Z&step=60"+tt.query, "")
			if diff := cmp.Diff(tt.want+"\n", got.body); got.status != 200 || diff != "" {
				t.Errorf("%d (-want +got):\n%s", got.status, diff)
			}
			filter := delivery.Filter{Since: statisticsStart, Until: statisticsStart.Add(3 * time.Minute), Limit: 200_000}
			if diff := cmp.Diff(filter, m.filter); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type statistics struct {
	Since, Until time.Time
	Step         int
	Complete     bool
	Covered      *struct{ Since time.Time }
	Series       []struct{ Counts []int }
	Latency      []*struct{ P50, P95, Max float64 }
}

func (m *remembered) statistics(t *testing.T, query string) statistics {
	t.Helper()
	got := m.ask(t, "GET /api/statistics"+query, "")
	var s statistics
	if err := json.Unmarshal([]byte(got.body), &s); err != nil || got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	return s
}

func TestStatisticsOfTheLastHour(t *testing.T) {
	before := time.Now()
	got := (&remembered{list: []delivery.Record{{Created: time.Now(), Type: "SignIn", State: "sent"}}}).statistics(t, "")
	if got.Until.Before(before) || got.Until.After(time.Now().Add(time.Second)) || got.Until.Sub(got.Since) != time.Hour || got.Step != 60 {
		t.Errorf("%+v", got)
	}
	if counts := got.Series[0].Counts; len(counts) != 60 || counts[59] != 1 || len(got.Latency) != 60 || !got.Complete || got.Covered != nil {
		t.Errorf("%+v", got)
	}
}

func TestStatisticsTellWhatTheyCover(t *testing.T) {
	m := &remembered{}
	for n := range 200_001 {
		m.list = append(m.list, counted(200_000-n, "mine", "SignIn", "sent", 0))
	}
	until := statisticsStart.Add(200_001 * time.Second).Format(time.RFC3339)
	got := m.statistics(t, "?since=2026-01-31T08:00:00Z&step=3600&connector=none&until="+url.QueryEscape(until))
	if got.Complete || got.Covered == nil || !got.Covered.Since.Equal(statisticsStart.Add(time.Second)) {
		t.Errorf("%+v", got)
	}
}

// Quantiles are right within 10 %, and the longest is exact.
func TestStatisticsOfLatency(t *testing.T) {
	for _, unit := range []time.Duration{time.Millisecond, 37 * time.Millisecond, time.Minute} {
		m := &remembered{}
		for n := range 200 {
			took := time.Duration(n+1) * unit
			for range 18 {
				m.list = append(m.list, counted(n, "mine", "SignIn", "sent", took))
			}
			m.list = append(m.list, counted(n, "mine", "SignIn", "sent", 7*took), counted(n, "mine", "SignIn", "sent", 8*took))
		}
		got := m.statistics(t, "?since=2026-01-31T08:00:00Z&until=2026-01-31T08:03:20Z&step=1").Latency
		for n, l := range got {
			ms := float64((time.Duration(n+1) * unit).Milliseconds())
			if math.Abs(l.P50/ms-1) > 0.1 || math.Abs(l.P95/(7*ms)-1) > 0.1 || l.Max != 8*ms {
				t.Errorf("%v ms: %+v", ms, *l)
			}
		}
	}
}

func TestStatisticsAreRefused(t *testing.T) {
	tests := map[string]struct{ query, pointers string }{
		"no time":           {"?since=user@example.com", "/since"},
		"no times":          {"?since=1&until=2", "/since /until"},
		"backwards":         {"?since=2026-01-31T08:00:00Z&until=2026-01-31T07:00:00Z", "/until"},
		"no length":         {"?since=2026-01-31T08:00:00Z&until=2026-01-31T08:00:00Z", "/until"},
		"no number":         {"?step=user@example.com", "/step"},
		"no step":           {"?step=0", "/step"},
		"a fraction":        {"?step=0.5", "/step"},
		"a huge step":       {"?step=99999999999", "/step"},
		"too many":          {"?step=17", "/step"},
		"too many by 1 s":   {"?since=2026-01-31T08:00:00Z&until=2026-01-31T11:20:01Z", "/step"},
		"unknown type":      {"?type=user@example.com", "/type"},
		"empty connector":   {"?connector=", "/connector"},
		"twice":             {"?step=60&step=61", "/step"},
		"unknown key":       {"?state=sent", ""},
		"an address":        {"?to=user@example.com", ""},
		"all that is wrong": {"?since=1&step=x&type=y", "/since /type /step"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (&remembered{}).ask(t, "GET /api/statistics"+tt.query, ""); got.status != 400 || got.code(t) != "invalid_request" || got.pointers(t) != tt.pointers {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	for query, want := range map[string]int{"?since=2026-01-31T08:00:00Z&until=2026-01-31T11:20:00Z": 200, "?step=18": 200} {
		if got := (&remembered{}).statistics(t, query); len(got.Latency) != want {
			t.Errorf("%s: %d counts", query, len(got.Latency))
		}
	}
	if got := (&remembered{err: errors.New("disk full")}).ask(t, "GET /api/statistics", ""); got.status != 503 || got.code(t) != "unavailable" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
