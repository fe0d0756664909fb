package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/trace"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

const (
	maxAttempts = 4
	// leastTime is what an attempt needs to be worth beginning.
	leastTime = 500 * time.Millisecond
)

// A turn says when an attempt may begin.
type turn interface {
	// take waits until the next attempt may begin. It returns an error if it may
	// not, and else what gives the turn back when the attempt has ended, and a
	// context that ends when the attempt is not wanted any more.
	take(ctx context.Context, incident string, pause time.Duration) (release func(), wanted context.Context, failure *Error)
}

// attemptAll composes the mail and sends it, again while it certainly was not
// accepted and there is time. It completes the report.
func attemptAll(ctx context.Context, c Connector, req Request, report *Report, t turn) *Error {
	mail, choice, err := compose(ctx, c, req.Message)
	report.Trace = &choice
	if req.Progress != nil {
		req.Progress(report.soFar())
	}
	if err != nil {
		return composeError(report.ID, err)
	}
	var last *Error
	for n := range maxAttempts {
		pause := backoff(n, last)
		deadline, _ := ctx.Deadline()
		if last != nil && time.Until(deadline) < pause+leastTime {
			return last
		}
		release, _, failure := takeTurn(ctx, t, report.ID, pause)
		if failure != nil && failure.Code == Overloaded && last != nil {
			return last // that is why there is no time left
		}
		if failure != nil {
			return failure
		}
		last = attempt(ctx, c, mail, report, release, req.Progress)
		if last == nil {
			report.Outcome = StateSent
			return nil
		}
		if last.Code == OutcomeUnknown {
			report.Outcome = StateUnknown
			return last
		}
		if !last.again {
			return last
		}
	}
	return last
}

// compose composes the mail, in a span of its own.
func compose(ctx context.Context, c Connector, m connector.Message) (mail *aliyundm.Mail, choice connector.Trace, err error) {
	_, span := partSpan(ctx, "compose")
	defer func() { endCompose(span, &choice, err) }()
	return c.Composer.Compose(m)
}

// call calls the provider, in a span of its own.
func call(ctx context.Context, c Connector, mail *aliyundm.Mail) (receipt *aliyundm.Receipt, err error) {
	ctx, span := partSpan(ctx, "SingleSendMail", trace.WithSpanKind(trace.SpanKindClient))
	defer func() { endAttempt(span, receipt, err) }()
	return c.Sender.SingleSendMail(ctx, mail)
}

// takeTurn waits for a turn, in a span of its own.
func takeTurn(ctx context.Context, t turn, incident string, pause time.Duration) (release func(), wanted context.Context, failure *Error) {
	ctx, span := partSpan(ctx, "wait")
	defer func() { endPart(span, failure) }()
	return t.take(ctx, incident, pause)
}

// attempt calls the provider once, and releases its turn. It tells progress, unless
// that is nil, when the call begins and when it has ended.
func attempt(ctx context.Context, c Connector, mail *aliyundm.Mail, report *Report, release func(), progress func(Report)) *Error {
	defer release()
	begun := time.Now()
	if progress != nil {
		progress(report.soFar(Attempt{At: begun.UTC(), Pending: true}))
	}
	receipt, err := call(ctx, c, mail)
	entry := Attempt{At: begun.UTC(), Milliseconds: time.Since(begun).Milliseconds()}
	if err != nil {
		entry.Error = err.Error()
	} else {
		report.Receipt = receipt
	}
	report.add(entry)
	if progress != nil {
		progress(report.soFar())
	}
	if err != nil {
		return providerError(report.ID, err)
	}
	return nil
}

// backoff is how long to wait before attempt n, counted from 0: none before the
// first, then 100 ms doubled each time, and four times as long if Aliyun said
// that we come too fast. All callers of one outage must not come back at once.
func backoff(n int, last *Error) time.Duration {
	if n == 0 {
		return 0
	}
	base := 100 * time.Millisecond << (n - 1)
	if last.Code == ProviderBusy {
		base *= 4
	}
	return base/2 + rand.N(base)
}

func composeError(incident string, err error) *Error {
	if missing, ok := errors.AsType[*connector.MissingVariablesError](err); ok {
		return &Error{Code: VariableMissing, Incident: incident, Detail: missing.Error(), Err: err}
	}
	return &Error{Code: TemplateNotFound, Incident: incident, Detail: err.Error(), Err: err}
}

// atOnce is the turn of test mails: they wait for nobody. It ends with its caller.
type atOnce struct{ caller context.Context } //nolint:containedctx // it is the caller's going, not a call's context

func (t atOnce) take(_ context.Context, incident string, pause time.Duration) (func(), context.Context, *Error) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return func() {}, t.caller, nil
	case <-t.caller.Done():
		return nil, nil, abandoned(incident)
	}
}
