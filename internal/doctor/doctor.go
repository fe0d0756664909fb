// Package doctor finds out why a connector cannot send, from the name of Aliyun's
// endpoint to the sender's reply address, and how to fix it. It sends no mail.
package doctor

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

// A Status is how a check ended.
type Status string

// The statuses.
const (
	Good    Status = "good"
	Skipped Status = "skipped" // not checked; not a fault in itself
	Warning Status = "warning" // mail goes out, but not as it should
	Problem Status = "problem" // mail cannot be sent
)

// A Check is one thing that is checked.
type Check string

// The checks.
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

// A Patient is the connector to check.
type Patient struct {
	// Config is nil if the connector has errors, which are in Report.
	Config *connector.Config
	Report connector.Report
	// Client makes the calls that the connector's mail would make.
	Client *aliyundm.Client
}

// checks are all checks in their order. Each returns its step without the Check.
var checks = []struct {
	check Check
	run   func(*examination, context.Context) Step
}{
	{Config, (*examination).config},
	{Name, (*examination).name},
	{Connection, (*examination).connection},
	{Clock, (*examination).clock},
	{Key, (*examination).key},
	{Permission, (*examination).permission},
	{Account, (*examination).account},
	{Sender, (*examination).senderAddress},
	{Domain, (*examination).domain},
	{Reply, (*examination).reply},
}

// An examination is one run.
type examination struct {
	Patient
	blocked *Step // of the checks that cannot be made any more

	reach     *aliyundm.Reach
	unreached *aliyundm.Error

	probe   aliyundm.Probe
	refused *aliyundm.Error // what the probe was rejected for, if not for its recipient

	sender    *aliyundm.MailAddress // nil if not found or not looked up
	elsewhere bool                  // the sender is in another region
}

// Examine makes every check that can be made, and stops at nothing but ctx.
func Examine(ctx context.Context, p Patient) Report {
	e := &examination{Patient: p}
	report := Report{Outcome: Good}
	if p.Client != nil {
		report.Region, report.Endpoint = p.Client.Region(), p.Client.Host()
	}
	for _, c := range checks {
		s := e.step(ctx, c.check, c.run)
		s.Check = c.check
		report.Steps = append(report.Steps, s)
		if s.Status == Problem || s.Status == Warning && report.Outcome == Good {
			report.Outcome = s.Status
		}
	}
	return report
}

// step makes a check. Unless that finds a problem, what the trial call was refused
// for comes first if it belongs to the same check.
func (e *examination) step(ctx context.Context, check Check, run func(*examination, context.Context) Step) Step {
	if e.blocked != nil {
		return *e.blocked
	}
	s := run(e, ctx)
	if r := e.refused; r != nil && concern(r.Code) == check && s.Status != Problem {
		return refused("trial_refused", r)
	}
	return s
}

// block skips the checks that follow.
func (e *examination) block(finding string) { e.blocked = new(found(finding, nil)) }

// call makes a call, which is bounded so that one that hangs does not keep the
// others from running.
func call[T any](ctx context.Context, do func(context.Context) (T, error)) (T, *aliyundm.Error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := do(ctx)
	if err == nil {
		return answer, nil
	}
	if failure, ok := errors.AsType[*aliyundm.Error](err); ok {
		return answer, failure
	}
	return answer, &aliyundm.Error{Class: aliyundm.Unknown, Message: "the call failed"}
}

//go:embed findings.json
var findingsJSON []byte

// findings are the steps of all findings, with the names of values in their texts.
var findings = sync.OnceValue(func() (steps map[string]Step) {
	if err := json.Unmarshal(findingsJSON, &steps); err != nil {
		panic(fmt.Sprintf("findings.json: %v", err)) // it is part of the program
	}
	return steps
})

type values map[string]string

// found returns the step of a finding, with the values in its texts.
func found(finding string, v values) Step {
	s := findings()[finding]
	s.Finding, s.Values = finding, v
	var pairs []string
	for name, value := range v {
		pairs = append(pairs, "{"+name+"}", value)
	}
	fill := strings.NewReplacer(pairs...)
	s.Detail, s.Cure = fill.Replace(s.Detail), fill.Replace(s.Cure)
	return s
}

// refused is found for a call that Direct Mail rejected. Its code says what to do, if
// the finding does not.
func refused(finding string, r *aliyundm.Error) Step {
	s := found(finding, values{"code": r.Code, "message": r.Message})
	s.Code, s.RequestID, s.Cure = r.Code, r.RequestID, cmp.Or(s.Cure, aliyundm.Advice(r.Code))
	return s
}

// unseen is the step for a check whose call was rejected. That the key may not look
// is no fault.
func unseen(check Check, action string, r *aliyundm.Error) Step {
	if r.Denied() {
		s := found("not_permitted", values{"permission": "dm:" + action})
		s.Code, s.RequestID = r.Code, r.RequestID
		return s
	}
	s := refused("not_answered", r)
	if r.Code == "" {
		s.Detail, s.Cure = action+" was not answered: "+r.Message+".", "Try again."
		return s
	}
	s.Detail = fmt.Sprintf("%s was rejected (%s): %s", action, r.Code, r.Message)
	if concern(r.Code) == check { // whom it names it stops
		s.Status = Problem
	}
	return s
}

// concerns says which check the refusals of a trial call are about, by how their
// codes begin; the first that fits counts.
var concerns = []struct {
	prefix string
	check  Check
}{
	{"InvalidMailAddressDomain", Domain},
	{"InvalidMailAddressReply", Reply},
	{"InvalidMailAddress", Sender},
	{"InvalidFromA", Sender},
	{"InvalidTag", Sender},
	{"MissingAccountName", Sender},
	{"InvalidReplyAddress", Reply},
	{"InvalidUser", Account},
	{"LogicalDeleteUserStatus", Account},
	{"User.", Account},
	{"InvalidQuota", Account},
	{"InvalidIP", Account},
}

func concern(code string) Check {
	for _, c := range concerns {
		if strings.HasPrefix(code, c.prefix) {
			return c.check
		}
	}
	return Permission
}
