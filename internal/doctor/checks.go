package doctor

import (
	"context"
	"fmt"
	"net"
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
		e.block("needs_config", "Not checked: the connector has errors.")
	}
	s := Step{Status: Good, Finding: "config_good", Detail: "The connector has no errors."}
	if len(e.Report.Errors) > 0 {
		s.Status, s.Finding, s.Detail = Problem, "config_errors", "The connector has errors: "+list(e.Report.Errors)
		s.Cure = "Fix them: dmconnector validate lists them one by one."
	} else if len(e.Report.Warnings) > 0 {
		s.Status, s.Finding, s.Detail = Warning, "config_warnings", "The connector has warnings: "+list(e.Report.Warnings)
		s.Cure = "Check whether each is intended."
	}
	return s
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
	s := Step{Status: Good, Finding: "name_good", Values: map[string]string{"host": r.Host}}
	address, _, _ := net.SplitHostPort(r.Address)
	switch {
	case r.Proxied:
		s.Finding = "name_proxied"
		s.Detail = fmt.Sprintf("%s is reached through the proxy of the environment.", r.Host)
	case e.unreached != nil && r.Stage == aliyundm.StageName:
		s.Status, s.Finding, s.Values["message"] = Problem, "name_unknown", e.unreached.Message
		s.Detail = fmt.Sprintf("%s cannot be resolved: %s.", r.Host, e.unreached.Message)
		s.Cure = "Check regionId and endpoint, and whether this machine's DNS resolves other names."
		if strings.Contains(r.Host, "-vpc.") {
			s.Cure = "Endpoints with -vpc resolve only in a VPC of the same region. Elsewhere, remove endpoint."
		}
	case isAddress(r.Host):
		s.Finding = "name_address"
		s.Detail = r.Host + " is an IP address: no name to look up."
	case address == "":
		s.Detail = r.Host + " resolves."
	default:
		s.Values["address"] = address
		s.Detail = fmt.Sprintf("%s resolves to %s.", r.Host, address)
	}
	return s
}

func isAddress(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return net.ParseIP(strings.Trim(host, "[]")) != nil
}

func (e *examination) connection(context.Context) Step {
	r := e.reach
	if e.unreached != nil {
		e.block("needs_connection", "Not checked: the endpoint is not reachable.")
		if r.Stage == aliyundm.StageName && !r.Proxied {
			return *e.blocked
		}
		return unconnected(r, e.unreached.Message)
	}
	s := Step{Status: Good, Finding: "connection_good", Values: map[string]string{"ms": fmt.Sprint(r.Took.Milliseconds()), "tls": r.TLS}}
	if r.Plain {
		s.Finding, s.Detail = "connection_plain", "Reachable without TLS (allowed for local endpoints only)."
		return s
	}
	s.Detail = fmt.Sprintf("Reachable with %s and a valid certificate.", r.TLS)
	if !r.Expires.IsZero() && r.Expires.Sub(r.At) < soonExpired {
		s.Status, s.Finding = Warning, "certificate_expires"
		s.Values["date"] = r.Expires.UTC().Format(time.DateOnly)
		s.Detail = "Reachable, but the certificate expires on " + s.Values["date"] + "."
		s.Cure = "Renew the certificate if the endpoint is yours. Aliyun renews its own."
	}
	return s
}

func unconnected(r *aliyundm.Reach, message string) Step {
	s := Step{Status: Problem, Values: map[string]string{"host": r.Host, "message": message}}
	switch r.Stage {
	case aliyundm.StageTLS:
		s.Finding = "tls_failed"
		s.Detail = fmt.Sprintf("No TLS connection with %s: %s.", r.Host, message)
		s.Cure = "Check the endpoint's spelling, this machine's clock and its root certificates. If a firewall or proxy decrypts TLS, install its certificate here."
	case aliyundm.StageAnswer, aliyundm.StageDone:
		s.Finding = "unanswered"
		s.Detail = fmt.Sprintf("%s accepts the connection but does not answer: %s.", r.Host, message)
		s.Cure = "Check that this is Direct Mail's endpoint, and look for a proxy in between."
	default:
		s.Finding = "unreached"
		s.Detail = fmt.Sprintf("No connection to %s: %s.", r.Host, message)
		s.Cure = "Allow this machine to reach it on port 443: check the firewall, the security group, the NAT gateway and HTTPS_PROXY."
		if strings.Contains(r.Host, "-vpc.") {
			s.Cure = "Endpoints with -vpc are reachable only from a VPC of the same region. Elsewhere, remove endpoint."
		}
	}
	return s
}

func (e *examination) clock(context.Context) Step {
	if e.reach.Date.IsZero() {
		return Step{Status: Skipped, Finding: "clock_unknown", Detail: "The endpoint sends no time to compare the clock with."}
	}
	// The header is cut down to the second.
	skew := e.reach.At.Sub(e.reach.Date.Add(time.Second / 2)).Round(time.Second)
	if skew.Abs() <= smallSkew {
		return Step{Status: Good, Finding: "clock_good", Detail: "The clock agrees with Aliyun's."}
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	s := Step{
		Status: Warning, Finding: "clock_off", Values: map[string]string{"skew": skew.String()},
		Detail: fmt.Sprintf("The clock is %v %s Aliyun's.", skew.Abs(), direction),
		Cure:   "Set this machine's clock, and keep it synchronized with NTP.",
	}
	if skew.Abs() >= maxSkew {
		s.Status, s.Finding = Problem, "clock_wrong"
		s.Detail += " Aliyun rejects calls that are 15 minutes off."
	}
	return s
}

// key makes the first signed call, and says whether further ones make sense.
func (e *examination) key(ctx context.Context) Step {
	e.probe, e.refused = e.try(ctx, e.Client)
	r := e.refused
	if r == nil || r.Code != "" && !r.KeyRefused() && !r.ClockRefused() && !r.Throttled() {
		return Step{Status: Good, Finding: "key_good", Detail: "Aliyun accepts the key and its signature."}
	}
	e.block("needs_key", "Not checked: no call with this key succeeds.")
	s := Step{Status: Problem}.refusedFor(r)
	switch {
	case r.KeyRefused() && e.Config.Credentials != nil:
		s.Finding, s.Detail = "role_key_refused", "Aliyun does not accept the key that the RAM role gave ("+r.Code+")."
		s.Cure = "The next call fetches a new one. If this persists, check in the RAM console that the role still exists, and look for a proxy that changes calls to Aliyun."
	case r.KeyRefused():
		s.Finding, s.Detail = "key_refused", "Aliyun does not accept the access key ("+r.Code+")."
	case r.ClockRefused():
		s.Finding, s.Detail = "clock_refused", "Aliyun rejected the timestamp of the call ("+r.Code+")."
	case r.Throttled():
		s.Finding, s.Detail, s.Status = "busy", "Aliyun throttles this account at the moment ("+r.Code+").", Warning
	case r.Class == aliyundm.Operator:
		s.Finding, s.Detail = "unsigned", "Cannot sign a call, there are no credentials: "+r.Message+"."
		s.Cure = "Check accessKeyId and accessKeySecret, or the source of the credentials."
	default:
		s.Finding, s.Detail = "no_answer", "Direct Mail did not answer a signed call: "+r.Message+"."
		s.Cure = "Check for a proxy or gateway between this machine and Aliyun, and try again."
	}
	return s
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
		return Step{
			Status: Warning, Finding: "probe_sent", Detail: "The key may send mail. Direct Mail unexpectedly accepted a trial call with an invalid recipient.",
			Cure: "Nothing to do. The Direct Mail console shows what became of it.",
		}
	case r != nil && r.Denied():
		return Step{Status: Problem, Finding: "send_denied", Detail: "The key may not send mail (" + r.Code + ")."}.refusedFor(r)
	case r != nil && concern(r.Code) == Permission:
		return Step{Status: Problem, Finding: "send_refused", Detail: "Direct Mail rejects the calls of this connector (" + r.Code + "): " + r.Message}.refusedFor(r)
	default:
		return Step{Status: Good, Finding: "send_allowed", Detail: "The key may send mail (dm:SingleSendMail)."}
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
	s := Step{Status: Good, Finding: "account_good", Values: map[string]string{
		"daily": figure(a.DailyQuota), "month": figure(a.MonthQuota), "level": figure(a.QuotaLevel), "maxLevel": figure(a.MaxQuotaLevel), "free": figure(a.FreeQuota),
	}}
	s.Detail = fmt.Sprintf("The account is active: at most %s mails a day and %s a month, reputation level %s of %s.",
		s.Values["daily"], s.Values["month"], s.Values["level"], s.Values["maxLevel"])
	if a.DailyQuota == 0 || a.MonthQuota == 0 {
		s.Status, s.Finding = Problem, "quota_none"
		s.Detail, s.Cure = "The account's quota is 0 mails.", "See the quota and the reason in the Direct Mail console, and open a ticket for more."
	}
	return s
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
	return Step{
		Status: Problem, Finding: "account_stopped", Values: map[string]string{"conditions": strings.Join(names, " ")},
		Detail: "The account cannot send: it is " + strings.Join(names, " and ") + ".", Cure: strings.Join(cures, " "),
	}
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
	s := Step{Status: Good, Finding: "sender_good", Values: map[string]string{"sender": m.AccountName, "region": e.Client.Region()}}
	switch {
	case m.Frozen:
		s.Status, s.Finding = Problem, "sender_frozen"
		s.Detail = fmt.Sprintf("The sender address %s is frozen.", m.AccountName)
		s.Cure = "See the reason in the Direct Mail console, and open a ticket to have it lifted. Until then, use another sender address."
	case m.SendType == "batch":
		s.Status, s.Finding = Warning, "sender_batch"
		s.Detail = fmt.Sprintf("The sender address %s is of the batch type.", m.AccountName)
		s.Cure = "Create one of the triggered type, which is for verification mail."
	default:
		s.Detail = fmt.Sprintf("The sender address %s exists in %s and is active.", m.AccountName, e.Client.Region())
	}
	return s
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
	address, region := e.Config.AccountName, e.Client.Region()
	var found, unseen []string
	for _, other := range aliyundm.Regions() {
		if other.ID == region || other.Closed {
			continue
		}
		has, known := e.has(ctx, e.Client.In(other))
		if has {
			found = append(found, other.ID)
		} else if !known {
			unseen = append(unseen, other.ID)
		}
	}
	s := Step{Status: Problem, Finding: "sender_missing", Values: map[string]string{"sender": address, "region": region}}
	here := fmt.Sprintf("The sender address %s does not exist in %s", address, region)
	if len(found) > 0 {
		e.elsewhere = true
		s.Finding, s.Values["found"] = "sender_elsewhere", strings.Join(found, " ")
		s.Detail = fmt.Sprintf("%s. It is in %s.", here, strings.Join(found, " and in "))
		endpoint := ""
		if e.Config.Endpoint != "" {
			endpoint = " and remove endpoint or change it to that region's"
		}
		s.Cure = fmt.Sprintf("Set regionId to %s%s, or create the address in %s.", found[0], endpoint, region)
		return s
	}
	s.Detail = here + ", nor in any other region."
	if len(unseen) > 0 {
		s.Values["unseen"] = strings.Join(unseen, " ")
		s.Detail = fmt.Sprintf("%s. It was not found elsewhere either; %s could not be checked.", here, strings.Join(unseen, ", "))
	}
	s.Cure = "Check the spelling of accountName, or create it in the Direct Mail console of that region: first its domain, then the address, of the triggered type."
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
		return Step{Status: Skipped, Finding: "needs_sender", Detail: "Not checked: the sender is in another region."}
	}
	_, name, _ := strings.Cut(e.Config.AccountName, "@")
	d, failure := call(ctx, func(ctx context.Context) (*aliyundm.Domain, error) { return e.Client.FindDomain(ctx, name) })
	invalid := e.sender != nil && e.sender.DomainInvalid // by the sender's entry
	if failure != nil && !invalid {
		return unseen(Domain, "QueryDomainByParam", failure)
	}
	region, failing := e.Client.Region(), records(d)
	s := Step{Status: Problem, Values: map[string]string{"domain": name, "region": region}}
	if failing != "" {
		s.Values["records"] = failing
	}
	switch {
	case failure != nil || d != nil && !d.Sendable:
		s.Finding = "domain_unverified"
		s.Detail = fmt.Sprintf("The domain %s is not verified.", name)
		s.Cure = "Set its DNS records as the Direct Mail console shows, then verify them there."
		if failing != "" {
			s.Detail = fmt.Sprintf("The domain %s is not verified; failing records: %s.", name, failing)
		}
	case d == nil && e.sender != nil && !invalid:
		s.Status, s.Finding = Warning, "domain_unlisted"
		s.Detail = fmt.Sprintf("The domain %s is not listed in %s, but its sender address is.", name, region)
		s.Cure = "Check the domain in the Direct Mail console."
	case d == nil:
		s.Finding = "domain_missing"
		s.Detail = fmt.Sprintf("The domain %s does not exist in %s.", name, region)
		s.Cure = "Add it in the Direct Mail console of that region, with the DNS records that the console shows."
	case failing != "":
		s.Status, s.Finding = Warning, "domain_records"
		s.Detail = fmt.Sprintf("The domain %s is verified; failing records: %s.", name, failing)
		s.Cure = "Set them as the Direct Mail console shows: without them, mail may end up in spam."
	default:
		s.Status, s.Finding = Good, "domain_good"
		s.Detail = fmt.Sprintf("The domain %s is verified.", name)
	}
	return s
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
	s := Step{Status: Good}
	switch {
	case e.Config.ReplyAddress != "":
		s.Finding, s.Values = "reply_own", map[string]string{"reply": e.Config.ReplyAddress}
		s.Detail = fmt.Sprintf("Replies go to %s (replyAddress).", e.Config.ReplyAddress)
	case e.sender != nil && e.sender.ReplyUnchecked && e.sender.ReplyAddress != "":
		s.Status, s.Finding, s.Values = Warning, "reply_unverified", map[string]string{"reply": e.sender.ReplyAddress}
		s.Detail = fmt.Sprintf("The console's reply address %s is not verified. Mail is sent without it, and replies go to the sender address.", e.sender.ReplyAddress)
		s.Cure = "Verify it with the mail that the console sends to it, or set replyAddress in the connector."
	default:
		s.Finding, s.Detail = "reply_sender", "Replies go to the sender address. To change that, set replyAddress."
	}
	return s
}
