package metrics_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/metrics"
	"dmconnector/internal/seal"
)

func ring(t *testing.T) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bodyOf(to, usageType, payload string) string {
	return fmt.Sprintf(`{"to":%q,"type":%q,"payload":%s}`, to, usageType, payload)
}

const whole = `{"code":"424242","link":"https://example.com"}`

func TestWhatIsCounted(t *testing.T) {
	type values = map[string]string
	rejected := func(class aliyundm.Class, code string) error { return &aliyundm.Error{Class: class, Code: code} }
	const ended = `messages_total{code=%q,connector="mine",mode="direct",state=%q,type=%q}`
	tests := map[string]struct {
		id, token, body string
		answer          error
		limits          *connector.Limits
		times, status   int
		want            values
	}{
		"sent": {body: bodyOf("a@b.example", "SignIn", whole), times: 2, status: 200, want: values{
			fmt.Sprintf(ended, "", "sent", "SignIn"):                                     "2",
			`aliyun_requests_total{class="accepted",connector="mine"}`:                   "2",
			`aliyun_request_duration_seconds_count{connector="mine"}`:                    "2",
			`send_duration_seconds_count{connector="mine",mode="direct"}`:                "2",
			`missing_variables_total{connector="mine",type="SignIn"}`:                    "",
			`template_fallbacks_total{connector="mine",kind="usage_type",type="SignIn"}`: "",
			`template_fallbacks_total{connector="mine",kind="language",type="SignIn"}`:   "",
		}},
		"missing variables": {body: bodyOf("a@b.example", "SignIn", `{}`), times: 1, status: 200, want: values{
			`missing_variables_total{connector="mine",type="SignIn"}`: "2",
		}},
		"another usage type": {body: bodyOf("a@b.example", "Whatever", whole), times: 1, status: 200, want: values{
			fmt.Sprintf(ended, "", "sent", "other"):                                     "1",
			`template_fallbacks_total{connector="mine",kind="usage_type",type="other"}`: "1",
			`template_fallbacks_total{connector="mine",kind="language",type="other"}`:   "",
		}},
		"another language": {body: bodyOf("a@b.example", "SignIn", `{"code":"424242","link":"x","locale":"ja"}`), times: 1, status: 200, want: values{
			`template_fallbacks_total{connector="mine",kind="language",type="SignIn"}`:   "1",
			`template_fallbacks_total{connector="mine",kind="usage_type",type="SignIn"}`: "",
		}},
		"its language": {body: bodyOf("a@b.example", "SignIn", `{"code":"424242","link":"x","locale":"en-GB"}`), times: 1, status: 200, want: values{
			`template_fallbacks_total{connector="mine",kind="language",type="SignIn"}`: "",
		}},
		"key rejected": {body: bodyOf("a@b.example", "SignIn", whole), answer: rejected(aliyundm.Operator, "InvalidAccessKeyId.NotFound"), times: 5, status: 502, want: values{
			fmt.Sprintf(ended, "provider_rejected", "failed", "SignIn"): "5",
			`aliyun_requests_total{class="operator",connector="mine"}`:  "5",
			`circuit_breaker_open{connector="mine"}`:                    "1",
		}},
		"throttled": {body: bodyOf("a@b.example", "SignIn", whole), answer: rejected(aliyundm.Retry, "Throttling.User"), times: 1, status: 503, want: values{
			fmt.Sprintf(ended, "provider_busy", "failed", "SignIn"):     "1",
			`aliyun_requests_total{class="throttled",connector="mine"}`: "4",
			`aliyun_requests_total{class="retry",connector="mine"}`:     "0",
			`circuit_breaker_open{connector="mine"}`:                    "0",
		}},
		"not understood": {body: bodyOf("a@b.example", "SignIn", whole), answer: context.DeadlineExceeded, times: 1, status: 504, want: values{
			fmt.Sprintf(ended, "outcome_unknown", "unknown", "SignIn"): "1",
			`aliyun_requests_total{class="unknown",connector="mine"}`:  "1",
		}},
		"the recipient's limit": {body: bodyOf("a@b.example", "SignIn", whole), limits: &connector.Limits{Recipient: "1/1h"}, times: 2, status: 429, want: values{
			`rate_limit_exceeded_total{connector="mine",limit="recipient"}`: "1",
			fmt.Sprintf(ended, "rate_limited", "failed", "SignIn"):          "1",
		}},
		"the connector's rate": {body: bodyOf("a@b.example", "SignIn", whole), limits: &connector.Limits{Connector: "1/1h"}, times: 2, status: 503, want: values{
			`rate_limit_exceeded_total{connector="mine",limit="connector"}`: "1",
			fmt.Sprintf(ended, "overloaded", "failed", "SignIn"):            "1",
		}},
		"an ip": {body: `{"to":"a@b.example","type":"SignIn","payload":{},"ip":"203.0.113.5:443"}`, times: 1, status: 200, want: values{
			`unreadable_client_ips_total{connector="mine"}`: "0",
		}},
		"an ip that is none": {body: `{"to":"a@b.example","type":"SignIn","payload":{},"ip":"unknown"}`, times: 2, status: 200, want: values{
			`unreadable_client_ips_total{connector="mine"}`: "2",
		}},
		"no such connector": {id: "yours", body: bodyOf("a@b.example", "SignIn", whole), times: 1, status: 404, want: values{
			`requests_rejected_total{code="connector_not_found"}`: "1",
		}},
		"a wrong token":  {token: "wrong", times: 3, status: 401, want: values{`requests_rejected_total{code="unauthorized"}`: "3"}},
		"not a message":  {body: `{`, times: 1, status: 400, want: values{`requests_rejected_total{code="invalid_request"}`: "1"}},
		"not an address": {body: bodyOf("nobody", "SignIn", whole), times: 1, status: 422, want: values{fmt.Sprintf(ended, "invalid_recipient", "failed", "SignIn"): "1", `requests_rejected_total{code="invalid_request"}`: "0"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "memory")
			s.answer = func() error { return tt.answer }
			limits := off()
			if tt.limits != nil {
				limits = tt.limits
			}
			s.use(limits, "mine")
			id, token := "mine", sendToken
			if tt.id != "" {
				id = tt.id
			}
			if tt.token != "" {
				token = tt.token
			}
			var status int
			for range tt.times {
				status = s.post(t, id, token, tt.body)
			}
			if status != tt.status {
				t.Errorf("answered %d, want %d", status, tt.status)
			}
			s.scrape(t).want(t, tt.want)
		})
	}
}

func TestQueuedMessagesAreCountedOnce(t *testing.T) {
	s := open(t, "sqlite:"+t.TempDir()+"/state.db")
	s.use(off(), "mine")
	s.answer = func() error { return &aliyundm.Error{Class: aliyundm.Retry} }
	if status := s.post(t, "mine", sendToken, bodyOf("a@b.example", "SignIn", `{}`), "Prefer", "respond-async"); status != http.StatusAccepted {
		t.Fatal(status)
	}
	s.scrape(t).want(t, map[string]string{
		`queue_depth`: "1",
		`missing_variables_total{connector="mine",type="SignIn"}`:                             "",
		`messages_total{code="",connector="mine",mode="queued",state="queued",type="SignIn"}`: "1",
		`send_duration_seconds_count{connector="mine",mode="queued"}`:                         "1",
	})
	var tries atomic.Int64
	s.answer = func() error {
		if tries.Add(1) <= 4 {
			return &aliyundm.Error{Class: aliyundm.Retry}
		}
		return nil
	}
	working, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.delivery.Work(working) }()
	defer func() { stop(); <-done }()
	s.eventually(t, `messages_total{code="provider_unavailable",connector="mine",mode="queued",state="queued",type="SignIn"}`, "1")
	s.scrape(t).want(t, map[string]string{
		`missing_variables_total{connector="mine",type="SignIn"}`:     "",
		`send_duration_seconds_count{connector="mine",mode="queued"}`: "1",
		`state_operation_errors_total{operation="claim"}`:             "0",
	})
}

// A scrape counts the messages in flight and those that wait.
func TestLoadsAreCurrent(t *testing.T) {
	t.Parallel()
	s := open(t, "memory")
	s.use(&connector.Limits{Recipient: "off", Connector: "1/2s"}, "mine")
	called, release := make(chan struct{}, 2), make(chan struct{})
	s.answer = func() error { called <- struct{}{}; <-release; return nil }
	answered := make(chan int, 2)
	for _, to := range []string{"a@b.example", "c@b.example"} {
		go func() { answered <- s.post(t, "mine", sendToken, bodyOf(to, "SignIn", whole)) }()
	}
	<-called
	s.eventually(t, `messages_waiting{connector="mine"}`, "1")
	s.scrape(t).want(t, map[string]string{`messages_in_flight{connector="mine"}`: "1"})
	close(release)
	for range 2 {
		if status := <-answered; status != http.StatusOK {
			t.Errorf("answered %d", status)
		}
	}
	s.scrape(t).want(t, map[string]string{`messages_in_flight{connector="mine"}`: "0", `messages_waiting{connector="mine"}`: "0"})
}

func TestSeriesEndWithTheirConnector(t *testing.T) {
	s := open(t, "memory")
	s.use(&connector.Limits{Recipient: "1/1h"}, "mine", "yours")
	for _, id := range []string{"mine", "yours"} {
		for range 2 {
			s.post(t, id, sendToken, bodyOf("a@b.example", "Whatever", `{"locale":"ja"}`))
		}
	}
	of := func(id string) (series []string) {
		for found := range s.scrape(t).series {
			if strings.Contains(found, `connector="`+id+`"`) {
				series = append(series, found)
			}
		}
		return series
	}
	if len(of("yours")) < 40 {
		t.Fatalf("only %q", of("yours"))
	}
	s.use(nil, "mine")
	// What was on its way when it was deleted ends later.
	s.metrics.Observe(delivery.Observation{Connector: "yours", Type: "SignIn", Mode: delivery.Direct, State: delivery.StateSent, Limit: "recipient"})
	if left := of("yours"); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	if len(of("mine")) < 40 {
		t.Errorf("those of the other have gone, too: %q", of("mine"))
	}
	s.scrape(t).want(t, map[string]string{`messages_total{code="",connector="",mode="direct",state="sent",type="SignIn"}`: "1"})
}

// The queue of a connector that was deleted has no series, and an empty one has 0.
func TestQueueUse(t *testing.T) {
	t.Parallel()
	s := open(t, "memory")
	s.use(off(), "mine", "yours")
	s.queueUse = map[string]float64{"mine": 0.25, "gone": 1}
	s.scrape(t).want(t, map[string]string{
		`queue_use_ratio{connector="mine"}`: "0.25", `queue_use_ratio{connector="yours"}`: "0", `queue_use_ratio{connector="gone"}`: "",
	})
}

// Callers cannot create series.
func TestLabelsDoNotGrow(t *testing.T) {
	t.Parallel()
	s := open(t, "memory")
	s.use(off(), "mine")
	word := func() string { return fmt.Sprintf("w%x", rand.Uint64()) }
	request := func(usageType string) {
		s.post(t, "mine", sendToken, bodyOf(word()+"@b.example", usageType, `{"locale":"`+word()[:5]+`","`+word()+`":"x"}`))
		s.post(t, word(), sendToken, bodyOf("a@b.example", usageType, whole))
		s.post(t, "mine", word(), bodyOf("a@b.example", usageType, whole))
		s.post(t, "mine", sendToken, `{"to":"`+word()+`","type":`)
		s.metrics.Observe(delivery.Observation{Connector: word(), Type: word(), Mode: delivery.Direct, State: delivery.StateFailed, Code: errcode.Code(word())})
		s.metrics.Rejected(errcode.Code(word()))
	}
	for _, label := range connector.UsageTypes() {
		request(label)
	}
	request(word())
	before := slices.Sorted(maps.Keys(s.scrape(t).series))
	for range 2_500 {
		request(word())
	}
	if diff := cmp.Diff(before, slices.Sorted(maps.Keys(s.scrape(t).series))); diff != "" {
		t.Errorf("10,000 requests have made series (-before +after)\n%s", diff)
	}
}

// plain returns metrics with this backlog.
func plain(backlog func(context.Context) (delivery.Backlog, error)) *metrics.Metrics {
	return metrics.New(metrics.Options{
		Loads: func() []delivery.Load { return nil }, Backlog: backlog, Expired: func() int64 { return 7 },
		PendingOutcomes: func() (int, int64) { return 3, 2 }, QueueUse: func() map[string]float64 { return nil },
	})
}

func scrapeOf(t *testing.T, m *metrics.Metrics) scrape {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return read(t, w.Body)
}

func TestBacklogIsNotReadByEachScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		m := plain(func(context.Context) (delivery.Backlog, error) {
			reads++
			return delivery.Backlog{Queued: reads, Late: 90 * time.Second}, nil
		})
		for range 10 {
			scrapeOf(t, m).want(t, map[string]string{
				"state_up": "1", "queue_depth": "1", "queue_oldest_overdue_seconds": "90", "queue_expired_total": "7",
				"pending_outcomes": "3", "outcomes_dropped_total": "2",
			})
		}
		<-time.After(5 * time.Second)
		scrapeOf(t, m).want(t, map[string]string{"queue_depth": "2"})
	})
}

func TestFailingStateDoesNotBlockScrapes(t *testing.T) {
	tests := map[string]struct {
		read   func(ctx context.Context, end <-chan struct{}) error
		errors string
	}{
		"fails":                 {func(context.Context, <-chan struct{}) error { return context.Canceled }, "1"},
		"keeps to its deadline": {func(ctx context.Context, _ <-chan struct{}) error { <-ctx.Done(); return ctx.Err() }, "1"},
		"hangs":                 {func(_ context.Context, end <-chan struct{}) error { <-end; return nil }, "0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				var under, most atomic.Int64
				m := plain(func(ctx context.Context) (delivery.Backlog, error) {
					most.Store(max(most.Load(), under.Add(1)))
					defer under.Add(-1)
					return delivery.Backlog{}, tt.read(ctx, end)
				})
				for range 3 {
					begun := time.Now()
					scrapeOf(t, m).want(t, map[string]string{"state_up": "0", "queue_depth": "", "queue_oldest_overdue_seconds": ""})
					if took := time.Since(begun); took > time.Second {
						t.Errorf("a scrape took %v", took)
					}
				}
				synctest.Wait()
				scrapeOf(t, m).want(t, map[string]string{`state_operation_errors_total{operation="backlog"}`: tt.errors})
				close(end)
				synctest.Wait()
				if most.Load() != 1 {
					t.Errorf("%d looks at the state at once", most.Load())
				}
			})
		})
	}
}

func TestScrapeShowsNoSecrets(t *testing.T) {
	s := open(t, "memory")
	s.use(off(), "mine")
	s.post(t, "mine", sendToken, bodyOf("secret-user@b.example", "SignIn", `{"code":"918273","link":"https://secret.example"}`))
	s.post(t, "mine", "wrong-token-0123456789", bodyOf("secret-user@b.example", "SignIn", whole))
	text := s.scrape(t).text
	for _, secret := range []string{"secret", "b.example", "918273", sendToken, "wrong-token", "mail.example.com"} {
		if strings.Contains(text, secret) {
			t.Errorf("a scrape shows %q", secret)
		}
	}
}
