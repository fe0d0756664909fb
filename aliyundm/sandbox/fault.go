package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Fault is something that goes wrong. It strikes only calls that would have
// been accepted: what a check refuses is refused as ever.
type Fault struct {
	// Kind is one of "delay", "hang", "reset", "error", "html", "empty",
	// "broken-json", "huge", "dribble" and "xml".
	Kind string `json:"fault"`

	// Accept says whether the mail is accepted before the fault strikes, so that
	// it is in the inbox. Each kind has its default. After a "delay" or a "hang"
	// that did not accept the mail before, it is accepted.
	Accept *bool `json:"accept"`

	// Action is the call that the fault strikes; empty means SingleSendMail. Of the
	// calls that only ask, a fault strikes those it answers in place of, or delays:
	// "delay", "hang", "reset", "error", "html" and "empty".
	Action string `json:"action,omitempty"`

	// To makes the fault strike only calls with this recipient, whatever its case.
	To string `json:"to,omitempty"`

	// Times is how many calls the fault strikes; 0 means every one.
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

// faultKinds has the kinds with their default of Accept.
var faultKinds = map[string]bool{
	"delay": false, "hang": true, "reset": false, "error": false, "html": false,
	"empty": true, "broken-json": true, "huge": true, "dribble": true, "xml": true,
}

// armed is a fault that was switched on.
type armed struct {
	Fault
	Remaining *int `json:"remaining"` // null without Times
	Struck    int  `json:"struck"`

	duration time.Duration
	cleared  chan struct{} // closed when the faults are replaced
}

// arm checks a fault and fills its defaults in.
func arm(f Fault, cleared chan struct{}) (*armed, error) {
	accept, known := faultKinds[f.Kind]
	if !known {
		return nil, fmt.Errorf("fault is not one of %s", strings.Join(kindNames(), ", "))
	}
	if f.Accept == nil {
		f.Accept = &accept
	}
	if err := f.checkAction(); err != nil {
		return nil, err
	}
	if f.Times < 0 {
		return nil, errors.New("times is negative")
	}
	if err := f.checkAnswer(); err != nil {
		return nil, err
	}
	a := &armed{Fault: f, cleared: cleared}
	if f.Times > 0 {
		a.Remaining = &f.Times
	}
	return a, a.readDuration()
}

func (f *Fault) checkAction() error {
	if f.Action == "" || f.Action == sendAction {
		return nil
	}
	if queries[f.Action] == nil {
		return errors.New("action is none that the sandbox answers")
	}
	if f.To != "" || !slices.Contains([]string{"delay", "hang", "reset", "error", "html", "empty"}, f.Kind) {
		return errors.New("a call that only asks has no recipient, and no receipt to be spoilt")
	}
	return nil
}

// checkAnswer checks Code and Status, and fills the default of Status in.
func (f *Fault) checkAnswer() error {
	if _, known := catalogue[f.Code]; known != (f.Kind == "error") || !known && f.Code != "" {
		return errors.New("code has to be one of Direct Mail's for an error, and is for nothing else")
	}
	switch {
	case f.Kind == "html" && f.Status == 0:
		f.Status = 502
	case f.Kind == "empty" && f.Status == 0:
		f.Status = 200
	case f.Kind != "html" && f.Kind != "empty" && f.Status != 0:
		return errors.New("status is for html and empty")
	}
	if f.Status != 0 && f.Status != 200 && (f.Status < 400 || f.Status > 599) {
		return errors.New("status is neither 200 nor from 400 to 599")
	}
	return nil
}

func (a *armed) readDuration() error {
	timed := a.Kind == "delay" || a.Kind == "dribble"
	if a.Duration == "" && a.Kind != "delay" {
		a.duration = time.Second
		return nil
	}
	d, err := time.ParseDuration(a.Duration)
	if !timed || err != nil || d <= 0 || d > maxFaultDelay {
		return fmt.Errorf("duration is for delay and dribble, and goes up to %v", maxFaultDelay)
	}
	a.duration = d
	return nil
}

// strikes reports whether the fault is for a call to these recipients.
func (a *armed) strikes(action string, recipients []string) bool {
	if cmp.Or(a.Action, sendAction) != action || a.Remaining != nil && *a.Remaining == 0 {
		return false
	}
	return a.To == "" || slices.ContainsFunc(recipients, func(r string) bool { return strings.EqualFold(r, a.To) })
}

func kindNames() []string {
	var names []string
	for name := range faultKinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// faults are the faults that are on.
type faults struct {
	mu      sync.Mutex
	list    []*armed
	cleared chan struct{}
}

func newFaults() *faults { return &faults{cleared: make(chan struct{})} }

// set replaces the faults, and releases the calls that the old ones hold.
func (f *faults) set(list []Fault) error {
	if len(list) > maxFaults {
		return fmt.Errorf("more than %d faults", maxFaults)
	}
	cleared := make(chan struct{})
	var on []*armed
	for i, fault := range list {
		a, err := arm(fault, cleared)
		if err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
		on = append(on, a)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.cleared)
	f.list, f.cleared = on, cleared
	return nil
}

// take is the first fault that strikes such a call to these recipients, counted,
// or nil.
func (f *faults) take(action string, recipients []string) *armed {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.list {
		if a.strikes(action, recipients) {
			a.Struck++
			if a.Remaining != nil {
				*a.Remaining--
			}
			return a
		}
	}
	return nil
}

// state is a copy of the faults that are on.
func (f *faults) state() []armed {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]armed, len(f.list))
	for i, a := range f.list {
		list[i] = *a
		if a.Remaining != nil {
			list[i].Remaining = new(*a.Remaining)
		}
	}
	return list
}

// SetFaults replaces the faults that are on; without any, all are off. Calls held
// by the old ones go on at once. The error says which fault cannot be.
func (s *Sandbox) SetFaults(list ...Fault) error { return s.faults.set(list) }
