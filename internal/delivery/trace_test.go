package delivery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
)

// spansOf returns the ended spans in the order of their beginning: name, parent and
// status.
func spansOf(recorder *tracetest.SpanRecorder) []string {
	names := map[trace.SpanID]string{}
	for _, s := range recorder.Started() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	var told []string
	for _, s := range recorder.Started() {
		line := s.Name()
		if parent := names[s.Parent().SpanID()]; parent != "" {
			line = parent + "/" + line
		}
		if s.EndTime().IsZero() {
			line += " (not ended)"
		}
		told = append(told, strings.TrimSpace(line+" "+s.Status().Description))
	}
	return told
}

// dump returns everything that the spans contain.
func dump(recorder *tracetest.SpanRecorder) string {
	var b strings.Builder
	for _, s := range recorder.Ended() {
		fmt.Fprint(&b, s.Name(), " ", s.Status())
		for _, a := range s.Attributes() {
			fmt.Fprintf(&b, " %s=%s", a.Key, a.Value.String())
		}
		fmt.Fprintln(&b, s.Events())
	}
	return b.String()
}

// recording returns a context with a recorded span of a request.
func recording() (context.Context, trace.Span, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	ctx, span := tracer.Start(context.Background(), "request")
	return ctx, span, recorder
}

func TestMessageIsTraced(t *testing.T) {
	throttled := &aliyundm.Error{Class: aliyundm.Retry, Code: "Throttling.User", Status: 400, RequestID: "REQ", Message: "user@example.com 123456"}
	rejected := &aliyundm.Error{Class: aliyundm.Recipient, Code: "InvalidMailAddress.NotFound", Status: 404, Message: "user@example.com 123456"}
	var calls atomic.Int64
	tests := map[string]struct {
		sender sender
		limits connector.Limits
		want   []string
		holds  []string
	}{
		"sent": {
			accepting(new([]aliyundm.Mail)), off,
			[]string{"request", "request/message", "message/accept", "message/compose", "message/wait", "message/SingleSendMail", "message/complete"},
			[]string{"dmconnector.outcome=sent", "dmconnector.connector=mine", "dmconnector.type=SignIn", "dmconnector.mode=direct", "dmconnector.incident=0", "aliyun.request_id="},
		},
		"sent again": {
			answers(&calls, throttled, nil), off,
			[]string{
				"request", "request/message", "message/accept", "message/compose", "message/wait", "message/SingleSendMail retry",
				"message/wait", "message/SingleSendMail", "message/complete",
			},
			[]string{"aliyun.code=Throttling.User", "aliyun.request_id=REQ"},
		},
		"rejected": {
			failing(rejected), off,
			[]string{
				"request", "request/message recipient_rejected", "message/accept", "message/compose", "message/wait",
				"message/SingleSendMail recipient", "message/complete",
			},
			[]string{"dmconnector.outcome=failed", "aliyun.code=InvalidMailAddress.NotFound"},
		},
		"limited": {
			accepting(new([]aliyundm.Mail)),
			connector.Limits{Recipient: "1/1h", Connector: "off"},
			[]string{
				"request", "request/message", "message/accept", "message/compose", "message/wait", "message/SingleSendMail", "message/complete",
				"request/message rate_limited", "message/accept rate_limited",
			},
			nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newSending(t, tt.limits, tt.sender)
				ctx, request, recorder := recording()
				d.postAs(ctx, post{})
				if name == "limited" {
					d.postAs(ctx, post{code: "654321"})
				}
				request.End()
				if got := spansOf(recorder); !slices.EqualFunc(got, tt.want, strings.EqualFold) {
					t.Errorf("spans %q, want %q", got, tt.want)
				}
				told := dump(recorder)
				for _, part := range tt.holds {
					if !strings.Contains(told, part) {
						t.Errorf("%s is not told: %s", part, told)
					}
				}
				for _, secret := range []string{"user@", "123456", "654321"} {
					if strings.Contains(told, secret) {
						t.Errorf("%s is in a span: %s", secret, told)
					}
				}
			})
		})
	}
}

// A replayed answer has the first message's incident.
func TestAnswerAgainIsTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSending(t, off, accepting(new([]aliyundm.Mail)))
		first, _ := d.post(post{key: "k"})
		ctx, request, recorder := recording()
		_, _ = d.postAs(ctx, post{key: "k"})
		request.End()
		if told := dump(recorder); !strings.Contains(told, "dmconnector.incident="+first.ID) || strings.Count(told, "dmconnector.incident=") != 1 || !strings.Contains(told, "dmconnector.answered_again=true") {
			t.Errorf("spans tell %s, the first message is %s", told, first.ID)
		}
	})
}

func TestPanicEndsItsSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSending(t, off, func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) { panic("a defect") })
		ctx, request, recorder := recording()
		_, _ = d.postAs(ctx, post{})
		request.End()
		want := []string{"request", "request/message internal", "message/accept", "message/compose", "message/wait", "message/SingleSendMail", "message/complete"}
		if got := spansOf(recorder); !slices.Equal(got, want) {
			t.Errorf("spans %q", got)
		}
	})
}

// A caller's trace is passed on even if it is not recorded here.
func TestCallersTraceIsPassedOn(t *testing.T) {
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	within := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": theirs})
	for _, queued := range []bool{false, true} {
		t.Run(fmt.Sprint("queued ", queued), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var seen []string
				c := openQueueing(t, func(ctx context.Context, _ *aliyundm.Mail) (*aliyundm.Receipt, error) {
					carrier := propagation.MapCarrier{}
					propagation.TraceContext{}.Inject(ctx, carrier)
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, carrier["traceparent"])
					return &aliyundm.Receipt{EnvID: "1", RequestID: "2"}, nil
				}, nil)
				_, _ = c.postAs(within, post{async: queued})
				_, _ = c.post(post{async: queued, code: "654321"})
				synctest.Wait()
				c.stop()
				slices.Sort(seen) // queued messages are sent side by side
				if !slices.Equal(seen, []string{"", theirs}) {
					t.Errorf("the calls belong to %q", seen)
				}
			})
		})
	}
}

// An attempt of a queued message is a span in the trace of its request, which may have
// ended long before.
func TestQueuedMessageIsTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, request, recorder := recording()
		c := openQueueing(t, accepting(new([]aliyundm.Mail)), nil, func(o *delivery.Options) {
			o.Tracer = request.TracerProvider().Tracer("test")
		})
		if _, failure := c.postAs(ctx, post{async: true}); failure != nil {
			t.Fatal(failure)
		}
		request.End()
		synctest.Wait()
		c.stop()
		want := []string{
			"request", "request/message", "message/accept",
			"request/message", "message/compose", "message/wait", "message/SingleSendMail", "message/complete",
		}
		if got := spansOf(recorder); !slices.Equal(got, want) {
			t.Errorf("spans %q", got)
		}
		for _, s := range recorder.Ended() {
			if s.SpanContext().TraceID() != request.SpanContext().TraceID() {
				t.Errorf("%s is in another trace", s.Name())
			}
		}
		if told := dump(recorder); !strings.Contains(told, "dmconnector.mode=queued dmconnector.outcome=sent") {
			t.Errorf("spans tell %s", told)
		}
	})
}

// A request that joins another links to the message that they share.
func TestJoinedRequestIsLinked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		d := newSending(t, off, func(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
			<-goOn
			return &aliyundm.Receipt{EnvID: "1", RequestID: "2"}, nil
		})
		first, request, recorder := recording()
		second, joining := request.TracerProvider().Tracer("test").Start(context.Background(), "joining")
		var both sync.WaitGroup
		both.Go(func() { _, _ = d.postAs(first, post{}) })
		synctest.Wait()
		both.Go(func() { _, _ = d.postAs(second, post{}) })
		synctest.Wait()
		close(goOn)
		both.Wait()
		joining.End()
		ended := recorder.Ended()
		joined := ended[len(ended)-1]
		if want := []string{"request (not ended)", "joining", "request/message"}; !slices.Equal(spansOf(recorder)[:3], want) || joined.Name() != "joining" {
			t.Fatalf("spans %q", spansOf(recorder))
		}
		if links := joined.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != ended[len(ended)-2].SpanContext().SpanID() || ended[len(ended)-2].Name() != "message" {
			t.Errorf("links %v, of %q", links, spansOf(recorder))
		}
	})
}
