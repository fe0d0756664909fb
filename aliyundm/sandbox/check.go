package sandbox

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	sendAction = "SingleSendMail"
	// maxSkew is how far a call's clock may be from the sandbox's.
	maxSkew = 15 * time.Minute
)

// Limits of a mail. Where sources disagree the wider limit holds; see
// docs/sandbox.md.
const (
	maxRecipients = 100
	maxAddress    = 192
	maxSubject    = 256
	maxAlias      = 15
	maxTag        = 128
)

// check makes every check on a call, in the order in which Direct Mail's
// gateway, and then Direct Mail itself, are thought to make them. It
// returns the first refusal, or nil.
func (s *Sandbox) check(c *call) *refusal {
	checks := []func(*call) *refusal{checkRequest, checkScheme, s.checkSignature, s.checkRateAndPermission}
	if c.sign.action == sendAction {
		checks = append(checks, checkRequired, checkSender, checkTexts, checkRecipients)
	} else {
		checks = append(checks, checkQuery)
	}
	for _, check := range checks {
		if r := check(c); r != nil {
			return r
		}
	}
	return nil
}

func checkRequest(c *call) *refusal {
	format := strings.ToUpper(c.params["Format"])
	switch {
	case c.method != http.MethodGet && c.method != http.MethodPost:
		return refuse("UnsupportedHTTPMethod")
	case c.path != "/" && c.path != "":
		return refuse("InvalidAction.NotFound")
	case format != "" && format != "JSON" && format != "XML":
		return refuse("InvalidParameter.Format")
	case c.sign.action == "":
		return missing("Action")
	case c.sign.action != sendAction && queries[c.sign.action] == nil:
		return refuse("InvalidAction.NotFound")
	case c.sign.version == "":
		return missing("Version")
	case c.sign.version != "2015-11-23":
		return invalid("Version")
	}
	return nil
}

// checkScheme checks that the signature is there and of a known version.
func checkScheme(c *call) *refusal {
	if c.sign.acs3 && (c.sign.keyID == "" || c.sign.signature == "") {
		return refuse("IncompleteSignature").about(c)
	}
	for _, p := range []struct{ name, value string }{
		{"AccessKeyId", c.sign.keyID},
		{"Timestamp", c.sign.timestamp},
		{"SignatureNonce", c.sign.nonce},
		{"SignatureMethod", c.sign.method},
		{"SignatureVersion", c.sign.revision},
		{"Signature", c.sign.signature},
	} {
		if p.value == "" {
			return missing(p.name)
		}
	}
	method, revision := rpcMethod, rpcRevision
	if c.sign.acs3 {
		method, revision = acs3Method, acs3Revision
	}
	switch {
	case c.sign.method != method:
		return refuse("InvalidSignatureMethod")
	case c.sign.revision != revision:
		return invalid("SignatureVersion")
	case !c.sign.complete:
		return refuse("IncompleteSignature").about(c)
	}
	return nil
}

// checkSignature checks the nonce last, so that a forger cannot use up nonces.
func (s *Sandbox) checkSignature(c *call) *refusal {
	const layout = "2006-01-02T15:04:05Z"
	now := s.now()
	t, err := time.Parse(layout, c.sign.timestamp)
	if err != nil || len(c.sign.timestamp) != len(layout) { // Parse lets fractions of a second pass
		return refuse("InvalidTimeStamp.Format")
	}
	c.account = (*s.accounts.Load())[c.sign.keyID]
	switch {
	case now.Sub(t).Abs() > maxSkew:
		return refuse("InvalidTimeStamp.Expired")
	case c.account == nil:
		return refuse("InvalidAccessKeyId.NotFound")
	case c.account.SecurityToken != "" && c.sign.token == "":
		return missing("SecurityToken")
	case c.account.SecurityToken != c.sign.token:
		return refuse("InvalidSecurityToken.MismatchWithAccessKey")
	case !c.sign.matches(c.account.AccessKeySecret):
		return refuse("SignatureDoesNotMatch").about(c)
	case !s.nonces.use(c.sign.keyID, c.sign.nonce, now):
		return refuse("SignatureNonceUsed")
	}
	return nil
}

func (s *Sandbox) checkRateAndPermission(c *call) *refusal {
	if !s.quotas.call(c.sign.keyID, s.now()) {
		return refuse("Throttling.User")
	}
	sends := c.sign.action == sendAction
	if c.account.Denied && sends || c.account.SendOnly && !sends {
		return refuse("Forbidden.RAM")
	}
	return nil
}

func checkRequired(c *call) *refusal {
	for _, name := range []string{"AccountName", "AddressType", "ReplyToAddress", "ToAddress", "Subject"} {
		if c.params[name] == "" {
			return missing(name)
		}
	}
	if t := c.params["AddressType"]; t != "0" && t != "1" {
		return invalid("AddressType")
	}
	if reply := strings.ToLower(c.params["ReplyToAddress"]); reply != "true" && reply != "false" {
		return invalid("ReplyToAddress")
	}
	return nil
}

func checkSender(c *call) *refusal {
	sender := c.params["AccountName"]
	switch {
	case c.account.Status != 0:
		return refuse("InvalidUserStatus.Malformed")
	case !c.account.owns(sender, c.params["RegionId"]):
		return refuse("InvalidMailAddress.NotFound")
	case c.account.froze(sender):
		return refuse("InvalidMailAddressStatus.Malformed")
	case !c.account.verified(sender):
		return refuse("InvalidMailAddressDomainStatus.Malformed")
	}
	return nil
}

func checkTexts(c *call) *refusal {
	length := func(name string) int { return utf8.RuneCountInString(c.params[name]) }
	reply, tag := c.params["ReplyAddress"], c.params["TagName"]
	switch {
	case length("FromAlias") > maxAlias:
		return refuse("InvalidFromAlias.Malformed")
	case length("Subject") > maxSubject:
		return refuse("InvalidSubject.Malformed")
	case reply != "" && !isAddress(reply):
		return refuse("InvalidReplyAddress.Malformed")
	case length("ReplyAddressAlias") > maxAlias:
		return refuse("InvalidReplyAddressAlias.Malformed")
	case len(tag) > maxTag || !consistsOf(tag, "_-"):
		return refuse("InvalidTagName.Malformed")
	}
	return nil
}

func checkRecipients(c *call) *refusal {
	c.recipients = strings.Split(c.params["ToAddress"], ",")
	if len(c.recipients) > maxRecipients {
		return refuse("InvalidToAddress")
	}
	for _, address := range c.recipients {
		if !isAddress(address) {
			return refuse("InvalidToAddress")
		}
		if len(address) > maxAddress {
			return refuse("EmailLengthError")
		}
	}
	if c.params["HtmlBody"] == "" && c.params["TextBody"] == "" && c.params["Template"] == "" {
		return refuse("InvalidBody")
	}
	return nil
}

// isAddress reports whether s is an address in the characters that Direct Mail's
// messages allow. EmailFormatError allows "+", InvalidToAddress does not name
// it; it is accepted here.
func isAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && consistsOf(local, "_-+.") && consistsOf(domain, "_-.")
}

// consistsOf reports whether s has only ASCII letters, digits and the characters of
// more.
func consistsOf(s, more string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(s[i]) && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}
