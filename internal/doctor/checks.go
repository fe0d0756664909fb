package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

const (
	// maxSkew is the skew from which Direct Mail rejects calls.
	maxSkew = 15 * time.Minute
	// smallSkew is more than a clock set by NTP has; the header has full seconds.
	smallSkew = time.Minute
	// soonExpired is when a certificate should have been renewed.
	soonExpired = 7 * 24 * time.Hour
)

func (e *examination) config(context.Context) Step {
	if e.Config == nil || e.Client == nil {
		e.block("needs_config")
	}
	switch {
	case len(e.Report.Errors) > 0:
		return found("config_errors", values{"problems": list(e.Report.Errors)})
	case len(e.Report.Warnings) > 0:
		return found("config_warnings", values{"problems": list(e.Report.Warnings)})
	default:
		return found("config_good", nil)
	}
}

func list(problems []connector.Problem) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// name reaches for the endpoint, and says whether its name was found.
func (e *examination) name(ctx context.Context) Step {
	e.reach, e.unreached = call(ctx, e.Client.Reach)
	r := e.reach
	host := values{"host": r.Host}
	address, _, _ := net.SplitHostPort(r.Address)
	switch {
	case r.Proxied:
		return found("name_proxied", host)
	case e.unreached != nil && r.Stage == aliyundm.StageName:
		return found("name_unknown", values{"host": r.Host, "message": e.unreached.Message}).adviseVPC(r.Host)
	case net.ParseIP((&url.URL{Host: r.Host}).Hostname()) != nil:
		return found("name_address", host)
	case address == "":
		return found("name_good", host)
	}
	s := found("name_good", values{"host": r.Host, "address": address})
	s.Detail = fmt.Sprintf("%s resolves to %s.", r.Host, address)
	return s
}

// adviseVPC has another cure for an endpoint in a VPC.
func (s Step) adviseVPC(host string) Step {
	if strings.Contains(host, "-vpc.") {
		s.Cure = "Endpoints with -vpc work only in a VPC of the same region. Elsewhere, remove endpoint."
	}
	return s
}

func (e *examination) connection(context.Context) Step {
	r := e.reach
	if e.unreached != nil {
		e.block("needs_connection")
		if r.Stage == aliyundm.StageName && !r.Proxied {
			return *e.blocked
		}
		v := values{"host": r.Host, "message": e.unreached.Message}
		switch r.Stage {
		case aliyundm.StageTLS:
			return found("tls_failed", v)
		case aliyundm.StageAnswer, aliyundm.StageDone:
			return found("unanswered", v)
		default:
			return found("unreached", v).adviseVPC(r.Host)
		}
	}
	v := values{"ms": fmt.Sprint(r.Took.Milliseconds()), "tls": r.TLS}
	switch {
	case r.Plain:
		return found("connection_plain", v)
	case !r.Expires.IsZero() && r.Expires.Sub(r.At) < soonExpired:
		v["date"] = r.Expires.UTC().Format(time.DateOnly)
		return found("certificate_expires", v)
	default:
		return found("connection_good", v)
	}
}

func (e *examination) clock(context.Context) Step {
	if e.reach.Date.IsZero() {
		return found("clock_unknown", nil)
	}
	// The header is cut down to the second.
	skew := e.reach.At.Sub(e.reach.Date.Add(time.Second / 2)).Round(time.Second)
	v := values{"skew": skew.String(), "difference": skew.Abs().String() + " ahead of"}
	if skew < 0 {
		v["difference"] = skew.Abs().String() + " behind"
	}
	switch {
	case skew.Abs() <= smallSkew:
		return found("clock_good", nil)
	case skew.Abs() < maxSkew:
		return found("clock_off", v)
	default:
		return found("clock_wrong", v)
	}
}

// key makes the first signed call, and says whether further ones make sense.
func (e *examination) key(ctx context.Context) Step {
	e.probe, e.refused = e.try(ctx, e.Client)
	r := e.refused
	if r == nil || r.Code != "" && !r.KeyRefused() && !r.ClockRefused() && !r.Throttled() {
		return found("key_good", nil)
	}
	e.block("needs_key")
	switch {
	case r.KeyRefused() && e.Config.Credentials != nil:
		return refused("role_key_refused", r)
	case r.KeyRefused():
		return refused("key_refused", r)
	case r.ClockRefused():
		return refused("clock_refused", r)
	case r.Throttled():
		return refused("busy", r)
	case r.Class == aliyundm.Operator:
		return refused("unsigned", r)
	default:
		return refused("no_answer", r)
	}
}

// try probes with the connector's mail settings.
func (e *examination) try(ctx context.Context, client *aliyundm.Client) (aliyundm.Probe, *aliyundm.Error) {
	return call(ctx, func(ctx context.Context) (aliyundm.Probe, error) {
		return client.Probe(ctx, aliyundm.Mail{
			AccountName: e.Config.AccountName, FromAlias: e.Config.FromAlias, ReplyAddress: e.Config.ReplyAddress, TagName: e.Config.TagName,
		})
	})
}

func (e *examination) permission(context.Context) Step {
	r := e.refused
	switch {
	case e.probe.Sent:
		return found("probe_sent", nil)
	case r != nil && r.Denied():
		return refused("send_denied", r)
	case r != nil && concern(r.Code) == Permission:
		return refused("send_refused", r)
	default:
		return found("send_allowed", nil)
	}
}

// conditions are the bits of an account's status.
var conditions = []struct {
	bit        aliyundm.AccountStatus
	name, cure string
}{
	{aliyundm.AccountFrozen, "frozen", "Open a ticket with Aliyun to find out why and have it lifted."},
	{aliyundm.AccountOverdue, "overdue", "Pay the outstanding amount, or top up the balance."},
	{aliyundm.AccountRestricted, "restricted", "Direct Mail restricts accounts mostly for bounces or complaints: see the reason in the console, and open a ticket to have it lifted."},
	{aliyundm.AccountDeleted, "deleted", "Activate Direct Mail again in the console."},
}

func (e *examination) account(ctx context.Context) Step {
	a, failure := call(ctx, e.Client.DescAccountSummary)
	if failure != nil {
		return unseen(Account, "DescAccountSummary", failure)
	}
	if a.Status != 0 {
		return stopped(a.Status)
	}
	v := values{
		"daily": figure(a.DailyQuota), "month": figure(a.MonthQuota), "level": figure(a.QuotaLevel), "maxLevel": figure(a.MaxQuotaLevel), "free": figure(a.FreeQuota),
	}
	if a.DailyQuota == 0 || a.MonthQuota == 0 {
		return found("quota_none", v)
	}
	return found("account_good", v)
}

func stopped(status aliyundm.AccountStatus) Step {
	var names, cures []string
	for _, c := range conditions {
		if status&c.bit != 0 {
			names, cures = append(names, c.name), append(cures, c.cure)
		}
	}
	if len(names) == 0 {
		names, cures = []string{"in the unknown status " + strconv.Itoa(int(status))}, []string{"See the Direct Mail console."}
	}
	s := found("account_stopped", values{"conditions": strings.Join(names, " "), "status": strings.Join(names, " and ")})
	s.Cure = strings.Join(cures, " ")
	return s
}

// figure is a number as text, or "?" if the answer lacked it.
func figure(n int) string {
	if n < 0 {
		return "?"
	}
	return strconv.Itoa(n)
}

func (e *examination) senderAddress(ctx context.Context) Step {
	m, failure := e.lookUp(ctx, e.Client)
	if failure == nil && m == nil || failure != nil && isMissing(e.refused) {
		return e.missingSender(ctx)
	}
	if failure != nil {
		return unseen(Sender, "QueryMailAddressByParam", failure)
	}
	e.sender = m
	v := values{"sender": m.AccountName, "region": e.Client.Region()}
	switch {
	case m.Frozen:
		return found("sender_frozen", v)
	case m.SendType == "batch":
		return found("sender_batch", v)
	default:
		return found("sender_good", v)
	}
}

func (e *examination) lookUp(ctx context.Context, client *aliyundm.Client) (*aliyundm.MailAddress, *aliyundm.Error) {
	return call(ctx, func(ctx context.Context) (*aliyundm.MailAddress, error) {
		return client.FindMailAddress(ctx, e.Config.AccountName)
	})
}

// isMissing reports whether a trial call was rejected because the sender is missing.
func isMissing(r *aliyundm.Error) bool { return r != nil && r.Code == "InvalidMailAddress.NotFound" }

// missingSender looks for the sender in the other regions.
func (e *examination) missingSender(ctx context.Context) Step {
	v := values{"sender": e.Config.AccountName, "region": e.Client.Region()}
	var regions, unseen []string
	for _, other := range aliyundm.Regions() {
		if other.ID == e.Client.Region() || other.Closed {
			continue
		}
		has, known := e.has(ctx, e.Client.In(other))
		if has {
			regions = append(regions, other.ID)
		} else if !known {
			unseen = append(unseen, other.ID)
		}
	}
	if len(regions) > 0 {
		e.elsewhere = true
		v["found"] = strings.Join(regions, " or ")
		s := found("sender_elsewhere", v)
		if e.Config.Endpoint != "" {
			s.Cure += " A new regionId needs another endpoint too, or none."
		}
		return s
	}
	if len(unseen) == 0 {
		return found("sender_missing", v)
	}
	v["unseen"] = strings.Join(unseen, ", ")
	s := found("sender_missing", v)
	s.Detail = fmt.Sprintf("The sender address %s was not found in %s or elsewhere; %s could not be checked.", v["sender"], v["region"], v["unseen"])
	return s
}

// has reports whether a region has the sender, as far as that is known. A key that
// may not look may still try.
func (e *examination) has(ctx context.Context, client *aliyundm.Client) (has, known bool) {
	sender, failure := e.lookUp(ctx, client)
	if failure == nil {
		return sender != nil, true
	}
	if !failure.Denied() {
		return false, absent(failure)
	}
	probe, refused := e.try(ctx, client)
	if refused == nil {
		return probe.Passed, true
	}
	return false, isMissing(refused) || absent(refused)
}

// absent reports whether the account does not use Direct Mail in the region, and
// so has no sender there.
func absent(r *aliyundm.Error) bool { return r.Code == "InvalidUser.NotFound" }

func (e *examination) domain(ctx context.Context) Step {
	if e.elsewhere {
		return found("needs_sender", nil)
	}
	_, name, _ := strings.Cut(e.Config.AccountName, "@")
	d, failure := call(ctx, func(ctx context.Context) (*aliyundm.Domain, error) { return e.Client.FindDomain(ctx, name) })
	invalid := e.sender != nil && e.sender.DomainInvalid // by the sender's entry
	if failure != nil && !invalid {
		return unseen(Domain, "QueryDomainByParam", failure)
	}
	v, failing := values{"domain": name, "region": e.Client.Region()}, records(d)
	if failing != "" {
		v["records"] = failing
	}
	switch {
	case failure != nil || d != nil && !d.Sendable:
		s := found("domain_unverified", v)
		if failing != "" {
			s.Detail += " Failing records: " + failing + "."
		}
		return s
	case d == nil && e.sender != nil && !invalid:
		return found("domain_unlisted", v)
	case d == nil:
		return found("domain_missing", v)
	case failing != "":
		return found("domain_records", v)
	default:
		return found("domain_good", v)
	}
}

// records are those that Direct Mail found wrong; d may be nil.
func records(d *aliyundm.Domain) string {
	var bad []string
	if d != nil && !d.SPFOK {
		bad = append(bad, "SPF")
	}
	if d != nil && !d.MXOK {
		bad = append(bad, "MX")
	}
	return strings.Join(bad, ", ")
}

func (e *examination) reply(context.Context) Step {
	switch {
	case e.Config.ReplyAddress != "":
		return found("reply_own", values{"reply": e.Config.ReplyAddress})
	case e.sender != nil && e.sender.ReplyUnchecked && e.sender.ReplyAddress != "":
		return found("reply_unverified", values{"reply": e.sender.ReplyAddress})
	default:
		return found("reply_sender", nil)
	}
}
