package sandbox

import (
	"strings"
	"unicode/utf8"
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

func checkAccount(c *call) *refusal {
	if c.account.status != 0 {
		return refuse("InvalidUserStatus.Malformed")
	}
	return nil
}

func checkSender(c *call) *refusal {
	sender := c.params["AccountName"]
	switch {
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
	if utf8.RuneCountInString(c.params["FromAlias"]) > maxAlias {
		return refuse("InvalidFromAlias.Malformed")
	}
	if utf8.RuneCountInString(c.params["Subject"]) > maxSubject {
		return refuse("InvalidSubject.Malformed")
	}
	return nil
}

func checkReply(c *call) *refusal {
	if reply := c.params["ReplyAddress"]; reply != "" && !isAddress(reply) {
		return refuse("InvalidReplyAddress.Malformed")
	}
	if utf8.RuneCountInString(c.params["ReplyAddressAlias"]) > maxAlias {
		return refuse("InvalidReplyAddressAlias.Malformed")
	}
	tag := c.params["TagName"]
	if len(tag) > maxTag || !consistsOf(tag, "_-") {
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
	return nil
}

func checkBodies(c *call) *refusal {
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

// consistsOf reports whether s has ASCII letters, digits and more alone.
func consistsOf(s, more string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(s[i]) && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}
