// Package doctor finds out why a connector cannot send, from the name of Aliyun's
// endpoint to the sender's reply address, and how to fix it. It sends no mail.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	refused *aliyundm.Error // what the probe was refused for, if not for its recipient

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
		return Step{
			Status: Problem, Finding: "trial_refused", Detail: fmt.Sprintf("Direct Mail rejected a trial call for it (%s): %s", r.Code, r.Message),
		}.refusedFor(r)
	}
	return s
}

// block skips the checks that follow.
func (e *examination) block(finding, detail string) {
	e.blocked = &Step{Status: Skipped, Finding: finding, Detail: detail}
}

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

// refusedFor returns the step with what a refusal says of itself.
func (s Step) refusedFor(r *aliyundm.Error) Step {
	s.Code, s.RequestID, s.Cure = r.Code, r.RequestID, aliyundm.Advice(r.Code)
	s.Values = map[string]string{"code": r.Code, "message": r.Message}
	return s
}

// unseen is the step for a check whose call was refused. That the key may not look
// is no fault.
func unseen(check Check, action string, r *aliyundm.Error) Step {
	if r.Denied() {
		return Step{
			Status: Skipped, Finding: "not_permitted", Values: map[string]string{"permission": "dm:" + action},
			Detail: "The key has no permission for this check; sending does not need it.", Cure: "Grant dm:" + action + " to run this check.",
			Code: r.Code, RequestID: r.RequestID,
		}
	}
	s := Step{Status: Warning, Finding: "not_answered"}.refusedFor(r)
	if r.Code == "" {
		s.Detail = action + " was not answered: " + r.Message + "."
		s.Cure = "Try again."
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
