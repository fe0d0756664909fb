package doctor

import (
	"context"
	"fmt"
	"strings"

	"dmconnector/aliyundm"
)

const (
	senderAction = "QueryMailAddressByParam"
	domainAction = "QueryDomainByParam"
)

func (e *examination) senderAddress(ctx context.Context) {
	sender, failure := e.lookUp(ctx, e.Client)
	switch {
	case failure != nil && e.notFound():
		e.report.add(e.missingSender(ctx))
	case failure != nil:
		e.settle(unseen(Sender, senderAction, failure))
	case sender == nil:
		e.report.add(e.missingSender(ctx))
	default:
		e.sender = sender
		e.settle(e.judgeSender(sender))
	}
}

func (e *examination) lookUp(ctx context.Context, client *aliyundm.Client) (*aliyundm.MailAddress, *aliyundm.Error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sender, err := client.FindMailAddress(ctx, e.Config.AccountName)
	return sender, refusal(err)
}

// notFound reports whether the trial call was rejected because the sender is missing.
func (e *examination) notFound() bool { return isMissing(e.refused) }

func isMissing(r *aliyundm.Error) bool { return r != nil && r.Code == "InvalidMailAddress.NotFound" }

func (e *examination) judgeSender(m *aliyundm.MailAddress) Step {
	s := Step{Check: Sender, Status: Good, Finding: "sender_good", Values: map[string]string{"sender": m.AccountName, "region": e.report.Region}}
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
		s.Detail = fmt.Sprintf("The sender address %s exists in %s and is active.", m.AccountName, e.report.Region)
	}
	return s
}

// missingSender looks for the sender in the other regions.
func (e *examination) missingSender(ctx context.Context) Step {
	s := Step{Check: Sender, Status: Problem, Values: map[string]string{"sender": e.Config.AccountName, "region": e.report.Region}}
	var found, unseen []string
	for _, region := range aliyundm.Regions() {
		if region.ID == e.report.Region || region.Closed {
			continue
		}
		has, known := e.has(ctx, e.Client.In(region))
		switch {
		case has:
			found = append(found, region.ID)
		case !known:
			unseen = append(unseen, region.ID)
		}
	}
	here := fmt.Sprintf("The sender address %s does not exist in %s", e.Config.AccountName, e.report.Region)
	if len(found) > 0 {
		e.elsewhere = true
		s.Finding, s.Values["found"] = "sender_elsewhere", strings.Join(found, " ")
		s.Detail = fmt.Sprintf("%s. It is in %s.", here, strings.Join(found, " and in "))
		s.Cure = fmt.Sprintf("Set regionId to %s%s, or create the address in %s.", found[0], withoutEndpoint(e.Config.Endpoint), e.report.Region)
		return s
	}
	s.Finding, s.Detail = "sender_missing", here+", nor in any other region."
	if len(unseen) > 0 {
		s.Values["unseen"] = strings.Join(unseen, " ")
		s.Detail = fmt.Sprintf("%s. It was not found elsewhere either; %s could not be checked.", here, strings.Join(unseen, ", "))
	}
	s.Cure = "Check the spelling of accountName, or create it in the Direct Mail console of that region: first its domain, then the address, of the triggered type."
	return s
}

func withoutEndpoint(endpoint string) string {
	if endpoint == "" {
		return ""
	}
	return " and remove endpoint or change it to that region's"
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

func (e *examination) domain(ctx context.Context) {
	if e.elsewhere {
		e.report.add(Step{Check: Domain, Status: Skipped, Finding: "needs_sender", Detail: "Not checked: the sender is in another region."})
		return
	}
	_, name, _ := strings.Cut(e.Config.AccountName, "@")
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	domain, err := e.Client.FindDomain(ctx, name)
	if err != nil {
		e.settle(e.unseenDomain(name, refusal(err)))
		return
	}
	e.settle(e.judgeDomain(name, domain))
}

// unseenDomain falls back to what the sender's entry says of its domain.
func (e *examination) unseenDomain(name string, failure *aliyundm.Error) Step {
	if e.sender != nil && e.sender.DomainInvalid {
		return unverified(name, nil)
	}
	return unseen(Domain, domainAction, failure)
}

func (e *examination) judgeDomain(name string, d *aliyundm.Domain) Step {
	values := map[string]string{"domain": name, "region": e.report.Region}
	switch {
	case d == nil && e.sender != nil && !e.sender.DomainInvalid:
		return Step{
			Check: Domain, Status: Warning, Finding: "domain_unlisted", Values: values,
			Detail: fmt.Sprintf("The domain %s is not listed in %s, but its sender address is.", name, e.report.Region), Cure: "Check the domain in the Direct Mail console.",
		}
	case d == nil:
		return Step{
			Check: Domain, Status: Problem, Finding: "domain_missing", Values: values,
			Detail: fmt.Sprintf("The domain %s does not exist in %s.", name, e.report.Region),
			Cure:   "Add it in the Direct Mail console of that region, with the DNS records that the console shows.",
		}
	case !d.Sendable:
		return unverified(name, d)
	case !d.SPFOK || !d.MXOK:
		values["records"] = records(d)
		return Step{
			Check: Domain, Status: Warning, Finding: "domain_records", Values: values,
			Detail: fmt.Sprintf("The domain %s is verified; failing records: %s.", name, values["records"]),
			Cure:   "Set them as the Direct Mail console shows: without them, mail may end up in spam.",
		}
	}
	return Step{Check: Domain, Status: Good, Finding: "domain_good", Values: values, Detail: fmt.Sprintf("The domain %s is verified.", name)}
}

// unverified is for a domain that may not send; d may be nil.
func unverified(name string, d *aliyundm.Domain) Step {
	s := Step{
		Check: Domain, Status: Problem, Finding: "domain_unverified", Values: map[string]string{"domain": name},
		Detail: fmt.Sprintf("The domain %s is not verified.", name),
		Cure:   "Set its DNS records as the Direct Mail console shows, then verify them there.",
	}
	if d != nil && records(d) != "" {
		s.Values["records"] = records(d)
		s.Detail = fmt.Sprintf("The domain %s is not verified; failing records: %s.", name, s.Values["records"])
	}
	return s
}

func records(d *aliyundm.Domain) string {
	var bad []string
	if !d.SPFOK {
		bad = append(bad, "SPF")
	}
	if !d.MXOK {
		bad = append(bad, "MX")
	}
	return strings.Join(bad, ", ")
}

func (e *examination) reply() {
	s := Step{Check: Reply, Status: Good}
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
	e.settle(s)
}
