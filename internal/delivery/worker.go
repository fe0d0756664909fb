package delivery

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"dmconnector/connector"
	"dmconnector/internal/errcode"
)

const (
	// claimTime bounds the wait for the store; what it may have leased comes back when
	// the lease ends.
	claimTime = 3 * time.Second
	// firstPause is between the first two attempts of a queued message. It doubles up
	// to maxPause.
	firstPause = 2 * time.Second
	maxPause   = time.Minute
	// staleAttempts is how often a message is tried whose connector or template is not
	// there: about three minutes, as a mounted file may take one to reach each replica.
	staleAttempts = 8
)

// Work sends queued messages until ctx ends. [Delivery.Wait] waits for its return
// and for the messages that it has claimed by then.
func (d *Delivery) Work(ctx context.Context) {
	// What is claimed during a stop must be waited for too.
	d.running.Add(1)
	defer d.running.Done()
	var (
		more     = true   // others may be due than those that were left
		left     []string // the connectors that had no room at the last claim
		failed   bool     // the last claim
		reopened = func(full []string) bool {
			return slices.ContainsFunc(left, func(id string) bool { return !slices.Contains(full, id) })
		}
	)
	for ctx.Err() == nil {
		n, full := d.concurrency.claimable()
		if n > 0 && (more || reopened(full)) {
			begun := time.Now()
			// A stop must not lose what is being claimed.
			claiming, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTime)
			jobs, err := d.store.Claim(claiming, n, full)
			cancel()
			if err != nil && ctx.Err() == nil && !failed {
				d.log.ErrorContext(ctx, "cannot claim queued messages, will retry", "error", err.Error())
			}
			failed = err != nil
			more, left = len(jobs) == n, full
			for _, job := range jobs {
				d.concurrency.claimed(job.Connector)
				d.running.Go(func() {
					defer d.concurrency.release(job.Connector, true)
					d.work(job, begun)
				})
			}
			continue
		}
		select {
		case <-d.store.Wake():
			more = true
		case <-d.concurrency.freed:
			// Only connectors that had no room are looked at again.
		case <-ctx.Done():
		}
	}
}

// work tries one queued message, whose lease counts from begun or later, and records
// the outcome.
func (d *Delivery) work(job Job, begun time.Time) {
	report := Report{ID: job.ID, State: StateFailed, Recipient: job.Recipient}
	if job.Steps != nil {
		report.Steps = *job.Steps
	}
	report.Detail = ""
	entry := &Entry{ID: job.ID, Connector: job.Connector, Type: job.Type, Mode: Queued}
	ctx, span := d.jobSpan(entry, job.Payload)
	message, err := connector.ParseMessage(job.Payload)
	req := Request{Message: message, Arrived: begun, fromQueue: true}
	c, known := d.Connector(job.Connector)
	var failure *Error
	switch {
	case err != nil:
		failure = &Error{Code: errcode.Internal, Incident: job.ID, Detail: "the queued message cannot be read"}
	case !known:
		failure = &Error{Code: errcode.ConnectorNotFound, Incident: job.ID, Detail: "the connector " + job.Connector + " no longer exists"}
	default:
		failure = d.sendJob(ctx, c.out, job, req, &report)
	}
	outcome := jobOutcome(job, &report, failure, begun)
	report.State, report.Detail = outcome.State, outcome.Steps.Detail
	d.observe(ctx, entry, req, report, failure)
	d.complete(ctx, begun, outcome)
	endMessage(span, &report, failure)
}

// sendJob sends one queued message in its turn.
func (d *Delivery) sendJob(ctx context.Context, out *outbound, job Job, req Request, report *Report) (failure *Error) {
	until := req.Arrived.Add(sendBy)
	if job.Expires.Before(until) {
		until = job.Expires
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	call, _ := d.calls.join(job.ID, nil)
	defer d.calls.finish(call)
	defer func() {
		if cause := recover(); cause != nil {
			report.State = StateUnknown
			failure = internalError(job.ID, cause)
		}
	}()
	m := outgoing{id: job.ID, claim: job.Attempt, usageType: req.Message.Type, queued: true, known: req.Arrived, superseded: call.superseded}
	if d.supersedeKey(out.ID, req.Message) != nil {
		m.known = time.Time{} // a newer code may have come while the claim was on its way
	}
	return d.deliver(ctx, out, m, req, report)
}

// jobOutcome is how one claim of a queued message ends. A message that was certainly
// not sent and may be sent later is queued again; one that was rejected for good is
// dead, which an admin sees; one that may have been sent is not sent again by itself.
func jobOutcome(job Job, report *Report, failure *Error, now time.Time) Outcome {
	o := Outcome{ID: job.ID, Attempt: job.Attempt, State: StateSent, Steps: report.Steps}
	if failure == nil {
		return o
	}
	o.Code, o.Steps.Detail = failure.Code, failure.Detail
	kind := errcode.Of(failure.Code)
	// This process may not know the connector, or its template, yet.
	stale := failure.Code == errcode.ConnectorNotFound || failure.Code == errcode.TemplateNotFound
	switch {
	case report.State == StateUnknown:
		o.State, o.KeepPayload = StateUnknown, true
	case failure.Code == errcode.Superseded:
		o.State, o.Refund = StateFailed, job.Charges
	case kind.Retryable, failure.untried, stale && (job.Attempt < staleAttempts || job.Code != failure.Code):
		o.State, o.Due = StateQueued, now.Add(pauseAfter(job.Attempt, failure))
	default:
		o.State, o.KeepPayload = StateDead, true
		if kind.Refunds {
			o.Refund = job.Charges
		}
	}
	return o
}

// pauseAfter is how long a queued message waits for its next attempt: longer each
// time, and as long as the breaker wants. The jitter keeps the messages of one outage
// from coming back at once.
func pauseAfter(attempt int, failure *Error) time.Duration {
	base := min(firstPause<<min(attempt-1, 10), maxPause)
	if failure.untried {
		base = max(base, min(failure.RetryAfter, maxPause))
	}
	return base/2 + rand.N(base)
}
