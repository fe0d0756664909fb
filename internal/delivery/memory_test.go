package delivery_test

import (
	"context"
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
)

// A gauge is a sender whose calls take a second. It knows the most bytes that were sent at
// once, as encoded, and the order of the calls.
type gauge struct {
	mu         sync.Mutex
	bytes, max int
	codes      []string
}

func (g *gauge) SingleSendMail(_ context.Context, m *aliyundm.Mail) (*aliyundm.Receipt, error) {
	g.mu.Lock()
	g.bytes += m.MaxEncodedSize()
	g.max = max(g.max, g.bytes)
	g.codes = append(g.codes, m.Subject)
	g.mu.Unlock()
	time.Sleep(time.Second) //nolint:forbidigo // the clock of synctest
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes -= m.MaxEncodedSize()
	return &aliyundm.Receipt{EnvID: "600"}, nil
}

// loaded returns a Delivery with connectors whose mails have that many bytes.
func loaded(t *testing.T, s delivery.Sender, sizes map[string]int) *delivery.Delivery {
	t.Helper()
	d := delivery.New(delivery.Options{Store: memory(t), Log: slog.New(slog.DiscardHandler)})
	connectors := map[string]delivery.Connector{}
	for id, size := range sizes {
		cfg := &connector.Config{AccountName: "noreply@mail.example.com", Limits: &off, Templates: []connector.Template{
			{UsageType: connector.Generic, Subject: "{{code}}", Content: strings.Repeat("x", size)},
		}}
		connectors[id] = delivery.Connector{ID: id, Composer: connector.New(cfg), Sender: s}
	}
	d.Use(connectors)
	return d
}

func sendCode(t *testing.T, d *delivery.Delivery, id, code string) *delivery.Error {
	t.Helper()
	c, _ := d.Connector(id)
	_, failure := (&sending{d, c}).post(post{code: code})
	return failure
}

// Mails wait for the memory that sending them takes, in order, and a connector with
// large mails holds up no other.
func TestMailsInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gauge
		d := loaded(t, &g, map[string]int{"large": 400_000, "small": 100})
		var sent atomic.Int64
		var wg sync.WaitGroup
		var codes []string
		for i := range 40 { // of 1.2 MB each
			codes = append(codes, string(rune('A'+i)))
			wg.Go(func() {
				if sendCode(t, d, "large", codes[i]) == nil {
					sent.Add(1)
				}
			})
			synctest.Wait()
		}
		begun := time.Now()
		if failure := sendCode(t, d, "small", "small"); failure != nil || time.Since(begun) != time.Second {
			t.Errorf("another connector's: %v after %v", failure, time.Since(begun))
		}
		wg.Wait()
		if sent.Load() != 40 || g.max > 16<<20+10_000 || g.max < 15_000_000 {
			t.Errorf("%d sent, %d bytes at once", sent.Load(), g.max)
		}
		order := slices.DeleteFunc(g.codes, func(code string) bool { return code == "small" })
		for together := range slices.Chunk(order, 13) {
			slices.Sort(together)
		}
		if !slices.Equal(order, codes) {
			t.Errorf("order %q", order)
		}
	})
}

// Who cannot get memory in time is told so in time, and the memory is free afterwards.
func TestMailsThatGetNoMemoryAreOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := sender(func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
			<-ctx.Done()
			return nil, &aliyundm.Error{Class: aliyundm.Unknown}
		})
		d := loaded(t, hanging, map[string]int{"a": 400_000, "b": 400_000, "c": 400_000, "d": 400_000})
		for range 2 {
			var mu sync.Mutex
			ends := map[string]int{}
			var wg sync.WaitGroup
			for _, id := range []string{"a", "b", "c", "d"} {
				for range 15 {
					wg.Go(func() {
						begun := time.Now()
						end := code(sendCode(t, d, id, delivery.NewID()))
						mu.Lock()
						defer mu.Unlock()
						ends[end+" after "+time.Since(begun).String()]++
					})
				}
			}
			wg.Wait()
			// 48 MiB are 41 mails of 1.2 MB.
			if ends["outcome_unknown after 7.5s"] != 41 || ends["overloaded after 6s"] != 19 {
				t.Errorf("%v", ends)
			}
		}
	})
}

// Test mails and queued ones count as well.
func TestTestsAndQueuedMailsNeedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gauge
		d := loaded(t, &g, map[string]int{"a": 400_000})
		c, _ := d.Connector("a")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { d.Work(ctx) })
		for range 60 {
			wg.Go(func() {
				if _, err := d.Test(t.Context(), c, request("user@example.com"), ""); err != nil {
					t.Error(err)
				}
			})
			if _, failure := (&sending{d, c}).post(post{code: delivery.NewID(), async: true}); failure != nil {
				t.Error(failure)
			}
		}
		time.Sleep(time.Minute) //nolint:forbidigo // the clock of synctest
		cancel()
		wg.Wait()
		if len(g.codes) != 120 || g.max > 48<<20+10_000 || g.max < 45<<20 {
			t.Errorf("%d sent, %d bytes at once", len(g.codes), g.max)
		}
	})
}
