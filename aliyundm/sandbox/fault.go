package sandbox

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault is something that goes wrong. It is injected only into calls that would
// have been accepted: what a check refuses is refused without it.
type Fault struct {
	// Kind is one of "delay", "hang", "reset", "error", "html", "empty",
	// "broken-json", "huge", "dribble" and "xml".
	Kind string `json:"fault"`

	// Accept says whether the mail is accepted before the fault, so that it is in the
	// inbox. Each kind has its default. After a "delay" or a "hang" that did not
	// accept the mail before, it is accepted.
	Accept *bool `json:"accept"`

	// Action is the call that gets the fault; empty means SingleSendMail. Queries can
	// get "delay", "hang", "reset", "error", "html" and "empty".
	Action string `json:"action,omitempty"`

	// To limits the fault to calls with this recipient, whatever its case.
	To string `json:"to,omitempty"`

	// Times is how many calls get the fault; 0 means every one.
	Times int `json:"times,omitempty"`

	// Code is the code of an "error", which is answered with its own status and
	// message.
	Code string `json:"code,omitempty"`

	// Status is that of "html", 502 by default, or of "empty", 200 by default.
	Status int `json:"status,omitempty"`

	// Duration, as time.ParseDuration reads it, is that of a "delay", or the
	// time from byte to byte of a "dribble", 1s by default.
	Duration string `json:"duration,omitempty"`
}

const (
	maxFaults     = 100
	maxFaultDelay = 10 * time.Minute
)

// A faultKind is what the faults of one kind have in common.
type faultKind struct {
	accept bool // the default of Accept
	query  bool // queries can get it: it has nothing of a mail's
	timed  bool // it has a duration
	status int  // the default of Status; 0 if there is none
}

var faultKinds = map[string]faultKind{
	"delay":       {query: true, timed: true},
	"hang":        {query: true, accept: true},
	"reset":       {query: true},
	"error":       {query: true},
	"html":        {query: true, status: http.StatusBadGateway},
	"empty":       {query: true, accept: true, status: http.StatusOK},
	"broken-json": {accept: true},
	"huge":        {accept: true},
	"dribble":     {accept: true, timed: true},
	"xml":         {accept: true},
}

// activeFault is a fault that is switched on.
type activeFault struct {
	Fault
	Remaining *int `json:"remaining"` // only in answers; null without Times
	Injected  int  `json:"injected"`  // into so many calls

	duration time.Duration
	replaced chan struct{} // closed when the faults are replaced
}

// activate checks a fault and fills its defaults in.
func activate(f Fault, replaced chan struct{}) (*activeFault, error) {
	kind, known := faultKinds[f.Kind]
	_, knownCode := refusals[f.Code]
	_, knownQuery := queries[f.Action]
	ofQuery := f.Action != "" && f.Action != sendAction
	switch {
	case !known:
		return nil, fmt.Errorf("fault is not one of %s", strings.Join(slices.Sorted(maps.Keys(faultKinds)), ", "))
	case f.Times < 0:
		return nil, errors.New("times is negative")
	case knownCode != (f.Kind == "error") || !knownCode && f.Code != "":
		return nil, errors.New("code must be one of Direct Mail's for an error, and empty for other faults")
	case f.Status != 0 && kind.status == 0:
		return nil, errors.New("status is for html and empty")
	case f.Status != 0 && f.Status != 200 && (f.Status < 400 || f.Status > 599):
		return nil, errors.New("status is neither 200 nor from 400 to 599")
	case ofQuery && !knownQuery:
		return nil, errors.New("action is not one that the sandbox answers")
	case ofQuery && (f.To != "" || !kind.query):
		return nil, errors.New("a query has no recipient and no receipt")
	}
	f.Accept = cmp.Or(f.Accept, &kind.accept)
	f.Status = cmp.Or(f.Status, kind.status)
	a := &activeFault{Fault: f, replaced: replaced, duration: time.Second}
	if f.Duration == "" && f.Kind != "delay" {
		return a, nil
	}
	var err error
	a.duration, err = time.ParseDuration(f.Duration)
	if !kind.timed || err != nil || a.duration <= 0 || a.duration > maxFaultDelay {
		return nil, fmt.Errorf("duration is for delay and dribble, and goes up to %v", maxFaultDelay)
	}
	return a, nil
}

// matches reports whether the call gets the fault.
func (a *activeFault) matches(c *call) bool {
	if cmp.Or(a.Action, sendAction) != c.sign.action || a.Times > 0 && a.Injected == a.Times {
		return false
	}
	return a.To == "" || contains(c.recipients, a.To)
}

// faults are the faults that are on.
type faults struct {
	mu       sync.Mutex
	list     []*activeFault
	replaced chan struct{}
}

// SetFaults replaces the faults that are on; without any, all are off. Calls held
// by the old ones go on at once. The error says which fault is not possible.
func (s *Sandbox) SetFaults(list ...Fault) error {
	if len(list) > maxFaults {
		return fmt.Errorf("more than %d faults", maxFaults)
	}
	replaced := make(chan struct{})
	var active []*activeFault
	for i, fault := range list {
		a, err := activate(fault, replaced)
		if err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
		active = append(active, a)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	close(s.faults.replaced)
	s.faults.list, s.faults.replaced = active, replaced
	return nil
}

// take returns the first fault that the call gets, and counts it, or nil.
func (f *faults) take(c *call) *activeFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.list {
		if a.matches(c) {
			a.Injected++
			return a
		}
	}
	return nil
}

// state is a copy of the faults that are on.
func (f *faults) state() []activeFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []activeFault{}
	for _, a := range f.list {
		shown := *a
		if a.Times > 0 {
			shown.Remaining = new(a.Times - a.Injected)
		}
		list = append(list, shown)
	}
	return list
}

// hugeAnswer is how much a "huge" fault answers.
const hugeAnswer = 16 << 20

// hold keeps a call waiting: for the duration of a delay or a dribble, for ever in a
// hang, and always until the faults are replaced. When the client leaves or the
// sandbox is closed the call ends here.
func (s *Sandbox) hold(w http.ResponseWriter, c *call, f *activeFault) {
	liftDeadline(w)
	var over <-chan time.Time
	if f.Kind != "hang" {
		over = time.After(f.duration)
	}
	select {
	case <-over:
	case <-f.replaced:
	case <-s.closed:
		panic(http.ErrAbortHandler)
	case <-c.r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// inject answers as the fault says.
func (s *Sandbox) inject(w http.ResponseWriter, c *call, f *activeFault, v receipt) {
	switch f.Kind {
	case "reset":
		reset(w)
	case "error":
		s.fail(w, c, c.refuse(f.Code))
	case "html":
		s.page(w, c.r, f.Status)
	case "empty":
		w.WriteHeader(f.Status)
	case "broken-json":
		send(w, http.StatusOK, "application/json;charset=utf-8", fmt.Appendf(nil, `{"EnvId":"%s","Reque`, v.EnvID))
	case "huge":
		huge(w, v)
	case "dribble":
		s.dribble(w, c, f, v)
	case "xml":
		c.xml = true
		c.succeed(w, v)
	}
}

// reset ends the connection with a TCP reset, or as near to it as it can.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2: the server resets the stream
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		inner = t.NetConn()
	}
	if t, ok := inner.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = inner.Close()
}

// huge answers a receipt with a filler of hugeAnswer bytes in it.
func huge(w http.ResponseWriter, v receipt) {
	liftDeadline(w)
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_, err := fmt.Fprintf(w, `{"EnvId":"%s","RequestId":"%s","Filler":"`, v.EnvID, v.RequestID)
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	for range hugeAnswer / len(chunk) {
		if err != nil {
			return
		}
		_, err = w.Write(chunk)
	}
	_, _ = w.Write([]byte(`"}`))
}

// dribble answers the receipt byte by byte.
func (s *Sandbox) dribble(w http.ResponseWriter, c *call, f *activeFault, v receipt) {
	contentType, body := c.encode(v)
	w.Header().Set("Content-Type", contentType)
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		s.hold(w, c, f)
	}
}

// liftDeadline removes the server's timeout from an answer that takes longer.
func liftDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}
