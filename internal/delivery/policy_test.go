package delivery_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A sending is a Delivery with one connector, for sending many messages.
type sending struct {
	*delivery.Delivery
	connector delivery.Connector
}

func newSending(t *testing.T, limits connector.Limits, s sender) *sending {
	t.Helper()
	return newLoggedSending(t, limits, s, slog.New(slog.DiscardHandler))
}

func newLoggedSending(t *testing.T, limits connector.Limits, s sender, log *slog.Logger) *sending {
	t.Helper()
	cfg := &connector.Config{AccountName: "noreply@mail.example.com", Limits: &limits}
	for _, usageType := range connector.RequiredUsageTypes() {
		cfg.Templates = append(cfg.Templates, connector.Template{UsageType: usageType, Subject: "{{code}}", Content: "{{code}}"})
	}
	c := delivery.Connector{ID: "mine", Composer: connector.New(cfg), Sender: s}
	d, active := open(t, c, log)
	return &sending{d, active}
}

// off disables every limit.
var off = connector.Limits{Recipient: "off", IP: "off", Connector: "off"}

// A post describes a message. The zero value is an ordinary one.
type post struct {
	to, kind, code, app, ip, key string
	async                        bool // nobody waits for it
}

func (d *sending) post(p post) (delivery.Report, *delivery.Error) {
	return d.postAs(context.Background(), p)
}

func (d *sending) postAs(ctx context.Context, p post) (delivery.Report, *delivery.Error) {
	or := func(s, standard string) string {
		if s == "" {
			return standard
		}
		return s
	}
	payload := map[string]any{"code": or(p.code, "123456")}
	if p.app != "" {
		payload["application"] = map[string]any{"id": p.app}
	}
	m := connector.Message{To: or(p.to, "user@example.com"), Type: or(p.kind, connector.SignIn), Payload: payload, IP: p.ip}
	report, err := d.Send(ctx, d.connector, delivery.Request{
		Message: m, Arrived: time.Now(), IdempotencyKey: p.key, Queue: p.async,
		BodySum: sha256.Sum256([]byte(fmt.Sprint(m))),
	})
	failure, _ := errors.AsType[*delivery.Error](err)
	return report, failure
}

// code returns a failure's code, or "sent".
func code(failure *delivery.Error) string {
	if failure == nil {
		return "sent"
	}
	return string(failure.Code)
}

// answers returns a sender that gives the answers in order, and repeats the last.
func answers(calls *atomic.Int64, list ...error) sender {
	return func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
		n := min(int(calls.Add(1)), len(list))
		if err := list[n-1]; err != nil {
			return nil, err
		}
		return &aliyundm.Receipt{EnvID: "600", RequestID: "R"}, nil
	}
}

var (
	unreachable = &aliyundm.Error{Class: aliyundm.Retry}
	throttled   = &aliyundm.Error{Class: aliyundm.Retry, Code: "Throttling.User"}
	badKey      = &aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidAccessKeyId.NotFound"}
	noQuota     = &aliyundm.Error{Class: aliyundm.Quota, Code: "InvalidQuota"}
	badAddress  = &aliyundm.Error{Class: aliyundm.Recipient, Code: "InvalidToAddress"}
	noAnswer    = &aliyundm.Error{Class: aliyundm.Unknown}
)

func TestOnlyCertainlyRejectedMailsAreRetried(t *testing.T) {
	tests := map[string]struct {
		answers []error
		want    string
		calls   int64
	}{
		"accepted":                {[]error{nil}, "sent", 1},
		"unreachable once":        {[]error{unreachable, nil}, "sent", 2},
		"throttled three times":   {[]error{throttled, throttled, throttled, nil}, "sent", 4},
		"throttled for ever":      {[]error{throttled}, "provider_busy", 4},
		"unreachable for ever":    {[]error{unreachable}, "provider_unavailable", 4},
		"no answer":               {[]error{noAnswer, nil}, "outcome_unknown", 1},
		"no answer to the second": {[]error{throttled, noAnswer, nil}, "outcome_unknown", 2},
		"a rejected key":          {[]error{badKey, nil}, "provider_rejected", 1},
		"a rejected recipient":    {[]error{badAddress, nil}, "recipient_rejected", 1},
		"no quota":                {[]error{noQuota, nil}, "quota_exhausted", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				begun := time.Now()
				report, failure := newSending(t, off, answers(&calls, tt.answers...)).post(post{})
				if code(failure) != tt.want || calls.Load() != tt.calls || int64(len(report.Attempts)) != tt.calls {
					t.Errorf("%s after %d calls, report %+v", code(failure), calls.Load(), report)
				}
				if took := time.Since(begun); took > 7500*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// A call that hangs until the deadline is near and then fails is not repeated.
func TestRetriesStayInsideTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		slow := sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
			calls.Add(1)
			select {
			case <-time.After(2 * time.Second): // what a connection may take
			case <-ctx.Done():
			}
			return nil, unreachable
		})
		begun := time.Now()
		_, failure := newSending(t, off, slow).post(post{})
		if took := time.Since(begun); code(failure) != "provider_unavailable" || took > 7500*time.Millisecond || calls.Load() != 4 && calls.Load() != 3 {
			t.Errorf("%s after %v and %d calls", code(failure), took, calls.Load())
		}
	})
}

func TestLimits(t *testing.T) {
	tests := map[string]struct {
		limits connector.Limits
		posts  []post
		want   string
	}{
		"a recipient":            {connector.Limits{Recipient: "2/10m"}, []post{{code: "1"}, {code: "2"}, {code: "3"}}, "sent sent rate_limited"},
		"in another letter case": {connector.Limits{Recipient: "1/10m"}, []post{{to: "User@example.com"}, {to: "user@EXAMPLE.com"}}, "sent rate_limited"},
		"a plus tag is another":  {connector.Limits{Recipient: "1/10m"}, []post{{to: "user@example.com"}, {to: "user+1@example.com"}}, "sent sent"},
		"switched off":           {connector.Limits{Recipient: "off"}, []post{{code: "1"}, {code: "2"}, {code: "3"}}, "sent sent sent"},
		"no client limit":        {connector.Limits{Recipient: "off"}, []post{{code: "1", ip: "1.2.3.4"}, {code: "2", ip: "1.2.3.4"}}, "sent sent"},
		"a client":               {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "1.2.3.4"}, {code: "2", ip: "1.2.3.4"}}, "sent rate_limited"},
		"as IPv4 in IPv6":        {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "1.2.3.4"}, {code: "2", ip: "::ffff:1.2.3.4"}}, "sent rate_limited"},
		"another IPv4":           {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "1.2.3.4"}, {code: "2", ip: "1.2.3.5"}}, "sent sent"},
		"the same /64":           {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "2001:db8::1"}, {code: "2", ip: "2001:db8::ffff:0:0:2"}}, "sent rate_limited"},
		"another /64":            {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "2001:db8::1"}, {code: "2", ip: "2001:db8:0:1::1"}}, "sent sent"},
		"no client known":        {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1"}, {code: "2"}}, "sent sent"},
		"with a port, in a list": {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "1.2.3.4"}, {code: "2", ip: " 1.2.3.4:443, 10.0.0.1"}}, "sent rate_limited"},
		"an ip that is none":     {connector.Limits{Recipient: "off", IP: "1/1m"}, []post{{code: "1", ip: "nonsense"}, {code: "2", ip: "unknown"}, {code: "3", ip: " "}, {code: "4", ip: "1.2.3.4"}}, "sent rate_limited rate_limited sent"},
		"Logto's number":         {connector.Limits{}, []post{{code: "1"}, {code: "2"}, {code: "3"}, {code: "4"}, {code: "5"}, {code: "6"}, {code: "7"}, {code: "8"}, {code: "9"}, {code: "10"}, {code: "11"}}, strings.Repeat("sent ", 10) + "rate_limited"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				d := newSending(t, tt.limits, answers(&calls, nil))
				var got []string
				for _, p := range tt.posts {
					_, failure := d.post(p)
					got = append(got, code(failure))
				}
				if strings.Join(got, " ") != tt.want {
					t.Errorf("%v", got)
				}
			})
		})
	}
}

// An ip that cannot be read is warned of once a minute, without what it says.
func TestUnreadableClientIsWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			log   logBuffer
			calls atomic.Int64
		)
		d := newLoggedSending(t, off, answers(&calls, nil), slog.New(slog.NewTextHandler(&log, nil)))
		const warning = "cannot read the client's ip"
		d.post(post{ip: "1.2.3.4"})
		d.post(post{code: "1"})
		if strings.Contains(log.String(), warning) {
			t.Errorf("the log has %s", &log)
		}
		for n := range 5 {
			d.post(post{code: fmt.Sprint(n), ip: "nonsense"})
		}
		time.Sleep(61 * time.Second) //nolint:forbidigo // the clock of synctest
		d.post(post{code: "6", ip: "nonsense"})
		if got := log.String(); strings.Count(got, warning) != 3 || !strings.Contains(got, "count=4") || strings.Contains(got, "nonsense") {
			t.Errorf("the log has %s", got)
		}
	})
}

// A caller can have any number of rejected messages, but not of log lines. Each mail that
// Aliyun was asked to send has its line.
func TestLogOfRejectedMessagesIsBounded(t *testing.T) {
	tests := map[string]struct {
		limits connector.Limits
		answer error
		post   func(n int) post
		lines  map[string]int
	}{
		"rate limited": {connector.Limits{Recipient: "1/1h", Connector: "off"}, nil, func(n int) post { return post{code: fmt.Sprint(n)} }, map[string]int{
			`msg="mail sent"`: 1, `msg="mail not sent"`: 10, "count=89": 1,
		}},
		"not an address": {off, nil, func(n int) post { return post{to: fmt.Sprint(n)} }, map[string]int{
			`msg="mail not sent"`: 10, "count=90": 1, "code=invalid_recipient": 10,
		}},
		"answered again": {off, nil, func(int) post { return post{key: "k"} }, map[string]int{
			`msg="mail sent"`: 1, `msg="answered again"`: 10, "count=89": 1,
		}},
		"sent":                {off, nil, func(n int) post { return post{code: fmt.Sprint(n)} }, map[string]int{`msg="mail sent"`: 100, "count=": 0}},
		"rejected by Aliyun":  {off, badAddress, func(n int) post { return post{code: fmt.Sprint(n)} }, map[string]int{`msg="mail not sent"`: 100, "count=": 0}},
		"of unknown outcomes": {off, noAnswer, func(n int) post { return post{code: fmt.Sprint(n)} }, map[string]int{`msg="mail not sent"`: 100, "count=": 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var (
					log   logBuffer
					calls atomic.Int64
				)
				d := newLoggedSending(t, tt.limits, answers(&calls, tt.answer), slog.New(slog.NewTextHandler(&log, nil)))
				for n := range 100 {
					d.post(tt.post(n))
				}
				time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
				synctest.Wait()
				for text, want := range tt.lines {
					if got := strings.Count(log.String(), text); got != want {
						t.Errorf("%s: %d times, want %d in\n%.2000s", text, got, want, log.String())
					}
				}
			})
		})
	}
}

func TestLimitRefillsEvenlyAndSaysWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, connector.Limits{Recipient: "2/10m"}, answers(&calls, nil))
		d.post(post{code: "1"})
		d.post(post{code: "2"})
		_, failure := d.post(post{code: "3"})
		if code(failure) != "rate_limited" || failure.RetryAfter != 5*time.Minute || !strings.Contains(failure.Detail, "recipient") {
			t.Fatalf("%+v", failure)
		}
		time.Sleep(failure.RetryAfter - time.Second) //nolint:forbidigo // the clock of synctest
		if _, failure := d.post(post{code: "4"}); code(failure) != "rate_limited" {
			t.Errorf("a second too early: %s", code(failure))
		}
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		if _, failure := d.post(post{code: "5"}); failure != nil {
			t.Errorf("in time: %s", code(failure))
		}
	})
}

// A message that was certainly not sent is refunded, unless its recipient is the reason.
func TestFailedSendsAreRefunded(t *testing.T) {
	tests := map[string]struct {
		answer error
		want   string // of the second message, with a limit of one
	}{
		"rejected key":       {badKey, "sent"},
		"no answer":          {noAnswer, "rate_limited"},
		"rejected recipient": {badAddress, "rate_limited"},
		"accepted":           {nil, "rate_limited"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				d := newSending(t, connector.Limits{Recipient: "1/10m"}, answers(&calls, tt.answer, nil))
				d.post(post{code: "1"})
				if _, failure := d.post(post{code: "2"}); code(failure) != tt.want {
					t.Errorf("%s, want %s", code(failure), tt.want)
				}
			})
		})
	}
}

func TestLimitIsExactUnderConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, sent atomic.Int64
		d := newSending(t, connector.Limits{Recipient: "10/10m"}, answers(&calls, nil))
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if _, failure := d.post(post{code: fmt.Sprint(i)}); failure == nil {
					sent.Add(1)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 10 || calls.Load() != 10 {
			t.Errorf("%d sent, %d calls", sent.Load(), calls.Load())
		}
	})
}

// No second has more sends than the connector's rate. Messages that could not be sent
// in time are rejected at once, sign-in mail last.
func TestRateAndOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var times []time.Time
		d := newSending(t, connector.Limits{Recipient: "off", Connector: "100/1s"}, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			mu.Lock()
			times = append(times, time.Now())
			mu.Unlock()
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}))
		counts := map[string]int{}
		begun := time.Now()
		var wg sync.WaitGroup
		for i := range 2000 {
			kind := connector.Register
			if i%2 == 0 {
				kind = connector.SignIn
			}
			wg.Go(func() {
				_, failure := d.post(post{kind: kind, code: fmt.Sprint(i)})
				mu.Lock()
				defer mu.Unlock()
				counts[kind+" "+code(failure)]++
				if failure != nil && (time.Since(begun) > 0 || failure.RetryAfter <= 0) {
					t.Errorf("rejected after %v, Retry-After %v", time.Since(begun), failure.RetryAfter)
				}
			})
		}
		wg.Wait()
		for i := 100; i < len(times); i++ {
			if times[i].Sub(times[i-100]) < time.Second {
				t.Fatalf("sends %d and %d are %v apart", i-100, i, times[i].Sub(times[i-100]))
			}
		}
		if counts["SignIn sent"]+counts["Register sent"] != len(times) || len(times) != 600 {
			t.Errorf("%d sends: %v", len(times), counts)
		}
		if counts["SignIn sent"] <= 2*counts["Register sent"] {
			t.Errorf("sign-in mail is not preferred: %v", counts)
		}
	})
}

// A peak records the most concurrent calls.
type peak struct {
	mu           sync.Mutex
	running, max int
}

func (p *peak) enter() (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running++
	p.max = max(p.max, p.running)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.running--
	}
}

func (p *peak) most() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.max
}

// While Aliyun hangs, no more messages are in flight than the connector's limit.
func TestSendsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sends peak
		d := newSending(t, off, sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
			defer sends.enter()()
			<-ctx.Done()
			return nil, noAnswer
		}))
		begun := time.Now()
		var answered atomic.Int64
		var wg sync.WaitGroup
		for i := range 3000 {
			wg.Go(func() {
				d.post(post{code: fmt.Sprint(i)})
				answered.Add(1)
			})
		}
		wg.Wait()
		if sends.most() != 128 || answered.Load() != 3000 || time.Since(begun) > 7500*time.Millisecond {
			t.Errorf("%d at once, %d answered after %v", sends.most(), answered.Load(), time.Since(begun))
		}
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, off, answers(&calls, badKey, badKey, badKey, badKey, badKey, badKey, nil))
		n := 0
		next := func() string {
			n++
			_, failure := d.post(post{code: fmt.Sprint(n)})
			return code(failure)
		}
		for range 20 {
			if got := next(); got != "provider_rejected" {
				t.Fatal(got)
			}
		}
		if calls.Load() != 5 {
			t.Fatalf("%d calls", calls.Load())
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // the clock of synctest
		for range 5 {
			next()
		}
		if calls.Load() != 6 {
			t.Fatalf("%d calls: more than one probe", calls.Load())
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // the clock of synctest
		if got := next() + next(); got != "sentsent" {
			t.Errorf("after the cure: %s", got)
		}
	})
}

// A panic tells nothing about the account.
func TestPanicLeavesTheBreakerOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, off, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			if calls.Add(1) == 6 {
				panic("a defect")
			}
			return nil, badKey
		}))
		for i := range 10 {
			d.post(post{code: fmt.Sprint(i)})
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // the clock of synctest
		for i := range 5 {
			d.post(post{code: fmt.Sprint("later ", i)})
		}
		if calls.Load() != 6 {
			t.Errorf("%d calls: more than one probe", calls.Load())
		}
	})
}

// A mail that is too large to be composed tells nothing about the account.
func TestLargeMailLeavesTheBreakerOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, off, answers(&calls, badKey))
		for i := range 5 {
			d.post(post{code: fmt.Sprint(i)})
		}
		time.Sleep(30 * time.Second) //nolint:forbidigo // the clock of synctest
		report, failure := d.post(post{code: strings.Repeat("&", 4097)})
		if code(failure) != "content_rejected" || report.State != delivery.StateFailed || !strings.Contains(failure.Detail, "{{code}}") || strings.Contains(failure.Detail, "&") {
			t.Errorf("%v, %+v", failure, report)
		}
		for i := range 5 {
			d.post(post{code: fmt.Sprint("later ", i)})
		}
		if calls.Load() != 5 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

func TestBreakerIgnoresOtherFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []error{throttled, unreachable, noAnswer, badAddress} {
			var calls atomic.Int64
			d := newSending(t, off, answers(&calls, answer))
			for i := range 10 {
				d.post(post{code: fmt.Sprint(i)})
			}
			if calls.Load() < 10 {
				t.Errorf("%v opens the breaker: %d calls", answer, calls.Load())
			}
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	tests := map[string]struct {
		answers []error
		posts   []post
		want    string
		calls   int64
	}{
		"replays what was sent":        {[]error{nil}, []post{{key: "k"}, {key: "k"}}, "sent sent", 1},
		"replays what is unknown":      {[]error{noAnswer, nil}, []post{{key: "k"}, {key: "k"}}, "outcome_unknown outcome_unknown", 1},
		"replays a final rejection":    {[]error{badAddress, nil}, []post{{key: "k"}, {key: "k"}}, "recipient_rejected recipient_rejected", 1},
		"is free after an outage":      {[]error{unreachable, unreachable, unreachable, unreachable, nil}, []post{{key: "k"}, {key: "k"}}, "provider_unavailable sent", 5},
		"is free after a used quota":   {[]error{noQuota, nil}, []post{{key: "k"}, {key: "k"}}, "quota_exhausted sent", 2},
		"comes with another body":      {[]error{nil}, []post{{key: "k", code: "1"}, {key: "k", code: "2"}}, "sent idempotency_mismatch", 1},
		"is another":                   {[]error{nil}, []post{{key: "k"}, {key: "l"}}, "sent sent", 2},
		"is missing: both are sent":    {[]error{nil}, []post{{}, {}}, "sent sent", 2},
		"a wrong recipient takes none": {[]error{nil}, []post{{key: "k", to: "a,b"}, {key: "k"}}, "invalid_recipient sent", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				d := newSending(t, off, answers(&calls, tt.answers...))
				var got, ids []string
				for _, p := range tt.posts {
					report, failure := d.post(p)
					got, ids = append(got, code(failure)), append(ids, report.ID)
				}
				if strings.Join(got, " ") != tt.want || calls.Load() != tt.calls {
					t.Errorf("%v, %d calls", got, calls.Load())
				}
				if replayed := tt.calls == 1 && got[0] == got[1]; replayed != (ids[0] == ids[1]) {
					t.Errorf("ids %v", ids)
				}
			})
		})
	}
}

func TestIdempotencyKeyInFlightAndOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, off, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			calls.Add(1)
			time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}))
		go d.post(post{key: "k"})
		synctest.Wait()
		if _, failure := d.post(post{key: "k"}); code(failure) != "in_progress" || failure.RetryAfter == 0 {
			t.Errorf("%+v", failure)
		}
		time.Sleep(23 * time.Hour) //nolint:forbidigo // the clock of synctest
		if _, failure := d.post(post{key: "k"}); failure != nil || calls.Load() != 1 {
			t.Errorf("after 23 h: %s, %d calls", code(failure), calls.Load())
		}
		time.Sleep(2 * time.Hour) //nolint:forbidigo // the clock of synctest
		if _, failure := d.post(post{key: "k"}); failure != nil || calls.Load() != 2 {
			t.Errorf("after 25 h: %s, %d calls", code(failure), calls.Load())
		}
	})
}

func TestEqualRequestsInFlightAreOneSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, connector.Limits{Recipient: "1/10m"}, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			calls.Add(1)
			time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}))
		var ids sync.Map
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				report, failure := d.post(post{})
				if failure != nil {
					t.Error(code(failure))
				}
				ids.Store(report.ID, true)
			})
		}
		wg.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if calls.Load() != 1 || n != 1 {
			t.Errorf("%d calls, %d ids", calls.Load(), n)
		}
	})
}

// An accepted message is sent even if its caller has left.
func TestAcceptedMessageIsSentWithoutItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, connector.Limits{Recipient: "off", Connector: "1/2s"}, answers(&calls, nil))
		d.post(post{code: "first"}) // the next has to wait
		ctx, leave := context.WithCancel(context.Background())
		got := make(chan string, 1)
		go func() {
			_, failure := d.postAs(ctx, post{code: "second"})
			got <- code(failure)
		}()
		synctest.Wait()
		leave()
		if outcome := <-got; outcome != "sent" || calls.Load() != 2 {
			t.Errorf("%s, %d calls", outcome, calls.Load())
		}
	})
}

// A caller that half-closes its connection still reads its answer.
func TestHalfClosedCallerGetsItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		ctx, leave := context.WithCancel(context.Background())
		d := newSending(t, off, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			calls.Add(1)
			leave()
			<-time.After(time.Second)
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}))
		if report, failure := d.postAs(ctx, post{}); failure != nil || report.State != delivery.StateSent || calls.Load() != 1 {
			t.Errorf("%+v, %v", report, failure)
		}
	})
}

func TestNewestCodeWins(t *testing.T) {
	tests := map[string]struct {
		older, newer post
		want         string // of the older
	}{
		"the same client":     {post{code: "1", app: "a", ip: "1.2.3.4"}, post{code: "2", app: "a", ip: "1.2.3.4"}, "superseded"},
		"another application": {post{code: "1", app: "a", ip: "1.2.3.4"}, post{code: "2", app: "b", ip: "1.2.3.4"}, "sent"},
		"another client":      {post{code: "1", app: "a", ip: "1.2.3.4"}, post{code: "2", app: "a", ip: "1.2.3.5"}, "sent"},
		"another type":        {post{code: "1", app: "a", ip: "1.2.3.4"}, post{code: "2", app: "a", ip: "1.2.3.4", kind: connector.ForgotPassword}, "sent"},
		"another recipient":   {post{code: "1", app: "a", ip: "1.2.3.4"}, post{code: "2", app: "a", ip: "1.2.3.4", to: "other@example.com"}, "sent"},
		"with another port":   {post{code: "1", app: "a", ip: "1.2.3.4:1"}, post{code: "2", app: "a", ip: "1.2.3.4:2, 10.0.0.1"}, "superseded"},
		"no client known":     {post{code: "1", app: "a"}, post{code: "2", app: "a"}, "sent"},
		"an ip that is none":  {post{code: "1", app: "a", ip: "unknown"}, post{code: "2", app: "a", ip: "unknown"}, "sent"},
		"no application":      {post{code: "1", ip: "1.2.3.4"}, post{code: "2", ip: "1.2.3.4"}, "sent"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				d := newSending(t, connector.Limits{Recipient: "off", Connector: "1/1s"}, answers(&calls, nil))
				d.post(post{to: "first@example.com"}) // the next have to wait
				got := make(chan string, 1)
				go func() {
					_, failure := d.post(tt.older)
					got <- code(failure)
				}()
				synctest.Wait()
				begun := time.Now()
				go func() {
					if _, failure := d.post(tt.newer); failure != nil {
						t.Errorf("the newer: %s", code(failure))
					}
				}()
				if older := <-got; older != tt.want {
					t.Errorf("the older: %s, want %s", older, tt.want)
				}
				if took := time.Since(begun); tt.want == "superseded" && took > 0 {
					t.Errorf("the older's caller waited for %v", took)
				}
				if err := d.Wait(context.Background()); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			})
		})
	}
}

// A superseded message frees its place in the rate, and those behind it move up.
func TestSupersededMessagesFreeTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, connector.Limits{Recipient: "off", Connector: "1/1s"}, answers(&calls, nil))
		d.post(post{to: "first@example.com"}) // the next have to wait
		begun := time.Now()
		var older sync.WaitGroup
		for i := range 3 {
			older.Go(func() {
				if _, failure := d.post(post{code: fmt.Sprint(i), app: "a", ip: "1.2.3.4"}); code(failure) != "superseded" {
					t.Errorf("code %d: %s", i, code(failure))
				}
			})
			synctest.Wait()
		}
		if _, failure := d.post(post{code: "newest", app: "a", ip: "1.2.3.4"}); failure != nil {
			t.Error(code(failure))
		}
		if took := time.Since(begun); took > 1100*time.Millisecond {
			t.Errorf("the newest left after %v", took)
		}
		if _, failure := d.post(post{to: "last@example.com"}); failure != nil || time.Since(begun) > 2200*time.Millisecond {
			t.Errorf("the next: %s after %v", code(failure), time.Since(begun))
		}
		older.Wait()
	})
}

// The place of a superseded message is free for the newer one at once, though its
// caller has not been told yet.
func TestNewerCodeTakesTheOldersPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		d := newSending(t, connector.Limits{Recipient: "off", Connector: "1/4s"}, answers(&calls, nil))
		d.post(post{to: "first@example.com"}) // the next has to wait, and one more could not be sent in time
		var older sync.WaitGroup
		older.Go(func() { d.post(post{code: "1", app: "a", ip: "1.2.3.4"}) })
		synctest.Wait()
		if _, failure := d.post(post{code: "2", app: "a", ip: "1.2.3.4"}); failure != nil || calls.Load() != 2 {
			t.Errorf("the newer: %s, %d calls", code(failure), calls.Load())
		}
		older.Wait()
	})
}

// A message is superseded between two attempts, but not during one.
func TestNewestCodeWinsBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		d := newSending(t, off, sender(func(_ context.Context, mail *aliyundm.Mail) (*aliyundm.Receipt, error) {
			time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
			if mail.Subject == "1" {
				return nil, throttled
			}
			sent = append(sent, mail.Subject)
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}))
		got := make(chan string, 1)
		go func() {
			_, failure := d.post(post{code: "1", app: "a", ip: "1.2.3.4"})
			got <- code(failure)
		}()
		synctest.Wait()
		if _, failure := d.post(post{code: "2", app: "a", ip: "1.2.3.4"}); failure != nil {
			t.Error(code(failure))
		}
		if older := <-got; older != "superseded" || len(sent) != 1 {
			t.Errorf("the older: %s, sent %v", older, sent)
		}
	})
}

func TestPanicInASendIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSending(t, off, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) { panic("user@example.com 123456") }))
		for i := range 300 { // more than there are places: none is lost
			report, failure := d.post(post{code: fmt.Sprint(i)})
			if code(failure) != "internal" || report.State != delivery.StateUnknown || strings.Contains(failure.Error(), "user@") {
				t.Fatalf("%+v, %v", report, failure)
			}
		}
	})
}
