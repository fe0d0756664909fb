package delivery

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"dmconnector/connector"
)

const (
	// takeUpTime bounds the wait for the state; what it may have taken up comes back
	// when its lease ends.
	takeUpTime = 3 * time.Second
	// Between two tries of a queued message.
	queueFirst = 2 * time.Second
	queueMost  = time.Minute
	// staleTries is how often a message is tried whose connector or template is not
	// there: about three minutes, as a mounted file may take one to reach everybody.
	staleTries = 8
)

// A queue is what is known of the queued messages that are due.
type queue struct {
	*Delivery
	seats *seats
	more  bool     // some may be due that were not left out
	left  []string // the connectors that were left out for want of seats
	fault bool     // it could not be read
}

// Work sends queued messages until ctx ends. [Delivery.Wait] waits for its return
// and for those that it has begun by then.
func (d *Delivery) Work(ctx context.Context) {
	// What is taken up during a stop must be waited for too.
	d.flying.Add(1)
	defer d.flying.Done()
	q := &queue{Delivery: d, seats: newSeats(), more: true}
	for ctx.Err() == nil {
		n, full := q.seats.free()
		if n > 0 && (q.more || q.reopened(full)) {
			q.takeUp(ctx, n, full)
			continue
		}
		select {
		case <-d.keeper.Waiting():
			q.more = true
		case <-q.seats.freed:
			// Only what was left behind for want of a seat is looked for.
		case <-ctx.Done():
		}
	}
}

// reopened reports whether a connector that was left out has a seat again.
func (q *queue) reopened(full []string) bool {
	return slices.ContainsFunc(q.left, func(id string) bool { return !slices.Contains(full, id) })
}

// takeUp has up to n messages worked on, none of them of the connectors in without.
func (q *queue) takeUp(ctx context.Context, n int, without []string) {
	begun := time.Now()
	// A stop must not lose what is being taken up.
	taking, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeUpTime)
	defer cancel()
	list, err := q.keeper.TakeUp(taking, n, without)
	if err != nil && ctx.Err() == nil && !q.fault {
		q.log.ErrorContext(ctx, "the queue cannot be read", "error", err.Error())
	}
	q.fault = err != nil
	q.more, q.left = len(list) == n, without
	for _, w := range list {
		q.seats.take(w.Connector)
		q.flying.Go(func() {
			defer q.seats.leave(w.Connector)
			q.work(w, begun)
		})
	}
}

// work tries one queued message, whose lease counts from begun or later, and has its
// outcome remembered.
func (d *Delivery) work(w Work, begun time.Time) {
	report := Report{ID: w.ID, Recipient: w.Recipient}
	if w.Report != nil {
		report = *w.Report
	}
	report.Outcome, report.Detail = StateFailed, ""
	ctx, span := d.trySpan(w)
	message, err := connector.ParseMessage(w.Payload)
	req := Request{Message: message, Arrived: begun, fromQueue: true}
	c, known := d.Connector(w.Connector)
	var failure *Error
	switch {
	case err != nil:
		failure = &Error{Code: Internal, Incident: w.ID, Detail: "the queued message cannot be read"}
	case !known:
		c = Connector{ID: w.Connector}
		failure = &Error{Code: ConnectorNotFound, Incident: w.ID, Detail: "the connector " + w.Connector + " is not there any more"}
	default:
		failure = d.carry(ctx, c.lane, w, req, &report)
	}
	settlement := queuedSettlement(w, &report, failure, begun)
	d.logLine(ctx, c, req, Queued, settlement.Report, failure)
	d.settle(ctx, begun, settlement)
	endMessage(span, &settlement.Report, failure)
}

// carry sends one queued message in its turn.
func (d *Delivery) carry(ctx context.Context, l *lane, w Work, req Request, report *Report) (failure *Error) {
	until := req.Arrived.Add(sendBy)
	if w.Expires.Before(until) {
		until = w.Expires
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	person := d.person(l.Connector, req.Message)
	f := d.flights.carry(person)
	defer d.flights.land(f)
	defer func() {
		if cause := recover(); cause != nil {
			report.Outcome = StateUnknown
			failure = internalError(w.ID, cause)
		}
	}()
	if failure := l.breaker.refusal(time.Now(), w.ID); failure != nil {
		return failure
	}
	turn := &turns{flights: d.flights, flight: f, lane: l, kind: req.Message.Type, overtaken: d.overtakenMeanwhile(w.ID, person)}
	failure = attemptAll(ctx, l.Connector, req, report, turn)
	l.breaker.note(time.Now(), failure)
	return failure
}

// queuedSettlement says how one try of a queued message ends: what certainly was
// not sent and may be sent another time waits for that; a refusal for good is dead,
// which an admin sees; what may have been sent is not sent again by itself.
func queuedSettlement(w Work, report *Report, failure *Error, now time.Time) Settlement {
	s := Settlement{ID: w.ID, Attempt: w.Attempt, State: StateSent, Report: *report}
	if failure != nil {
		s.Code = failure.Code
		s.Report.Detail = failure.Detail
		switch {
		case report.Outcome == StateUnknown:
			s.State, s.KeepPayload = StateUnknown, true
		case failure.Code == Superseded:
			s.State, s.GiveBack = StateFailed, w.Takings
		case failure.triesAgain(), failure.maybeStale() && (w.Attempt < staleTries || w.Code != failure.Code):
			s.State, s.Due = StateQueued, now.Add(queuePause(w.Attempt, failure))
		default:
			s.State, s.KeepPayload = StateDead, true
			if failure.sparesLimits() {
				s.GiveBack = w.Takings
			}
		}
	}
	s.Report.Outcome = s.State
	return s
}

// queuePause is how long a queued message waits for its next try: longer each
// time, as long as the breaker wants, and never all of an outage at once.
func queuePause(attempt int, failure *Error) time.Duration {
	base := min(queueFirst<<min(attempt-1, 10), queueMost)
	if failure.untried {
		base = max(base, min(failure.RetryAfter, queueMost))
	}
	return base/2 + rand.N(base)
}
