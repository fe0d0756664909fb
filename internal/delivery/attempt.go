package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

const (
	maxAttempts = 4
	// leastTime is what an attempt needs to be worth beginning.
	leastTime = 500 * time.Millisecond
	// sendTime is kept free for the call itself when a message waits.
	sendTime = 1500 * time.Millisecond
	// confirmTime bounds the question to the store before an attempt.
	confirmTime = time.Second
	// knownFor is how long an attempt may begin without that question after the store has
	// answered: a process that was stopped, or cut off from the state, must not send what
	// another one may have claimed.
	knownFor = 500 * time.Millisecond
)

// A turn waits until an attempt may begin, at the earliest after a pause, with a mail of
// at most size bytes as encoded. It returns what ends the attempt.
type turn func(ctx context.Context, pause time.Duration, size int) (release func(), failure *Error)

// keptMail is how large a mail may be, as encoded, to be kept while it waits. A larger
// one is composed again, so that those that wait do not fill the memory.
const keptMail = 48 << 10

// deliver sends a message through its connector in its turn, unless the breaker is
// open.
func (d *Delivery) deliver(ctx context.Context, out *outbound, m outgoing, req Request, report *Report) *Error {
	if failure := out.breaker.check(time.Now(), m.id); failure != nil {
		return failure
	}
	failure := attempts(ctx, out.Connector, req, report, d.turn(out, m))
	out.breaker.record(time.Now(), failure)
	return failure
}

// attempts composes the mail and sends it, again while it was certainly not accepted
// and there is time before ctx ends. It completes the report.
func attempts(ctx context.Context, c Connector, req Request, report *Report, next turn) *Error {
	mail, choice, err := compose(ctx, c, req.Message)
	report.Template = &choice
	if req.Progress != nil {
		req.Progress(report.progress())
	}
	if err != nil {
		return ComposeError(report.ID, err)
	}
	size := mail.MaxEncodedSize()
	var last *Error
	for n := range maxAttempts {
		if size > keptMail {
			mail = nil
		}
		pause := backoff(n, last)
		deadline, _ := ctx.Deadline()
		if last != nil && time.Until(deadline) < pause+leastTime {
			return last
		}
		release, failure := waitFor(ctx, next, pause, size)
		if failure != nil && failure.Code == errcode.Overloaded && last != nil {
			return last // that is why there is no time left
		}
		if failure != nil {
			return failure
		}
		if mail == nil {
			mail, _, _ = c.Composer.Compose(req.Message) // as before
		}
		last = attempt(ctx, c, mail, report, release, req.Progress)
		switch {
		case last == nil:
			report.State = StateSent
			return nil
		case last.Code == errcode.OutcomeUnknown:
			report.State = StateUnknown
			return last
		case last.Code != errcode.ProviderBusy && last.Code != errcode.ProviderUnavailable:
			return last
		}
	}
	return last
}

// compose composes the mail, in a span of its own.
func compose(ctx context.Context, c Connector, m connector.Message) (*aliyundm.Mail, connector.Trace, error) {
	_, span := partSpan(ctx, "compose")
	defer span.End()
	mail, choice, err := c.Composer.Compose(m)
	if span.IsRecording() {
		span.SetAttributes(attribute.Int("dmconnector.template", choice.Template), attribute.String("dmconnector.language", choice.LanguageTag))
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return mail, choice, err
}

// waitFor waits for a turn, in a span of its own.
func waitFor(ctx context.Context, next turn, pause time.Duration, size int) (release func(), failure *Error) {
	ctx, span := partSpan(ctx, "wait")
	defer func() { endPart(span, failure) }()
	return next(ctx, pause, size)
}

// attempt calls the provider once, ends its turn, and reports when the call begins
// and ends.
func attempt(ctx context.Context, c Connector, mail *aliyundm.Mail, report *Report, release func(), progress func(Report)) *Error {
	defer release()
	begun := time.Now()
	if progress != nil {
		progress(report.progress(Attempt{At: begun.UTC(), Pending: true}))
	}
	receipt, err := singleSendMail(ctx, c, mail)
	done := Attempt{At: begun.UTC(), Milliseconds: time.Since(begun).Milliseconds()}
	if err != nil {
		done.Error = err.Error()
	} else {
		report.Receipt = receipt
	}
	report.add(done)
	if progress != nil {
		progress(report.progress())
	}
	if err != nil {
		return providerError(report.ID, err)
	}
	return nil
}

// singleSendMail calls the provider, in a span of its own.
func singleSendMail(ctx context.Context, c Connector, mail *aliyundm.Mail) (*aliyundm.Receipt, error) {
	ctx, span := partSpan(ctx, "SingleSendMail", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	receipt, err := c.Sender.SingleSendMail(ctx, mail)
	if !span.IsRecording() {
		return receipt, err
	}
	if receipt != nil {
		span.SetAttributes(attribute.String("aliyun.request_id", receipt.RequestID), attribute.String("aliyun.env_id", receipt.EnvID))
	}
	if answer, ok := errors.AsType[*aliyundm.Error](err); ok {
		span.SetStatus(codes.Error, string(answer.Class))
		if answer.Code != "" {
			span.SetAttributes(attribute.String("aliyun.code", answer.Code), attribute.String("aliyun.request_id", answer.RequestID))
		}
	} else if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return receipt, err
}

// maxAttemptsKept bounds the steps of a message that is tried for a day.
const maxAttemptsKept = 50

func (s *Steps) add(a Attempt) {
	if len(s.Attempts) >= maxAttemptsKept {
		s.Attempts = slices.Delete(s.Attempts, 1, 2) // the first says most
	}
	s.Attempts = append(s.Attempts, a)
}

// progress returns a copy of the report of a message that is being sent, with an
// attempt that has just begun.
func (r *Report) progress(begun ...Attempt) Report {
	step := *r
	step.State = StateSending
	step.Attempts = slices.Concat(r.Attempts, begun)
	return step
}

// backoff is how long to wait before attempt n, counted from 0: none before the
// first, then 100 ms doubled each time, and four times as long after throttling.
// The jitter keeps the callers of one outage from coming back at once.
func backoff(n int, last *Error) time.Duration {
	if n == 0 {
		return 0
	}
	base := 100 * time.Millisecond << (n - 1)
	if last.Code == errcode.ProviderBusy {
		base *= 4
	}
	return base/2 + rand.N(base)
}

// An outgoing message is on its way through its connector.
type outgoing struct {
	id         string
	claim      int // see [Outcome.Attempt]
	usageType  string
	queued     bool      // it holds its connector's place already
	known      time.Time // when the message was this attempt's and the newest
	superseded <-chan struct{}
}

// turn waits out the pause, the connector's rate and its concurrency limit. A
// message that cannot be sent in time fails at once, one that no user is blocked on
// before others.
func (d *Delivery) turn(out *outbound, m outgoing) turn {
	return func(ctx context.Context, pause time.Duration, size int) (func(), *Error) {
		begun := time.Now()
		deadline, _ := ctx.Deadline()
		most := time.Until(deadline) - sendTime
		if !urgent(m.usageType) {
			most /= 2
		}
		if err := sleep(ctx, pause, m.superseded); err != nil {
			return nil, waitError(m.id, err)
		}
		place, wait, ok := out.limiter.reserve(most-pause, m.superseded)
		if !ok {
			failure := overloaded(m.id, wait)
			failure.Limit = "connector"
			return nil, failure
		}
		release, err := d.acquire(ctx, out, m, place, size)
		if err == nil {
			if err = d.confirm(ctx, m, time.Since(begun) > time.Millisecond); err != nil {
				release()
			}
		}
		if err != nil {
			place.cancel()
			return nil, waitError(m.id, err)
		}
		return release, nil
	}
}

// acquire waits for a reserved place in the rate, for one among those that are sent at
// once, and for the memory that the call needs.
func (d *Delivery) acquire(ctx context.Context, out *outbound, m outgoing, place *reservation, size int) (func(), error) {
	select {
	case <-place.ready:
	case <-m.superseded:
		return nil, ErrSuperseded
	case <-ctx.Done():
		return nil, errNoPlace
	}
	deadline, _ := ctx.Deadline()
	waiting, cancel := context.WithDeadline(ctx, deadline.Add(-sendTime))
	defer cancel()
	release := func() {}
	if !m.queued {
		if err := d.concurrency.acquire(waiting, out.ID, urgent(m.usageType), m.superseded); err != nil {
			return nil, err
		}
		release = func() { d.concurrency.release(out.ID, false) }
	}
	free, err := acquireMemory(waiting, size, out.memory, d.memory)
	if err != nil {
		release()
		return nil, err
	}
	return func() { free(); release() }, nil
}

// acquireMemory waits for memory, of a connector and of the process. Those that wait for
// the same are served in order.
func acquireMemory(ctx context.Context, size int, limits ...*semaphore.Weighted) (free func(), err error) {
	n := int64(size)
	for i, limit := range limits {
		if limit.TryAcquire(n) || limit.Acquire(ctx, n) == nil {
			continue
		}
		for _, held := range limits[:i] {
			held.Release(n)
		}
		return nil, errNoPlace
	}
	return func() {
		for _, limit := range limits {
			limit.Release(n)
		}
	}, nil
}

// confirm makes sure that the message is still this attempt's, and the newest. What
// has changed during a wait, the store alone knows: without its answer nothing is sent.
func (d *Delivery) confirm(ctx context.Context, m outgoing, waited bool) error {
	if isClosed(m.superseded) {
		return ErrSuperseded
	}
	if !waited && time.Since(m.known) < knownFor {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	return d.store.Confirm(ctx, m.id, m.claim)
}

// errNoPlace is for a message that did not get its turn in time.
var errNoPlace = errors.New("no place in time")

// waitError is the failure of a message that waited in vain.
func waitError(incident string, err error) *Error {
	switch {
	case errors.Is(err, ErrSuperseded):
		return superseded(incident)
	case errors.Is(err, errNoPlace):
		return overloaded(incident, time.Second)
	default:
		return unavailable(incident, "the state did not confirm the message, so nothing was sent", err)
	}
}

// urgent reports whether a user is blocked waiting for this mail.
func urgent(usageType string) bool {
	u, _ := connector.FindUsageType(usageType)
	return u.Urgent
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sleep waits, unless ctx ends or the message is superseded.
func sleep(ctx context.Context, d time.Duration, superseded <-chan struct{}) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-superseded:
		return ErrSuperseded
	case <-ctx.Done():
		return errNoPlace
	}
}
