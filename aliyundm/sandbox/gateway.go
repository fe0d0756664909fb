package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// maxSkew is how far a call's clock may be from the sandbox's.
const maxSkew = 15 * time.Minute

// check makes every check on a call, in the order in which Direct Mail's
// gateway, and then Direct Mail itself, are thought to make them. It
// returns the first refusal, or nil.
func (s *Sandbox) check(c *call) *refusal {
	for _, step := range []func(*call) *refusal{
		checkRequest, checkFormat, checkAction, checkPresence, checkScheme, s.checkTimestamp,
		s.checkKey, s.checkSignature, s.checkNonce, s.checkRate, s.checkPermission,
	} {
		if r := step(c); r != nil {
			return r
		}
	}
	if c.sign.action != sendAction {
		return checkQuery(c)
	}
	for _, step := range []func(*call) *refusal{
		checkRequired, checkAccount, checkSender, checkTexts, checkReply, checkRecipients, checkBodies,
	} {
		if r := step(c); r != nil {
			return r
		}
	}
	return nil
}

const sendAction = "SingleSendMail"

func checkRequest(c *call) *refusal {
	if c.method != http.MethodGet && c.method != http.MethodPost {
		return refuse("UnsupportedHTTPMethod")
	}
	if c.path != "/" && c.path != "" {
		return refuse("InvalidAction.NotFound")
	}
	return nil
}

func checkFormat(c *call) *refusal {
	switch strings.ToUpper(c.params["Format"]) {
	case "", "JSON", "XML":
		return nil
	}
	return refuse("InvalidParameter.Format")
}

func checkAction(c *call) *refusal {
	switch {
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

func checkPresence(c *call) *refusal {
	if c.sign.acs3 && (c.sign.keyID == "" || c.sign.signature == "") {
		return refuse("IncompleteSignature").about(c)
	}
	required := []struct{ name, value string }{
		{"AccessKeyId", c.sign.keyID},
		{"Timestamp", c.sign.timestamp},
		{"SignatureNonce", c.sign.nonce},
		{"SignatureMethod", c.sign.method},
		{"SignatureVersion", c.sign.revision},
		{"Signature", c.sign.signature},
	}
	for _, p := range required {
		if p.value == "" {
			return missing(p.name)
		}
	}
	return nil
}

func checkScheme(c *call) *refusal {
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

func (s *Sandbox) checkTimestamp(c *call) *refusal {
	const layout = "2006-01-02T15:04:05Z"
	t, err := time.Parse(layout, c.sign.timestamp)
	if err != nil || len(c.sign.timestamp) != len(layout) { // Parse lets fractions of a second pass
		return refuse("InvalidTimeStamp.Format")
	}
	if s.now().Sub(t).Abs() > maxSkew {
		return refuse("InvalidTimeStamp.Expired")
	}
	return nil
}

func (s *Sandbox) checkKey(c *call) *refusal {
	c.account = (*s.accounts.Load())[c.sign.keyID]
	switch {
	case c.account == nil:
		return refuse("InvalidAccessKeyId.NotFound")
	case c.account.token != "" && c.sign.token == "":
		return missing("SecurityToken")
	case c.account.token != c.sign.token:
		return refuse("InvalidSecurityToken.MismatchWithAccessKey")
	}
	return nil
}

func (s *Sandbox) checkSignature(c *call) *refusal {
	if c.sign.matches(c.account.secret) {
		return nil
	}
	return refuse("SignatureDoesNotMatch").about(c)
}

// checkNonce comes after the signature, so that a forger cannot use up nonces.
func (s *Sandbox) checkNonce(c *call) *refusal {
	if !s.nonces.use(c.sign.keyID, c.sign.nonce, s.now()) {
		return refuse("SignatureNonceUsed")
	}
	return nil
}

func (s *Sandbox) checkRate(c *call) *refusal {
	if !s.meters.call(c.sign.keyID, s.now()) {
		return refuse("Throttling.User")
	}
	return nil
}

func (s *Sandbox) checkPermission(c *call) *refusal {
	sends := c.sign.action == sendAction
	if c.account.denied && sends || c.account.sendOnly && !sends {
		return refuse("Forbidden.RAM")
	}
	return nil
}
