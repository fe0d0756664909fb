package delivery

import (
	"time"

	"dmconnector/connector"
)

// An Ending is how a message ended: it was sent or refused, or its caller was told
// that it is queued; or how one try of a queued message did.
type Ending struct {
	Connector string // may be of none in force
	Type      string // one of [TypeLabels]
	Mode      Mode
	Outcome   State  // StateQueued with a Code: it will be tried again
	Code      Code   // empty if nothing failed
	Limit     string // the limit of ours that was used up, if one was

	FromQueue bool          // its caller has had an answer before
	Took      time.Duration // since the request arrived, or the try began
	// Trace is the choice of the template, or nil if there was none.
	Trace *connector.Trace
}

// tell tells an observer of an ending, if there is one.
func (d *Delivery) tell(c Connector, req Request, mode Mode, report *Report, failure *Error) {
	if d.ended == nil {
		return
	}
	e := Ending{
		Connector: c.ID, Type: typeLabel(req.Message.Type), Mode: mode, Outcome: report.Outcome,
		FromQueue: req.fromQueue, Took: time.Since(req.Arrived), Trace: report.Trace,
	}
	if failure != nil {
		e.Code, e.Limit = failure.Code, failure.Limit
	}
	d.ended(e)
}

// A Load is what one connector in force has to do at the moment.
type Load struct {
	Connector string
	UnderWay  int  // calls of the provider
	Waiting   int  // messages that wait for their turn
	Refusing  bool // its account is refused as a whole, and spared
}

// Loads returns the loads of all connectors in force.
func (d *Delivery) Loads() []Load {
	lanes := *d.lanes.Load()
	loads := make([]Load, 0, len(lanes))
	for id, l := range lanes {
		loads = append(loads, Load{id, len(l.seats), int(l.paced.Load() + l.queue.Load()), l.breaker.open()})
	}
	return loads
}

// A Backlog is what is queued.
type Backlog struct {
	Queued int           // messages, those that wait for another try included
	Late   time.Duration // for how long the oldest has been due
}
