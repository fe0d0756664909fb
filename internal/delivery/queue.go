package delivery

import (
	"context"
	"math/rand/v2"
	"time"

	"dmconnector/connector"
)

const (
	// workers is how many queued messages a process sends at once.
	workers = 32
	// takeUpTime bounds the wait for the state; what it may have taken up comes back
	// when its lease ends.
	takeUpTime = 3 * time.Second
	// Between two tries of a queued message.
	queueFirst = 2 * time.Second
	queueMost  = time.Minute
)

// Work sends queued messages until ctx ends. Those it has begun then are waited
// for by [Delivery.Wait].
func (d *Delivery) Work(ctx context.Context) {
	var (
		seats = make(chan struct{}, workers)
		freed = make(chan struct{}, 1)
		more  = true // there may be more than were taken up
		fault = false
	)
	for {
		if free := cap(seats) - len(seats); more && free > 0 {
			// A stop must not lose what is being taken up.
			taking, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeUpTime)
			begun := time.Now()
			list, err := d.keeper.TakeUp(taking, free)
			cancel()
			if err != nil && ctx.Err() == nil && !fault {
				d.log.ErrorContext(ctx, "the queue cannot be read", "error", err.Error())
			}
			fault = err != nil
			for _, w := range list {
				seats <- struct{}{}
				d.flying.Go(func() {
					d.work(w, begun)
					<-seats
					signal(freed)
				})
			}
			more = len(list) == free
			continue
		}
		select {
		case <-d.keeper.Waiting():
			more = true
		case <-freed:
			// Only what was left behind for want of a seat is looked for.
		case <-ctx.Done():
			return
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
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
	message, err := connector.ParseMessage(w.Payload)
	req := Request{Message: message, Arrived: begun}
	c, known := d.Connector(w.Connector)
	var failure *Error
	switch {
	case err != nil:
		failure = &Error{Code: Internal, Incident: w.ID, Detail: "the queued message cannot be read"}
	case !known:
		c = Connector{ID: w.Connector}
		failure = &Error{Code: ConnectorNotFound, Incident: w.ID, Detail: "the connector " + w.Connector + " is not there any more"}
	default:
		failure = d.carry(c.lane, w, req, &report)
	}
	settlement := queuedSettlement(w, &report, failure, begun)
	d.logLine(context.Background(), c, req, Queued, settlement.Report, failure)
	d.settle(begun, settlement)
}

// carry sends one queued message in its turn.
func (d *Delivery) carry(l *lane, w Work, req Request, report *Report) (failure *Error) {
	until := req.Arrived.Add(sendBy)
	if w.Expires.Before(until) {
		until = w.Expires
	}
	ctx, cancel := context.WithDeadline(context.Background(), until)
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
	turn := &turns{flights: d.flights, flight: f, lane: l, kind: req.Message.Type, overtaken: d.overtakenElsewhere(w.ID, person)}
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
		case failure.triesAgain():
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
