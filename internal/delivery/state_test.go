package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
	"dmconnector/internal/store"
)

// A queueing is a sending with a state that queues, and that can be made to fail.
type queueing struct {
	*sending
	store *faultyStore
	log   *logBuffer
	stop  func()
}

// faultyStore is a store that fails on demand.
type faultyStore struct {
	*store.Store
	accept, complete error        // instead of doing it
	late             error        // after an acceptance that was committed
	replicas         atomic.Int64 // 0: as many as there are
	superseded       atomic.Bool  // elsewhere
	full             atomic.Bool  // the queue
	poison           string       // the message whose outcome cannot be recorded
	completes        atomic.Int64
	acceptTime       atomic.Int64 // before it accepts
	claimTime        atomic.Int64 // before it claims
	askTime          atomic.Int64 // before it confirms

	mu       sync.Mutex
	accepted func() // while the acceptance is not known yet
	claimed  func() // while the claim is not known yet
}

func (k *faultyStore) fail(accept, complete, late error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.accept, k.complete, k.late = accept, complete, late
}

func (k *faultyStore) Accept(ctx context.Context, e *delivery.Entry) (delivery.Acceptance, error) {
	k.mu.Lock()
	accept, late := k.accept, k.late
	k.mu.Unlock()
	if accept != nil {
		return delivery.Acceptance{}, accept
	}
	if took := k.acceptTime.Load(); took > 0 {
		if err := sleep(ctx, took); err != nil {
			return delivery.Acceptance{}, err
		}
	}
	if k.full.Load() {
		return delivery.Acceptance{Full: true}, nil
	}
	a, err := k.Store.Accept(ctx, e)
	k.mu.Lock()
	accepted := k.accepted
	k.accepted = nil
	k.mu.Unlock()
	if accepted != nil {
		accepted()
	}
	if late != nil {
		return delivery.Acceptance{}, late
	}
	return a, err
}

func (k *faultyStore) Complete(ctx context.Context, s delivery.Outcome) (bool, error) {
	k.completes.Add(1)
	k.mu.Lock()
	complete := k.complete
	if s.ID == k.poison {
		complete = errDisk
	}
	k.mu.Unlock()
	if complete != nil {
		return false, complete
	}
	return k.Store.Complete(ctx, s)
}

// sleep sleeps by the clock of synctest, and not longer than ctx.
func sleep(ctx context.Context, nanoseconds int64) error {
	timer := time.NewTimer(time.Duration(nanoseconds))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *faultyStore) Claim(ctx context.Context, n int, without []string) ([]delivery.Job, error) {
	if took := k.claimTime.Load(); took > 0 {
		if err := sleep(ctx, took); err != nil {
			return nil, err
		}
	}
	list, err := k.Store.Claim(ctx, n, without)
	k.mu.Lock()
	claimed := k.claimed
	k.mu.Unlock()
	if claimed != nil && len(list) > 0 {
		claimed()
	}
	return list, err
}

func (k *faultyStore) Confirm(ctx context.Context, id string, attempt int) error {
	if took := k.askTime.Load(); took > 0 {
		if err := sleep(ctx, took); err != nil {
			return err
		}
	}
	if k.superseded.Load() {
		return delivery.ErrSuperseded
	}
	return k.Store.Confirm(ctx, id, attempt)
}

func (k *faultyStore) Replicas() int {
	if n := k.replicas.Load(); n > 0 {
		return int(n)
	}
	return k.Store.Replicas()
}

func configOf(change func(*connector.Config)) *connector.Config {
	limits := off
	cfg := &connector.Config{AccountName: "noreply@mail.example.com", Limits: &limits}
	for _, usageType := range connector.RequiredUsageTypes() {
		cfg.Templates = append(cfg.Templates, connector.Template{UsageType: usageType, Subject: "{{code}}", Content: "{{code}}"})
	}
	if change != nil {
		change(cfg)
	}
	return cfg
}

// openQueueing returns a queueing whose workers run until it is stopped.
func openQueueing(t *testing.T, s sender, change func(*connector.Config), options ...func(*delivery.Options)) *queueing {
	t.Helper()
	c := &queueing{store: &faultyStore{Store: memory(t)}, log: new(logBuffer)}
	opts := delivery.Options{Store: c.store, Log: slog.New(slog.NewJSONHandler(c.log, nil))}
	for _, set := range options {
		set(&opts)
	}
	d := delivery.New(opts)
	d.Use(map[string]delivery.Connector{"mine": {ID: "mine", Composer: connector.New(configOf(change)), Sender: s}})
	active, _ := d.Connector("mine")
	c.sending = &sending{d, active}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { d.Work(ctx) })
	running.Go(func() { c.store.Run(ctx) })
	c.stop = sync.OnceFunc(func() {
		cancel()
		ending, end := context.WithTimeout(context.Background(), time.Minute)
		defer end()
		_ = d.Wait(ending)
		running.Wait()
	})
	t.Cleanup(c.stop)
	return c
}

// queue sends a queued message.
func (c *queueing) queue(t *testing.T, p post) delivery.Report {
	t.Helper()
	p.async = true
	report, failure := c.post(p)
	if failure != nil {
		t.Fatalf("it is not queued: %+v", failure)
	}
	return report
}

func (c *queueing) message(t *testing.T, id string) delivery.Record {
	t.Helper()
	r, ok, err := c.store.Message(t.Context(), id)
	if err != nil || !ok {
		t.Fatalf("message %s: %v, %v", id, ok, err)
	}
	return r
}

var (
	errDisk  = errors.New("the disk is full")
	errDoubt = errors.Join(context.DeadlineExceeded, delivery.ErrInDoubt)
)

func TestNothingIsSentThatCannotBeStored(t *testing.T) {
	for _, async := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			c := openQueueing(t, answers(&calls, nil), nil)
			c.store.fail(errDisk, nil, nil)
			report, failure := c.post(post{key: "k", async: async})
			if code(failure) != "unavailable" || failure.RetryAfter == 0 || report.State != delivery.StateFailed {
				t.Errorf("%+v, %+v", report, failure)
			}
			c.store.fail(nil, nil, nil)
			if _, failure := c.post(post{key: "k"}); failure != nil { // by itself, with the same key
				t.Errorf("when there is room again: %+v", failure)
			}
			time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
			if calls.Load() != 1 {
				t.Errorf("%d calls", calls.Load())
			}
			c.stop()
		})
	}
}

// A direct message whose acceptance is in doubt is not sent later. A queued one may be,
// and its caller is told so.
func TestAcceptanceInDoubt(t *testing.T) {
	tests := map[bool]struct {
		code  string
		state delivery.State
		calls int64
	}{
		false: {"unavailable", delivery.StateFailed, 0},
		true:  {"outcome_unknown", delivery.StateSent, 1},
	}
	for async, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			c := openQueueing(t, answers(&calls, nil), nil)
			c.store.fail(nil, nil, errDoubt)
			report, failure := c.post(post{async: async, key: "k"})
			if code(failure) != tt.code {
				t.Fatalf("%+v", failure)
			}
			time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
			if r := c.message(t, report.ID); r.State != tt.state || calls.Load() != tt.calls {
				t.Errorf("async %v: it is %s, %d calls", async, r.State, calls.Load())
			}
			c.store.fail(nil, nil, nil)
			if again, failure := c.post(post{async: async, key: "k"}); failure != nil || (again.ID == report.ID) != async || calls.Load() != 1 {
				t.Errorf("async %v, asked again: %+v, %+v, %d calls", async, again, failure, calls.Load())
			}
			c.stop()
		})
	}
}

// A message for which the queue has no room is rejected, and its key may be used again.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), nil)
		c.store.full.Store(true)
		report, failure := c.post(post{async: true, key: "k"})
		if code(failure) != "overloaded" || failure.RetryAfter <= 0 || failure.Incident != report.ID {
			t.Fatalf("%+v, %+v", report, failure)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, report.ID); r.State != delivery.StateFailed || r.Code != "overloaded" || r.Steps.Detail != "the connector's queue is full" || calls.Load() != 0 {
			t.Errorf("it is %+v, %d calls", r, calls.Load())
		}
		c.store.full.Store(false)
		c.queue(t, post{key: "k"})
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		c.stop()
		if calls.Load() != 1 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

// A mail that Aliyun accepted is not reported as failed when the store cannot be
// written. Its outcome is recorded later.
func TestAcceptedMailIsRecordedAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), nil)
		c.store.fail(nil, errDisk, nil)
		report, failure := c.post(post{key: "k"})
		if failure != nil || report.State != delivery.StateSent {
			t.Fatalf("%+v, %+v", report, failure)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		// Its lease has ended meanwhile.
		if r := c.message(t, report.ID); r.State != delivery.StateSending && r.State != delivery.StateUnknown {
			t.Errorf("it is %s", r.State)
		}
		c.store.fail(nil, nil, nil)
		time.Sleep(2 * time.Second) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, report.ID); r.State != delivery.StateSent || r.Steps.Receipt.EnvID != "600" {
			t.Errorf("it is %s", r.State)
		}
		if again, failure := c.post(post{key: "k"}); failure != nil || again.ID != report.ID || calls.Load() != 1 {
			t.Errorf("asked again: %+v, %+v, %d calls", again, failure, calls.Load())
		}
		c.stop()
	})
}

// After an outage, a bounded number of writers record the pending outcomes.
func TestOutageDoesNotPileUpWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), nil)
		c.store.fail(errDoubt, errDisk, nil)
		for i := range 500 {
			c.post(post{code: fmt.Sprint(i)})
		}
		before := c.store.completes.Load()
		time.Sleep(10 * time.Second) //nolint:forbidigo // the clock of synctest
		if n := c.store.completes.Load() - before; n > 25 {
			t.Errorf("the state is asked %d times in 10 s", n)
		}
		c.store.fail(nil, nil, nil)
		c.stop()
	})
}

// The messages that an outage leaves in doubt are bounded.
func TestDoubtfulMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), nil)
		c.store.fail(errDoubt, errDisk, nil)
		for i := range 5000 {
			c.post(post{code: fmt.Sprint(i)})
		}
		c.store.fail(nil, nil, nil)
		before := c.store.completes.Load()
		c.stop()
		if n := c.store.completes.Load() - before; n < 4000 || n > 4100 {
			t.Errorf("%d outcomes are recorded after the outage", n)
		}
	})
}

func TestQueuedMessageEnds(t *testing.T) {
	quotaTwice := []error{noQuota, noQuota, nil}
	tests := map[string]struct {
		answers   []error
		state     delivery.State
		code      string
		calls     int64
		retryable bool
	}{
		"accepted":              {[]error{nil}, delivery.StateSent, "", 1, false},
		"unreachable for a try": {[]error{unreachable, unreachable, unreachable, unreachable, nil}, delivery.StateSent, "", 5, false},
		"throttled for a while": {[]error{throttled, throttled, throttled, throttled, throttled, nil}, delivery.StateSent, "", 6, false},
		"no quota for a while":  {quotaTwice, delivery.StateSent, "", 3, false},
		"rejected for good":     {[]error{badKey, nil}, delivery.StateDead, "provider_rejected", 1, true},
		"a rejected recipient":  {[]error{badAddress, nil}, delivery.StateDead, "recipient_rejected", 1, true},
		"no answer":             {[]error{noAnswer, nil}, delivery.StateUnknown, "outcome_unknown", 1, true},
		"a defect":              {[]error{errPanic}, delivery.StateUnknown, "internal", 1, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				c := openQueueing(t, panicking(answers(&calls, tt.answers...)), nil)
				queued := c.queue(t, post{})
				if queued.State != delivery.StateQueued {
					t.Fatalf("%+v", queued)
				}
				time.Sleep(4 * time.Minute) //nolint:forbidigo // the clock of synctest
				r := c.message(t, queued.ID)
				if r.State != tt.state || string(r.Code) != tt.code || calls.Load() != tt.calls || r.Retryable != tt.retryable || int64(len(r.Steps.Attempts)) != tt.calls {
					if name != "a defect" || len(r.Steps.Attempts) != 0 || r.State != tt.state || r.Retryable != tt.retryable {
						t.Errorf("%s %s after %d calls, retryable %v, %d attempts told", r.State, r.Code, calls.Load(), r.Retryable, len(r.Steps.Attempts))
					}
				}
				c.stop()
			})
		})
	}
}

var errPanic = errors.New("panic")

// panicking panics instead of returning errPanic.
func panicking(s sender) sender {
	return func(ctx context.Context, m *aliyundm.Mail) (*aliyundm.Receipt, error) {
		receipt, err := s(ctx, m)
		if errors.Is(err, errPanic) {
			panic("user@example.com 123456")
		}
		return receipt, err
	}
}

// No mail leaves after its code's lifetime.
func TestQueuedMessageExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, unreachable), func(cfg *connector.Config) { cfg.CodeLifetime = "2m" })
		queued := c.queue(t, post{})
		time.Sleep(2*time.Minute + 10*time.Second) //nolint:forbidigo // the clock of synctest
		r := c.message(t, queued.ID)
		if r.State != delivery.StateExpired || r.Retryable || calls.Load() < 8 {
			t.Errorf("%s, retryable %v, %d calls", r.State, r.Retryable, calls.Load())
		}
		before := calls.Load()
		time.Sleep(time.Hour) //nolint:forbidigo // the clock of synctest
		if calls.Load() != before {
			t.Error("it is tried after its life")
		}
		c.stop()
	})
}

// A dead message is sent again when an admin retries it.
func TestDeadMessageIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, badKey, nil), nil)
		queued := c.queue(t, post{})
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		if err := c.store.Retry(t.Context(), "admin", queued.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.State != delivery.StateSent || len(r.Steps.Attempts) != 2 {
			t.Errorf("%s, %+v", r.State, r.Steps.Attempts)
		}
		c.stop()
	})
}

// While the breaker is open, queued messages wait instead of becoming dead.
func TestQueueWaitsForTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, badKey, badKey, badKey, badKey, badKey, nil), nil)
		for i := range 5 {
			c.post(post{code: fmt.Sprint(i)})
		}
		queued := c.queue(t, post{code: "queued"})
		time.Sleep(5 * time.Second) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.State != delivery.StateQueued || calls.Load() != 5 {
			t.Fatalf("%s %s, %d calls", r.State, r.Code, calls.Load())
		}
		time.Sleep(3 * time.Minute) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.State != delivery.StateSent {
			t.Errorf("after the cure: %s %s", r.State, r.Code)
		}
		c.stop()
	})
}

func TestQueuedCodeIsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		var down atomic.Bool
		down.Store(true)
		c := openQueueing(t, sender(func(_ context.Context, m *aliyundm.Mail) (*aliyundm.Receipt, error) {
			if down.Load() {
				return nil, unreachable
			}
			sent = append(sent, m.Subject)
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}), nil)
		older := c.queue(t, post{code: "1", app: "a", ip: "1.2.3.4"})
		time.Sleep(3 * time.Second) //nolint:forbidigo // the clock of synctest
		newer := c.queue(t, post{code: "2", app: "a", ip: "1.2.3.4"})
		down.Store(false)
		time.Sleep(2 * time.Minute) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, older.ID); r.State != delivery.StateFailed || r.Code != errcode.Superseded {
			t.Errorf("the older is %s %s", r.State, r.Code)
		}
		if r := c.message(t, newer.ID); r.State != delivery.StateSent || strings.Join(sent, " ") != "2" {
			t.Errorf("the newer is %s, sent %v", r.State, sent)
		}
		c.stop()
	})
}

func TestWhatIsQueued(t *testing.T) {
	queuedRegister := func(cfg *connector.Config) {
		cfg.Delivery = map[string]string{connector.Register: "queued", connector.SignIn: "direct"}
	}
	tests := map[string]struct {
		change   func(*connector.Config)
		post     post
		volatile bool
		want     delivery.State
	}{
		"usual":                       {nil, post{}, false, delivery.StateSent},
		"the caller prefers it":       {nil, post{async: true}, false, delivery.StateQueued},
		"the connector's type":        {queuedRegister, post{kind: connector.Register}, false, delivery.StateQueued},
		"another type":                {queuedRegister, post{}, false, delivery.StateSent},
		"in memory it is not offered": {nil, post{async: true}, true, delivery.StateSent},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				d := delivery.New(delivery.Options{Store: memory(t), Volatile: tt.volatile, Log: slog.New(slog.DiscardHandler)})
				d.Use(map[string]delivery.Connector{"mine": {ID: "mine", Composer: connector.New(configOf(tt.change)), Sender: answers(&calls, nil)}})
				active, _ := d.Connector("")
				report, failure := (&sending{d, active}).post(tt.post)
				if failure != nil || report.State != tt.want || (calls.Load() == 1) != (tt.want == delivery.StateSent) {
					t.Errorf("%+v, %+v, %d calls", report, failure, calls.Load())
				}
			})
		})
	}
}

// A repeated key answers with the state of its queued message.
func TestKeyOfAQueuedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, unreachable, unreachable, unreachable, unreachable, nil), nil)
		first := c.queue(t, post{key: "k"})
		again := c.queue(t, post{key: "k"})
		if again.ID != first.ID || again.State != delivery.StateQueued {
			t.Errorf("%+v", again)
		}
		if _, failure := c.post(post{key: "k", code: "other", async: true}); code(failure) != "idempotency_mismatch" {
			t.Errorf("another body: %s", code(failure))
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		if sent := c.queue(t, post{key: "k"}); sent.ID != first.ID || sent.State != delivery.StateSent || calls.Load() != 5 {
			t.Errorf("%+v, %d calls", sent, calls.Load())
		}
		c.stop()
	})
}

// A connector sends at most 96 queued messages at once, and at most half of what the
// others leave. A place that is freed is used at once.
func TestQueuedMessagesInFlightAreBounded(t *testing.T) {
	tests := map[string]struct {
		connectors, messages int
		least, most          int
		took                 time.Duration
	}{
		"one connector":  {1, 200, 96, 96, 2 * 700 * time.Millisecond},
		"two connectors": {2, 400, 192, 192, 2 * 700 * time.Millisecond},
		// Each may have half of what the others leave of 512.
		"eight connectors": {8, 800, 400, 512, 700 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				var sends peak
				s := sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
					defer sends.enter()()
					calls.Add(1)
					time.Sleep(700 * time.Millisecond) //nolint:forbidigo // the clock of synctest
					return &aliyundm.Receipt{EnvID: "600"}, nil
				})
				c := openQueueing(t, s, nil)
				among := c.with(s, tt.connectors)
				begun := time.Now()
				for i := range tt.messages {
					c.connector = among[i%len(among)]
					c.queue(t, post{code: fmt.Sprint(i)})
				}
				time.Sleep(tt.took - time.Since(begun)) //nolint:forbidigo // the clock of synctest
				synctest.Wait()
				if n := sends.most(); n < tt.least || n > tt.most || calls.Load() != int64(tt.messages) {
					t.Errorf("%d at once, %d calls", sends.most(), calls.Load())
				}
				c.stop()
			})
		})
	}
}

// with activates n connectors, "mine" and others, and returns them.
func (c *queueing) with(s sender, n int) []delivery.Connector {
	mine, _ := c.Connector("mine")
	all := map[string]delivery.Connector{"mine": {ID: "mine", Composer: mine.Composer, Sender: mine.Sender}}
	for i := 1; i < n; i++ {
		id := fmt.Sprint("other", i)
		all[id] = delivery.Connector{ID: id, Composer: connector.New(configOf(nil)), Sender: s}
	}
	c.Use(all)
	list := make([]delivery.Connector, 0, n)
	for id := range all {
		active, _ := c.Connector(id)
		list = append(list, active)
	}
	slices.SortFunc(list, func(a, b delivery.Connector) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// An account that hangs delays only its own mail.
func TestHangingConnectorDelaysNoOther(t *testing.T) {
	for _, first := range []int{0, 1, 10, 96} { // messages in flight before the others
		synctest.Test(t, func(t *testing.T) {
			var tried, sent atomic.Int64
			var hanging peak
			c := openQueueing(t, sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
				defer hanging.enter()()
				tried.Add(1)
				<-ctx.Done()
				return nil, noAnswer
			}), nil)
			both := c.with(answers(&sent, nil), 2)
			for i := range 250 {
				if i == first {
					synctest.Wait()
				}
				c.queue(t, post{code: fmt.Sprint(i)})
			}
			time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
			c.connector = both[1]
			for i := range 40 {
				c.queue(t, post{code: fmt.Sprint(i)})
			}
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the clock of synctest
			if sent.Load() != 40 || hanging.most() != 96 {
				t.Errorf("after %d: %d of the other's 40 are sent, %d hang at once", first, sent.Load(), hanging.most())
			}
			time.Sleep(3*7500*time.Millisecond - time.Second) //nolint:forbidigo // the clock of synctest
			if tried.Load() != 250 || hanging.most() != 96 {
				t.Errorf("after %d: %d of its 250 are tried, %d at once", first, tried.Load(), hanging.most())
			}
			c.stop()
		})
	}
}

// Accounts that hang leave places to the others, however many they are.
func TestHangingConnectorsDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		hangs := sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
			<-ctx.Done()
			return nil, noAnswer
		})
		c := openQueueing(t, hangs, nil)
		all := c.with(hangs, 5)
		good := delivery.Connector{ID: "good", Composer: connector.New(configOf(nil)), Sender: answers(&sent, nil)}
		byID := map[string]delivery.Connector{"good": good}
		for _, other := range all {
			byID[other.ID] = delivery.Connector{ID: other.ID, Composer: other.Composer, Sender: other.Sender}
		}
		c.Use(byID)
		for i := range 600 {
			c.connector, _ = c.Connector(all[i%len(all)].ID)
			c.queue(t, post{code: fmt.Sprint(i)})
		}
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		c.connector, _ = c.Connector("good")
		for i := range 40 {
			c.queue(t, post{code: fmt.Sprint(i)})
		}
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the clock of synctest
		if sent.Load() != 40 {
			t.Errorf("%d of the good one's 40 are sent", sent.Load())
		}
		c.stop()
	})
}

// A stop waits for messages in progress, and leaves the rest to the next start.
func TestStopWaitsForMessagesInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, sender(func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			calls.Add(1)
			time.Sleep(2 * time.Second) //nolint:forbidigo // the clock of synctest
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}), nil)
		var ids []string
		for i := range 120 {
			ids = append(ids, c.queue(t, post{code: fmt.Sprint(i)}).ID)
		}
		synctest.Wait()
		c.stop()
		states := map[delivery.State]int{}
		for _, id := range ids {
			states[c.message(t, id).State]++
		}
		if states[delivery.StateSent] != 96 || states[delivery.StateQueued] != 24 || calls.Load() != 96 {
			t.Errorf("%v, %d calls", states, calls.Load())
		}
	})
}

// A message that is being claimed at the stop is sent within its lease. A store that
// hangs does not delay the stop.
func TestStopDuringClaim(t *testing.T) {
	tests := map[string]struct {
		claim, stop time.Duration
		state       delivery.State
	}{
		"a slow state":       {2 * time.Second, 2 * time.Second, delivery.StateSent},
		"a state that hangs": {time.Hour, 3 * time.Second, delivery.StateQueued},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var until time.Time
				c := openQueueing(t, sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
					until, _ = ctx.Deadline()
					time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
					return &aliyundm.Receipt{EnvID: "600"}, nil
				}), nil)
				synctest.Wait()
				c.store.claimTime.Store(int64(tt.claim))
				queued := c.queue(t, post{})
				begun := time.Now()
				synctest.Wait()
				time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
				c.stop()
				if took := time.Since(begun); took > tt.stop+time.Second {
					t.Errorf("the stop took %v", took)
				}
				if r := c.message(t, queued.ID); r.State != tt.state {
					t.Errorf("it is %s", r.State)
				}
				if left := until.Sub(begun); tt.state == delivery.StateSent && left != 7500*time.Millisecond {
					t.Errorf("it had %v", left)
				}
			})
		})
	}
}

// A missing connector or template may be too new for this process. If it stays missing,
// an admin sees the message as dead.
func TestQueuedMessageWaitsForItsConnector(t *testing.T) {
	const neverBack = time.Hour
	noTemplates := func(cfg *connector.Config) { cfg.Templates = nil }
	tooLarge := func(cfg *connector.Config) {
		cfg.Templates = []connector.Template{{UsageType: connector.Generic, Subject: "s", Content: strings.Repeat("x", 513<<10)}}
	}
	tests := map[string]struct {
		outage, back time.Duration // of the provider before, and of the connector
		change       func(*connector.Config)
		state        delivery.State
		code         string
	}{
		"no connector yet":                     {0, 20 * time.Second, nil, delivery.StateSent, ""},
		"no template yet":                      {0, 20 * time.Second, noTemplates, delivery.StateSent, ""},
		"no connector":                         {0, neverBack, nil, delivery.StateDead, "connector_not_found"},
		"no template":                          {0, neverBack, noTemplates, delivery.StateDead, "template_not_found"},
		"a mail that is too large":             {0, neverBack, tooLarge, delivery.StateDead, "content_rejected"},
		"no connector yet after many attempts": {5 * time.Minute, 5 * time.Second, nil, delivery.StateSent, ""},
		"no template yet after many attempts":  {5 * time.Minute, 5 * time.Second, noTemplates, delivery.StateSent, ""},
		"no connector any more after a while":  {5 * time.Minute, neverBack, nil, delivery.StateDead, "connector_not_found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				var down atomic.Bool
				s := sender(func(ctx context.Context, m *aliyundm.Mail) (*aliyundm.Receipt, error) {
					if down.Load() {
						return nil, unreachable
					}
					return answers(&calls, nil)(ctx, m)
				})
				c := openQueueing(t, s, func(cfg *connector.Config) { cfg.CodeLifetime = "1h" })
				down.Store(true)
				queued := c.queue(t, post{})
				time.Sleep(max(tt.outage, time.Second)) //nolint:forbidigo // the clock of synctest
				r := c.message(t, queued.ID)
				for ; r.State == delivery.StateSending; r = c.message(t, queued.ID) {
					time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
				}
				if r.State != delivery.StateQueued || tt.outage > 0 && r.Attempts < 8 {
					t.Fatalf("it is %s after %d attempts", r.State, r.Attempts)
				}
				stale := map[string]delivery.Connector{}
				if tt.change != nil {
					stale["mine"] = delivery.Connector{ID: "mine", Composer: connector.New(configOf(tt.change)), Sender: s}
				}
				c.Use(stale)
				c.awaitCode(t, queued.ID, errcode.ConnectorNotFound, errcode.TemplateNotFound, errcode.ContentRejected)
				down.Store(false)
				time.Sleep(min(tt.back, 6*time.Minute)) //nolint:forbidigo // the clock of synctest
				if tt.back < neverBack {
					c.Use(map[string]delivery.Connector{"mine": {ID: "mine", Composer: connector.New(configOf(nil)), Sender: s}})
					time.Sleep(100 * time.Second) //nolint:forbidigo // the clock of synctest
				}
				r = c.message(t, queued.ID)
				if r.State != tt.state || string(r.Code) != tt.code || r.Retryable != (tt.state == delivery.StateDead) {
					t.Errorf("%s %s after %d attempts, retryable %v", r.State, r.Code, r.Attempts, r.Retryable)
				}
				c.stop()
			})
		})
	}
}

// awaitCode waits until an attempt has ended with one of the codes.
func (c *queueing) awaitCode(t *testing.T, id string, codes ...errcode.Code) {
	t.Helper()
	for range 200 {
		if slices.Contains(codes, c.message(t, id).Code) {
			return
		}
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
	}
	r := c.message(t, id)
	t.Fatalf("it is %s %s", r.State, r.Code)
}

// A newer code may arrive between the claim of a queued one and its call.
func TestCodeIsSupersededDuringItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		c := openQueueing(t, sender(func(_ context.Context, m *aliyundm.Mail) (*aliyundm.Receipt, error) {
			sent = append(sent, m.Subject)
			return &aliyundm.Receipt{EnvID: "600"}, nil
		}), nil)
		c.store.mu.Lock()
		c.store.claimed = func() {
			if _, failure := c.post(post{code: "2", app: "a", ip: "1.2.3.4"}); failure != nil {
				t.Errorf("the newer: %+v", failure)
			}
		}
		c.store.mu.Unlock()
		older := c.queue(t, post{code: "1", app: "a", ip: "1.2.3.4"})
		time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, older.ID); r.Code != errcode.Superseded || strings.Join(sent, " ") != "2" {
			t.Errorf("the older is %s %s, sent %v", r.State, r.Code, sent)
		}
		c.stop()
	})
}

// A newer code may be accepted, and sent, before the older one's acceptance is known.
func TestCodeIsSupersededDuringItsAcceptance(t *testing.T) {
	for range 20 { // each failed by chance
		synctest.Test(t, func(t *testing.T) {
			var sent []string
			c := openQueueing(t, sender(func(_ context.Context, m *aliyundm.Mail) (*aliyundm.Receipt, error) {
				sent = append(sent, m.Subject)
				return &aliyundm.Receipt{EnvID: "600"}, nil
			}), nil)
			c.store.mu.Lock()
			c.store.accepted = func() {
				if _, failure := c.post(post{code: "2", app: "a", ip: "1.2.3.4"}); failure != nil {
					t.Errorf("the newer: %+v", failure)
				}
			}
			c.store.mu.Unlock()
			if _, failure := c.post(post{code: "1", app: "a", ip: "1.2.3.4"}); code(failure) != "superseded" || strings.Join(sent, " ") != "2" {
				t.Errorf("the older: %s, sent %v", code(failure), sent)
			}
			c.stop()
		})
	}
}

// A queued message may be claimed before its caller has its answer. It still learns
// that it is superseded, and frees its place in the rate for the newer one.
func TestQueuedCodeIsSupersededAfterAnEarlyClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		answered := make(chan struct{})
		c := openQueueing(t, answers(&calls, nil), func(cfg *connector.Config) { cfg.Limits.Connector = "1/4s" }, func(o *delivery.Options) {
			o.Observe = func(o delivery.Observation) {
				if o.State == delivery.StateQueued {
					<-answered
				}
			}
		})
		c.post(post{to: "first@example.com"}) // the next have to wait
		go c.post(post{code: "1", app: "a", ip: "1.2.3.4", async: true})
		synctest.Wait() // the worker waits for the rate
		close(answered)
		synctest.Wait()
		if _, failure := c.post(post{code: "2", app: "a", ip: "1.2.3.4"}); failure != nil || calls.Load() != 2 {
			t.Errorf("the newer: %s, %d calls", code(failure), calls.Load())
		}
		c.stop()
	})
}

// A message that waited is not sent until the store confirms it.
func TestNothingIsSentUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, throttled, nil), nil)
		c.store.askTime.Store(int64(time.Hour))
		begun := time.Now()
		_, failure := c.post(post{})
		if took := time.Since(begun); code(failure) != "unavailable" || calls.Load() != 1 || took > 2*time.Second {
			t.Errorf("%s after %v and %d calls", code(failure), took, calls.Load())
		}
		queued := c.queue(t, post{app: "a", ip: "1.2.3.4"})
		time.Sleep(2 * time.Second) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.State == delivery.StateSent || r.Code != errcode.Unavailable || calls.Load() != 1 {
			t.Errorf("it is %s %s after %d calls", r.State, r.Code, calls.Load())
		}
		c.store.askTime.Store(0)
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.State != delivery.StateSent {
			t.Errorf("it is %s %s", r.State, r.Code)
		}
		c.stop()
	})
}

// A claim whose answer took long is confirmed before the attempt: the state may be out of
// reach since, and another process may send the message.
func TestNothingIsSentOnAnOldClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), nil)
		c.store.claimTime.Store(int64(time.Second))
		c.store.askTime.Store(int64(time.Hour))
		queued := c.queue(t, post{})
		time.Sleep(3 * time.Second) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.Code != errcode.Unavailable || calls.Load() != 0 {
			t.Errorf("it is %s %s after %d calls", r.State, r.Code, calls.Load())
		}
		c.store.claimTime.Store(0)
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		if r := c.message(t, queued.ID); r.State != delivery.StateSent || calls.Load() != 1 {
			t.Errorf("it is %s %s after %d calls", r.State, r.Code, calls.Load())
		}
		c.stop()
	})
}

// The store alone decides what is superseded: another replica may have accepted the
// newer code.
func TestCodeIsSupersededElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, throttled, nil), nil)
		c.store.superseded.Store(true)
		if _, failure := c.post(post{app: "a", ip: "1.2.3.4"}); code(failure) != "superseded" || calls.Load() != 1 {
			t.Errorf("%s after %d calls", code(failure), calls.Load())
		}
		c.stop()
	})
}

// A caller that leaves before the acceptance cancels its message. A caller that joined
// it still gets the message sent.
func TestAbortBeforeAcceptanceCancelsTheMessage(t *testing.T) {
	for joined, want := range map[bool]int64{false: 0, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			c := openQueueing(t, answers(&calls, nil), nil)
			c.store.acceptTime.Store(int64(time.Second))
			ctx, leave := context.WithCancel(context.Background())
			got := make(chan string, 2)
			send := func(ctx context.Context) {
				_, failure := c.postAs(ctx, post{})
				got <- code(failure)
			}
			go send(ctx)
			synctest.Wait()
			if joined {
				go send(context.Background())
				synctest.Wait()
			}
			leave()
			if first := <-got; first != "unavailable" {
				t.Errorf("the first: %s", first)
			}
			if joined {
				if second := <-got; second != "sent" {
					t.Errorf("the second: %s", second)
				}
			}
			if calls.Load() != want {
				t.Errorf("joined %v: %d calls", joined, calls.Load())
			}
			c.stop()
		})
	}
}

// An outcome that can never be recorded delays no other, and is dropped.
func TestOutcomeThatCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), nil)
		c.store.fail(nil, errDisk, nil)
		var ids []string
		for i := range 5 {
			report, _ := c.post(post{code: fmt.Sprint(i)})
			ids = append(ids, report.ID)
		}
		c.store.mu.Lock()
		c.store.complete, c.store.poison = nil, ids[0]
		c.store.mu.Unlock()
		time.Sleep(2300 * time.Millisecond) //nolint:forbidigo // the clock of synctest
		for _, id := range ids[1:] {
			if r := c.message(t, id); r.State != delivery.StateSent {
				t.Errorf("another one is %s", r.State)
			}
		}
		if waiting, dropped := c.PendingOutcomes(); waiting != 1 || dropped != 0 {
			t.Errorf("%d wait, %d dropped", waiting, dropped)
		}
		for i := range 150 { // each time another one is recorded
			c.store.fail(nil, errDisk, nil)
			c.post(post{code: fmt.Sprint("more ", i)})
			c.store.fail(nil, nil, nil)
			time.Sleep(2300 * time.Millisecond) //nolint:forbidigo // the clock of synctest
		}
		if waiting, dropped := c.PendingOutcomes(); waiting != 0 || dropped != 1 {
			t.Errorf("%d wait, %d dropped", waiting, dropped)
		}
		c.stop()
	})
}

// Replicas share a connector's rate, which is Aliyun's limit for the account.
func TestReplicasShareTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), func(cfg *connector.Config) { cfg.Limits.Connector = "100/1s" })
		c.store.replicas.Store(4)
		begun := time.Now()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { c.post(post{code: fmt.Sprint(i)}) })
		}
		all.Wait()
		if took := time.Since(begun); calls.Load() != 50 || took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("%d calls in %v", calls.Load(), took)
		}
		c.stop()
	})
}

// A reload with new templates keeps the rate and the breaker.
func TestReloadKeepsRateAndBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		s := answers(&calls, badKey)
		c := openQueueing(t, s, func(cfg *connector.Config) { cfg.Limits.Connector = "5/10s" })
		for i := range 5 {
			c.post(post{code: fmt.Sprint(i)})
		}
		same, _ := c.Connector("mine")
		c.Use(map[string]delivery.Connector{"mine": {ID: "mine", Composer: same.Composer, Sender: same.Sender}})
		c.connector, _ = c.Connector("mine")
		if c.post(post{code: "x"}); calls.Load() != 5 {
			t.Errorf("unchanged, its breaker has been forgotten: %d calls", calls.Load())
		}
		changed := connector.New(configOf(func(cfg *connector.Config) { cfg.Limits.Connector = "5/10s" }))
		c.Use(map[string]delivery.Connector{"mine": {ID: "mine", Composer: changed, Sender: s}})
		c.connector, _ = c.Connector("mine")
		begun := time.Now()
		_, failure := c.post(post{code: "y"})
		if code(failure) != "overloaded" || time.Since(begun) > 0 {
			t.Errorf("changed, it has a new allowance: %s", code(failure))
		}
		c.stop()
	})
}

// A key that is used with another body is neither charged nor refunded.
func TestMismatchRefundsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		c := openQueueing(t, answers(&calls, nil), func(cfg *connector.Config) { cfg.Limits.Recipient = "2/10m" })
		c.post(post{key: "k", code: "1"})
		for i := range 5 {
			c.post(post{key: "k", code: fmt.Sprint("other ", i)})
			time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
			c.post(post{code: fmt.Sprint("new ", i)})
		}
		if calls.Load() != 2 {
			t.Errorf("%d calls within a limit of 2", calls.Load())
		}
		c.stop()
	})
}
