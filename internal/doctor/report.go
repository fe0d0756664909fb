// Package doctor finds out why a connector cannot send, from the name of Aliyun's
// endpoint to the sender's reply address, and how to fix it. It sends no mail.
package doctor

import "cmp"

// A Status is how a check ended.
type Status string

// The statuses, from the best to the worst.
const (
	Good    Status = "good"
	Skipped Status = "skipped" // not checked; not a fault in itself
	Warning Status = "warning" // mail goes out, but not as it should
	Problem Status = "problem" // mail cannot be sent
)

var severity = map[Status]int{Good: 0, Skipped: 1, Warning: 2, Problem: 3}

// A Check is one thing that is checked.
type Check string

// The checks, in their order.
const (
	Config     Check = "config"
	Name       Check = "name"
	Connection Check = "connection"
	Clock      Check = "clock"
	Key        Check = "key"
	Permission Check = "permission"
	Account    Check = "account"
	Sender     Check = "sender"
	Domain     Check = "domain"
	Reply      Check = "reply"
)

// Checks returns all checks in their order.
func Checks() []Check {
	return []Check{Config, Name, Connection, Clock, Key, Permission, Account, Sender, Domain, Reply}
}

// A Step is what a check found. Nothing in it is secret.
type Step struct {
	Check  Check  `json:"check"`
	Status Status `json:"status"`
	// Finding is the stable name of what was found, for programs and translations,
	// with its Values.
	Finding string            `json:"finding"`
	Values  map[string]string `json:"values,omitempty"`
	Detail  string            `json:"detail"`         // what was found, as text
	Cure    string            `json:"cure,omitempty"` // what to do about it

	Code      string `json:"code,omitempty"`      // Direct Mail's, where it refused a call
	RequestID string `json:"requestId,omitempty"` // names that call in Aliyun's diagnosis
}

// A Report has a step for every check.
type Report struct {
	Region   string `json:"region,omitempty"`
	Endpoint string `json:"endpoint,omitempty"` // its host
	Outcome  Status `json:"outcome"`            // Problem, Warning or Good
	Steps    []Step `json:"steps"`
}

func (r *Report) add(s Step) { r.Steps = append(r.Steps, s) }

// skip adds the checks that have no step yet.
func (r *Report) skip(finding, detail string) {
	for _, check := range Checks()[len(r.Steps):] {
		r.add(Step{Check: check, Status: Skipped, Finding: finding, Detail: detail})
	}
}

func (r *Report) conclude() {
	for _, s := range r.Steps {
		if s.Status != Skipped && severity[s.Status] > severity[cmp.Or(r.Outcome, Good)] {
			r.Outcome = s.Status
		}
	}
	r.Outcome = cmp.Or(r.Outcome, Good)
}
