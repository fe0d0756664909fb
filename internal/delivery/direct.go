package delivery

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
)

const (
	// admitTime bounds the wait for the state before a send: without it nothing is
	// sent.
	admitTime = 3 * time.Second
	// answerBy is when a caller is answered though the outcome is not remembered
	// yet.
	answerBy = 7800 * time.Millisecond
	// overtakenTime is what a state that does not answer may cost a send.
	overtakenTime = time.Second
	// leastSettleTime is what remembering takes on a busy machine.
	leastSettleTime = 200 * time.Millisecond
)

// fly leads a new flight to its end. A defect on the way must not leave its
// callers without an answer, nor end the program.
func (d *Delivery) fly(ctx context.Context, l *lane, f *flight, req Request) {
	entry, err := d.sendEntry(ctx, l, req)
	f.report = entry.Report
	ctx, span := messageSpan(ctx, entry)
	f.span = span.SpanContext()
	sending, cancel := context.WithDeadline(ctx, req.Arrived.Add(sendBy))
	admitted := false
	defer func() {
		cancel()
		if cause := recover(); cause != nil {
			// What had begun when it happened is not known.
			f.report.Outcome = StateUnknown
			f.failure = internalError(f.report.ID, cause)
		}
		if admitted {
			d.settle(ctx, req.Arrived, directSettlement(entry, &f.report, f.failure))
		}
		d.logFlight(ctx, l.Connector, req, entry, f)
		if f.report.ID != entry.ID {
			span.SetAttributes(attribute.Bool("dmconnector.answered_again", true))
		}
		endMessage(span, &f.report, f.failure)
		d.flights.land(f)
	}()
	if err != nil {
		f.failure = &Error{Code: Internal, Incident: entry.ID, Detail: "the message cannot be queued", Err: err}
		return
	}
	f.failure = d.admitNewest(sending, entry, f)
	if f.failure != nil || f.report.ID != entry.ID || entry.Mode == Queued {
		return
	}
	admitted = true
	f.failure = d.deliver(sending, l, f, req, entry)
}

// admitNewest asks for admission, after which the flight is the newest for its
// person. Those for one person come one after the other, so that the process and
// the state have them in the same order.
func (d *Delivery) admitNewest(ctx context.Context, e *Entry, f *flight) *Error {
	if e.Person != nil {
		turn := &d.persons[(int(e.Person[0])<<8|int(e.Person[1]))%len(d.persons)]
		turn.Lock()
		defer turn.Unlock()
	}
	failure := d.admit(ctx, e, &f.report)
	if failure == nil && f.report.ID == e.ID && e.Person != nil {
		d.flights.supersede(*e.Person, f)
	}
	return failure
}

// logFlight writes a message's line; what is answered again has had its own.
func (d *Delivery) logFlight(ctx context.Context, c Connector, req Request, e *Entry, f *flight) {
	if f.report.ID != e.ID {
		d.log.InfoContext(ctx, "answered again", "incident", f.report.ID, "outcome", string(f.report.Outcome), "connector", c.ID)
		return
	}
	d.logLine(ctx, c, req, e.Mode, f.report, f.failure)
}

// admit asks for admission. The report becomes the known message's, if the message
// is known.
func (d *Delivery) admit(ctx context.Context, e *Entry, report *Report) (failure *Error) {
	ctx, span := partSpan(ctx, "admit")
	defer func() { endPart(span, failure) }()
	asking, cancel := context.WithTimeout(ctx, admitTime)
	defer cancel()
	admission, err := d.keeper.Admit(asking, e)
	switch {
	case err != nil:
		return d.notAdmitted(e, report, err)
	case admission.Known != nil:
		*report, failure = replay(admission.Known, e)
		if failure != nil && report.ID == e.ID {
			refusal := directSettlement(e, report, failure)
			refusal.GiveBack = nil // nothing was taken
			d.keeper.Note(e, refusal)
		}
		return failure
	case admission.Refusing != nil:
		*report = e.Refusal(admission.Refusing, admission.Wait).Report
		return limited(e.ID, admission.Refusing, admission.Wait)
	}
	return nil
}

// notAdmitted answers a message that could not be remembered. If it may have been,
// a direct one must not be sent any more, and a queued one may be: asked again with
// its Idempotency-Key, its caller will know.
func (d *Delivery) notAdmitted(e *Entry, report *Report, cause error) *Error {
	inDoubt := errors.Is(cause, ErrInDoubt)
	if inDoubt && e.Mode == Queued {
		report.Outcome = StateUnknown
		return &Error{Code: OutcomeUnknown, Incident: e.ID, Detail: "the state did not answer, so that it may have been queued", Err: cause}
	}
	failure := unavailable(e.ID, cause)
	report.Outcome = StateFailed
	if inDoubt {
		d.unsettled.add(directSettlement(e, report, failure), true)
	}
	return failure
}

// deliver takes an admitted message past the breaker, and sends it in its turn.
func (d *Delivery) deliver(ctx context.Context, l *lane, f *flight, req Request, e *Entry) *Error {
	if failure := l.breaker.refusal(time.Now(), e.ID); failure != nil {
		return failure
	}
	turn := &turns{flights: d.flights, flight: f, lane: l, kind: req.Message.Type, overtaken: d.overtakenElsewhere(e.ID, e.Person)}
	failure := attemptAll(ctx, l.Connector, req, &f.report, turn)
	l.breaker.note(time.Now(), failure)
	return failure
}

// overtakenElsewhere asks after a wait, where others share the state, whether a
// newer code came to one of them. Of those that came to this process the flights
// know.
func (d *Delivery) overtakenElsewhere(id string, person *Hash) func(context.Context, bool) bool {
	ask := d.overtakenMeanwhile(id, person)
	return func(ctx context.Context, waited bool) bool {
		return waited && d.keeper.Replicas() > 1 && ask(ctx, waited)
	}
}

// overtakenMeanwhile asks always: a newer code may have come before the flight of a
// queued message began. A state that does not answer soon holds nothing back.
func (d *Delivery) overtakenMeanwhile(id string, person *Hash) func(context.Context, bool) bool {
	return func(ctx context.Context, _ bool) bool {
		if person == nil {
			return false
		}
		asking, cancel := context.WithTimeout(ctx, overtakenTime)
		defer cancel()
		overtaken, err := d.keeper.Overtaken(asking, id)
		return err == nil && overtaken
	}
}

// directSettlement is how a message ends that is tried once.
func directSettlement(e *Entry, report *Report, failure *Error) Settlement {
	s := Settlement{ID: e.ID, Attempt: 1, State: report.Outcome, Report: *report}
	if e.Mode == Queued {
		s.Attempt = 0
	}
	if failure == nil {
		return s
	}
	s.State, s.Code = StateFailed, failure.Code
	if report.Outcome == StateUnknown {
		s.State = StateUnknown
	}
	s.Report.Outcome, s.Report.Detail = s.State, failure.Detail
	s.ReleaseKey = failure.releasesKey()
	if failure.sparesLimits() {
		s.GiveBack = e.Takings
	}
	return s
}

// Refusal is how an entry ends that a limit refuses.
func (e *Entry) Refusal(refusing *Taking, wait time.Duration) Settlement {
	report := e.Report
	report.Outcome = StateFailed
	report.Limits = slices.Clone(report.Limits)
	for i := range report.Limits {
		report.Limits[i].UsedUp = report.Limits[i].Limit == refusing.Name
	}
	s := directSettlement(e, &report, limited(e.ID, refusing, wait))
	s.GiveBack = nil // nothing was taken
	return s
}

// settle has an outcome remembered. A caller waits for it, so that its key is
// answered the same way at once; but not for long: what was accepted was accepted,
// and is remembered later. ctx must not end.
func (d *Delivery) settle(ctx context.Context, arrived time.Time, s Settlement) {
	ctx, span := partSpan(ctx, "settle")
	defer span.End()

	until := arrived.Add(answerBy)
	if least := time.Now().Add(leastSettleTime); until.Before(least) {
		until = least
	}
	remembering, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if _, err := d.keeper.Settle(remembering, s); err != nil {
		span.SetStatus(codes.Error, "")
		d.log.ErrorContext(ctx, "an outcome could not be remembered yet", "incident", s.ID, "outcome", string(s.State), "error", err.Error())
		d.unsettled.add(s, false)
	}
}
