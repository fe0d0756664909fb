package sandbox

import (
	"net/http"
	"slices"
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
	checks := []func(*call) *refusal{checkRequest, checkScheme, s.checkCaller, checkQuery}
	if c.sends() {
		checks = []func(*call) *refusal{checkRequest, checkScheme, s.checkCaller, checkRequired, checkMail, checkRecipients}
	}
	for _, check := range checks {
		if r := check(c); r != nil {
			return r
		}
	}
	return nil
}

func checkRequest(c *call) *refusal {
	_, asks := queries[c.sign.action]
	switch {
	case c.r.Method != http.MethodGet && c.r.Method != http.MethodPost:
		return c.refuse("UnsupportedHTTPMethod")
	case c.r.URL.Path != "/" && c.r.URL.Path != "":
		return c.refuse("InvalidAction.NotFound")
	case !slices.Contains([]string{"", "JSON", "XML"}, strings.ToUpper(c.params["Format"])):
		return c.refuse("InvalidParameter.Format")
	case c.sign.action == "":
		return missing("Action")
	case !c.sends() && !asks:
		return c.refuse("InvalidAction.NotFound")
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
		return c.refuse("IncompleteSignature")
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
	method := rpcMethod
	if c.sign.acs3 {
		method = acs3Method
	}
	switch {
	case c.sign.method != method:
		return c.refuse("InvalidSignatureMethod")
	case c.sign.revision != "1.0":
		return invalid("SignatureVersion")
	case !c.sign.complete:
		return c.refuse("IncompleteSignature")
	}
	return nil
}

// checkCaller checks the signature, the rate and the permission. The nonce comes after
// the signature, so that a forger cannot use up nonces.
func (s *Sandbox) checkCaller(c *call) *refusal {
	const layout = "2006-01-02T15:04:05Z"
	now := s.now()
	t, err := time.Parse(layout, c.sign.timestamp)
	if err != nil || len(c.sign.timestamp) != len(layout) { // Parse lets fractions of a second pass
		return c.refuse("InvalidTimeStamp.Format")
	}
	c.account = (*s.accounts.Load())[c.sign.keyID]
	switch {
	case now.Sub(t).Abs() > maxSkew:
		return c.refuse("InvalidTimeStamp.Expired")
	case c.account == nil || !isKey(c.sign.keyID):
		return c.refuse("InvalidAccessKeyId.NotFound")
	case c.sign.token == "" && (c.account.SecurityToken != "" || strings.HasPrefix(c.sign.keyID, "STS.")):
		return missing("SecurityToken")
	case c.account.SecurityToken != c.sign.token:
		return c.refuse("InvalidSecurityToken.MismatchWithAccessKey")
	case !isKey(c.account.AccessKeySecret) || !c.sign.matches(c.account.AccessKeySecret):
		return c.refuse("SignatureDoesNotMatch")
	case !s.nonces.use(c.sign.keyID, c.sign.nonce, now):
		return c.refuse("SignatureNonceUsed")
	case !c.account.usage.call(s.rate, now):
		return c.refuse("Throttling.User")
	case c.sends() && c.account.Denied, !c.sends() && c.account.SendOnly:
		return c.refuse("Forbidden.RAM")
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

// checkMail checks the sender and the short texts.
func checkMail(c *call) *refusal {
	length := func(name string) int { return utf8.RuneCountInString(c.params[name]) }
	sender, reply, tag := c.params["AccountName"], c.params["ReplyAddress"], c.params["TagName"]
	switch {
	case c.account.Status != 0:
		return c.refuse("InvalidUserStatus.Malformed")
	case !c.account.owns(sender, c.params["RegionId"]):
		return c.refuse("InvalidMailAddress.NotFound")
	case c.account.froze(sender):
		return c.refuse("InvalidMailAddressStatus.Malformed")
	case !c.account.verified(sender):
		return c.refuse("InvalidMailAddressDomainStatus.Malformed")
	case length("FromAlias") > maxAlias:
		return c.refuse("InvalidFromAlias.Malformed")
	case length("Subject") > maxSubject:
		return c.refuse("InvalidSubject.Malformed")
	case reply != "" && !isAddress(reply):
		return c.refuse("InvalidReplyAddress.Malformed")
	case length("ReplyAddressAlias") > maxAlias:
		return c.refuse("InvalidReplyAddressAlias.Malformed")
	case len(tag) > maxTag || !consistsOf(tag, "_-"):
		return c.refuse("InvalidTagName.Malformed")
	}
	return nil
}

// checkRecipients also checks that there is a body, which is thought to come last.
func checkRecipients(c *call) *refusal {
	c.recipients = strings.Split(c.params["ToAddress"], ",")
	if len(c.recipients) > maxRecipients {
		return c.refuse("InvalidToAddress")
	}
	for _, address := range c.recipients {
		if !isAddress(address) {
			return c.refuse("InvalidToAddress")
		}
		if len(address) > maxAddress {
			return c.refuse("EmailLengthError")
		}
	}
	if c.params["HtmlBody"] == "" && c.params["TextBody"] == "" && c.params["Template"] == "" {
		return c.refuse("InvalidBody")
	}
	return nil
}

// isKey reports whether s can be a key's id or secret: one copied with a blank, a
// quotation mark or an invisible character is none of Aliyun's.
func isKey(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`", r) })
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
	for _, r := range s {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		if !letter && (r < '0' || r > '9') && !strings.ContainsRune(more, r) {
			return false
		}
	}
	return true
}
