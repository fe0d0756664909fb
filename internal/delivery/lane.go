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
	rates    rates
	replicas func() int
	breaker  breaker
	pacer    *pacer // nil: as fast as it goes
	*room
}

// A room has a seat for each attempt under way.
type room struct {
	seats chan struct{}
	queue atomic.Int64 // messages that wait for a seat
	paced atomic.Int64 // messages that wait for their time
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

// newLane returns the lane of a connector that takes the place of another one, if
// that is not nil: the pace and the places go on, and so does what is known of an
// account whose connector has not changed.
func newLane(c Connector, keeper Keeper, before *lane) *lane {
	if before != nil && before.Composer == c.Composer {
		return before
	}
	r := ratesOf(c.Composer.Config())
	l := &lane{Connector: c, rates: r, replicas: keeper.Replicas, pacer: newPacer(r.connector)}
	if before == nil {
		l.room = &room{seats: make(chan struct{}, maxUnderWay)}
		return l
	}
	l.room = before.room
	if before.rates.connector == r.connector {
		l.pacer = before.pacer
	}
	return l
}

// connector is the lane's connector for those who send through it.
func (l *lane) connector() Connector {
	c := l.Connector
	c.lane = l
	return c
}

// turns gives one flight its turns on its lane.
type turns struct {
	flights *flights
	flight  *flight
	lane    *lane
	kind    string // the usage type
	// overtaken asks the state for a newer code, which the flights may not know of.
	overtaken func(ctx context.Context, waited bool) bool
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
	wait, ok := t.lane.pacer.reserve(time.Now().Add(pause), most-pause, t.lane.replicas())
	if !ok {
		failure := overloaded(incident, wait)
		failure.Limit = "connector"
		return nil, nil, failure
	}
	if failure := t.pass(gone, incident, pause+wait); failure != nil {
		return nil, nil, failure
	}
	begun := time.Now()
	if failure := t.sit(ctx, gone, incident); failure != nil {
		return nil, nil, failure
	}
	waited := pause+wait > 0 || time.Since(begun) > time.Millisecond
	gone, ok = t.flights.begin(t.flight)
	switch {
	case !ok, t.overtaken(ctx, waited):
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
	t.lane.paced.Add(1)
	defer t.lane.paced.Add(-1)
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
