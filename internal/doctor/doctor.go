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

// A Patient is the connector to check.
type Patient struct {
	// Config is nil if the connector has errors, which are in Report.
	Config *connector.Config
	Report connector.Report
	// Client makes the calls that the connector's mail would make.
	Client *aliyundm.Client
}

// callTimeout bounds each call, so that one that hangs does not keep the others from
// running.
const callTimeout = 10 * time.Second

// An examination is one run.
type examination struct {
	Patient
	report Report

	probe   aliyundm.Probe
	refused *aliyundm.Error // what the probe was refused for, if not for its recipient

	sender    *aliyundm.MailAddress // nil if not found or not looked up
	elsewhere bool                  // the sender is in another region
}

// Examine makes every check that can be made, and stops at nothing but ctx.
func Examine(ctx context.Context, p Patient) Report {
	e := &examination{Patient: p}
	e.examine(ctx)
	e.report.conclude()
	return e.report
}

func (e *examination) examine(ctx context.Context) {
	e.config()
	if e.Config == nil || e.Client == nil {
		e.report.skip("needs_config", "Not checked: the connector has errors.")
		return
	}
	e.report.Region, e.report.Endpoint = e.Client.Region(), e.Client.Host()
	if !e.reach(ctx) {
		e.report.skip("needs_connection", "Not checked: the endpoint is not reachable.")
		return
	}
	if !e.key(ctx) {
		e.report.skip("needs_key", "Not checked: no call with this key succeeds.")
		return
	}
	e.permission()
	e.account(ctx)
	e.senderAddress(ctx)
	e.domain(ctx)
	e.reply()
}

func (e *examination) config() {
	if len(e.Report.Errors) > 0 {
		e.report.add(Step{
			Check: Config, Status: Problem, Finding: "config_errors", Detail: "The connector has errors: " + list(e.Report.Errors),
			Cure: "Fix them: dmconnector validate lists them one by one.",
		})
		return
	}
	if len(e.Report.Warnings) > 0 {
		e.report.add(Step{
			Check: Config, Status: Warning, Finding: "config_warnings", Detail: "The connector has warnings: " + list(e.Report.Warnings),
			Cure: "Check whether each is intended.",
		})
		return
	}
	e.report.add(Step{Check: Config, Status: Good, Finding: "config_good", Detail: "The connector has no errors."})
}

func list(problems []connector.Problem) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// key makes the first signed call, and reports whether further ones make sense.
func (e *examination) key(ctx context.Context) bool {
	e.probe, e.refused = e.try(ctx, e.Client)
	r := e.refused
	if r == nil || r.Code != "" && !r.KeyRefused() && !r.ClockRefused() && !r.Throttled() {
		e.report.add(Step{Check: Key, Status: Good, Finding: "key_good", Detail: "Aliyun accepts the key and its signature."})
		return true
	}
	step := Step{Check: Key, Status: Problem}.refusedFor(r)
	switch {
	case r.KeyRefused() && e.Config.Credentials != nil:
		step.Finding, step.Detail = "role_key_refused", "Aliyun does not accept the key that the RAM role gave ("+r.Code+")."
		step.Cure = "The next call fetches a new one. If this persists, check in the RAM console that the role still exists, and look for a proxy that changes calls to Aliyun."
	case r.KeyRefused():
		step.Finding, step.Detail = "key_refused", "Aliyun does not accept the access key ("+r.Code+")."
	case r.ClockRefused():
		step.Finding, step.Detail = "clock_refused", "Aliyun rejected the timestamp of the call ("+r.Code+")."
	case r.Throttled():
		step.Finding, step.Detail, step.Status = "busy", "Aliyun throttles this account at the moment ("+r.Code+").", Warning
	case r.Class == aliyundm.Operator:
		step.Finding, step.Detail = "unsigned", "Cannot sign a call, there are no credentials: "+r.Message+"."
		step.Cure = "Check accessKeyId and accessKeySecret, or the source of the credentials."
	default:
		step.Finding, step.Detail = "no_answer", "Direct Mail did not answer a signed call: "+r.Message+"."
		step.Cure = "Check for a proxy or gateway between this machine and Aliyun, and try again."
	}
	e.report.add(step)
	return false
}

// try probes with the connector's mail settings.
func (e *examination) try(ctx context.Context, client *aliyundm.Client) (aliyundm.Probe, *aliyundm.Error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	probe, err := client.Probe(ctx, aliyundm.Mail{
		AccountName: e.Config.AccountName, FromAlias: e.Config.FromAlias, ReplyAddress: e.Config.ReplyAddress, TagName: e.Config.TagName,
	})
	return probe, refusal(err)
}

// refusal returns a call's error, or nil for none.
func refusal(err error) *aliyundm.Error {
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*aliyundm.Error](err); ok {
		return failure
	}
	return &aliyundm.Error{Class: aliyundm.Unknown, Message: "the call failed"}
}

// refusedFor returns the step with what a refusal says of itself.
func (s Step) refusedFor(r *aliyundm.Error) Step {
	s.Code, s.RequestID, s.Cure = r.Code, r.RequestID, aliyundm.Advice(r.Code)
	s.Values = map[string]string{"code": r.Code, "message": r.Message}
	return s
}

func (e *examination) permission() {
	switch r := e.refused; {
	case e.probe.Sent:
		e.report.add(Step{
			Check: Permission, Status: Warning, Finding: "probe_sent", Detail: "The key may send mail. Direct Mail unexpectedly accepted a trial call with an invalid recipient.",
			Cure: "Nothing to do. The Direct Mail console shows what became of it.",
		})
	case r != nil && r.Denied():
		step := Step{Check: Permission, Status: Problem, Finding: "send_denied", Detail: "The key may not send mail (" + r.Code + ")."}
		e.report.add(step.refusedFor(r))
	case r != nil && concern(r.Code) == Permission:
		step := Step{Check: Permission, Status: Problem, Finding: "send_refused", Detail: "Direct Mail rejects the calls of this connector (" + r.Code + "): " + r.Message}
		e.report.add(step.refusedFor(r))
	default:
		e.report.add(Step{Check: Permission, Status: Good, Finding: "send_allowed", Detail: "The key may send mail (dm:SingleSendMail)."})
	}
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

// settle adds a step, or what the trial call was refused for if that belongs to
// the same check and the step itself has found no fault.
func (e *examination) settle(s Step) {
	if e.refused != nil && !e.refused.Denied() && concern(e.refused.Code) == s.Check && s.Status != Problem {
		detail := fmt.Sprintf("Direct Mail rejected a trial call for it (%s): %s", e.refused.Code, e.refused.Message)
		s = Step{Check: s.Check, Status: Problem, Finding: "trial_refused", Detail: detail}.refusedFor(e.refused)
	}
	e.report.add(s)
}

// unseen is the step for a check whose call was refused. That the key may not look
// is no fault.
func unseen(check Check, action string, r *aliyundm.Error) Step {
	if r.Denied() {
		return Step{
			Check: check, Status: Skipped, Finding: "not_permitted", Values: map[string]string{"permission": "dm:" + action},
			Detail: "The key has no permission for this check; sending does not need it.", Cure: "Grant dm:" + action + " to run this check.",
			Code: r.Code, RequestID: r.RequestID,
		}
	}
	s := Step{Check: check, Status: Warning, Finding: "not_answered"}.refusedFor(r)
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
