package httpapi_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/delivery"
)

func TestStatistics(t *testing.T) {
	start := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		query string
		want  delivery.StatisticsQuery
	}{
		"all":             {"", delivery.StatisticsQuery{Step: time.Minute}},
		"a step":          {"&step=1", delivery.StatisticsQuery{Step: time.Second}},
		"of one kind":     {"&connector=mine&type=SignIn", delivery.StatisticsQuery{Step: time.Minute, Connector: "mine", Type: "SignIn"}},
		"a step too long": {"&step=2678400", delivery.StatisticsQuery{Step: 31 * 24 * time.Hour}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &remembered{}
			got := m.ask(t, "GET /api/statistics?since=2026-01-31T08:00:00Z&until=2026-01-31T08:03:00Z"+tt.query, "")
			tt.want.Since, tt.want.Until = start, start.Add(3*time.Minute)
			if diff := cmp.Diff(tt.want, m.counted); diff != "" {
				t.Error(diff)
			}
			want := fmt.Sprintf(`{"since":"2026-01-31T08:00:00Z","until":"2026-01-31T08:03:00Z","step":%d,`, tt.want.Step/time.Second) +
				`"series":[{"connector":"mine","type":"SignIn","state":"sent","counts":[0,2]}],"latency":[null,{"p50":1,"p95":2,"max":3}]}`
			if diff := cmp.Diff(want+"\n", got.body); got.status != 200 || diff != "" {
				t.Errorf("%d (-want +got):\n%s", got.status, diff)
			}
		})
	}
}

func TestStatisticsOfTheLastHour(t *testing.T) {
	before, m := time.Now(), &remembered{}
	if got := m.ask(t, "GET /api/statistics", ""); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	q := m.counted
	if q.Until.Before(before) || q.Until.After(time.Now().Add(time.Second)) || q.Until.Sub(q.Since) != time.Hour || q.Step != time.Minute || q.Buckets() != 60 {
		t.Errorf("%+v", q)
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
		m := &remembered{}
		if got := m.ask(t, "GET /api/statistics"+query, ""); got.status != 200 || m.counted.Buckets() != want {
			t.Errorf("%s: %d, %d counts", query, got.status, m.counted.Buckets())
		}
	}
	if got := (&remembered{err: errors.New("disk full")}).ask(t, "GET /api/statistics", ""); got.status != 503 || got.code(t) != "unavailable" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
