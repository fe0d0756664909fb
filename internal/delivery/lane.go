package delivery

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"dmconnector/connector"
)

// A lane is a connector with what keeps its messages in order.
type lane struct {
	Connector
	rates   rates
	breaker breaker
	pacer   *pacer        // nil: as fast as it goes
	seats   chan struct{} // one for each attempt under way
	queue   atomic.Int64  // messages that wait for a seat
}

const (
	// maxUnderWay is several times what 100 sends a second need with Aliyun at
	// its usual speed, and what an Aliyun that hangs may hold.
	maxUnderWay = 256
	// maxQueue bounds those that wait for one of them to end.
	maxQueue = 1024
	// sendTime is kept free of a message's time for the send itself.
	sendTime = 1500 * time.Millisecond
)

func newLane(c Connector) *lane {
	r := ratesOf(c.Composer.Config())
	return &lane{Connector: c, rates: r, pacer: newPacer(r.connector), seats: make(chan struct{}, maxUnderWay)}
}

// turns gives one flight its turns on its lane.
type turns struct {
	flights *flights
	flight  *flight
	lane    *lane
	kind    string // the usage type
}

// take waits out the pause, the connector's pace and a free seat. What cannot be
// sent in time is refused at once, mail that nobody waits for in front of a
// sign-in page before other mail.
func (t *turns) take(ctx context.Context, incident string, pause time.Duration) (func(), context.Context, *Error) {
	gone, ok := t.flights.wait(t.flight)
	if !ok {
		return nil, nil, superseded(incident)
	}
	deadline, _ := ctx.Deadline()
	most := time.Until(deadline) - sendTime
	if !urgent(t.kind) {
		most /= 2
	}
	wait, ok := t.lane.pacer.reserve(time.Now().Add(pause), most-pause)
	if !ok {
		return nil, nil, overloaded(incident, wait)
	}
	if failure := t.pass(gone, incident, pause+wait); failure != nil {
		return nil, nil, failure
	}
	if failure := t.sit(ctx, gone, incident); failure != nil {
		return nil, nil, failure
	}
	gone, ok = t.flights.begin(t.flight)
	switch {
	case !ok:
		<-t.lane.seats
		return nil, nil, superseded(incident)
	case gone.Err() != nil:
		<-t.lane.seats
		return nil, nil, abandoned(incident)
	}
	return func() { <-t.lane.seats }, gone, nil
}

// pass lets the time go by.
func (t *turns) pass(gone context.Context, incident string, wait time.Duration) *Error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.flight.superseded:
		return superseded(incident)
	case <-gone.Done():
		return abandoned(incident)
	}
}

// sit takes a seat, and waits for one if all are taken.
func (t *turns) sit(ctx, gone context.Context, incident string) *Error {
	select {
	case t.lane.seats <- struct{}{}:
		return nil
	default:
	}
	bound := int64(maxQueue)
	if !urgent(t.kind) {
		bound /= 2
	}
	if t.lane.queue.Add(1) > bound {
		t.lane.queue.Add(-1)
		return overloaded(incident, time.Second)
	}
	defer t.lane.queue.Add(-1)
	deadline, _ := ctx.Deadline()
	timer := time.NewTimer(time.Until(deadline) - sendTime)
	defer timer.Stop()
	select {
	case t.lane.seats <- struct{}{}:
		return nil
	case <-timer.C:
		return overloaded(incident, time.Second)
	case <-t.flight.superseded:
		return superseded(incident)
	case <-gone.Done():
		return abandoned(incident)
	}
}

// urgent is mail that somebody waits for who cannot do without.
func urgent(usageType string) bool {
	return slices.Contains([]string{connector.SignIn, connector.ForgotPassword, connector.MfaVerification}, usageType)
}
