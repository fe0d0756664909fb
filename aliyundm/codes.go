package aliyundm

import (
	"net/http"
	"strings"
)

// classify says what an answer without a receipt means. Direct Mail refuses with
// a 4xx and a code; an answer without one (of a gateway or proxy)
// says nothing about the mail, and neither does a 5xx.
func classify(status int, code string) Class {
	switch {
	case status >= 400 && status < 500 && code != "":
		return find(code).class
	case status == http.StatusRequestEntityTooLarge:
		return Content
	case status == http.StatusRequestURITooLong, status == http.StatusMovedPermanently,
		status == http.StatusTemporaryRedirect, status == http.StatusPermanentRedirect:
		return Operator // these say, by HTTP's own rules, that nothing was done
	}
	return Unknown
}

// Advice says in plain words what to do about an error code. It is empty for an
// empty code.
func Advice(code string) string {
	if code == "" {
		return ""
	}
	return find(code).advice
}

// A rule is what the codes in it mean. They are separated by spaces; one that ends
// in an asterisk means all that begin like it and are not listed themselves.
type rule struct {
	class  Class
	codes  string
	advice string
}

// unlisted codes are refusals too, and somebody must look at them.
var unlisted = rule{class: Operator, advice: "Look the code up in Alibaba Cloud's documentation of Direct Mail, " +
	"or give the request id to the diagnosis tool at https://api.aliyun.com/troubleshoot or to the support."}

// find returns the rule of a code: its own, else that of the longest prefix.
func find(code string) rule {
	best, length := unlisted, 0
	for _, r := range rules {
		for c := range strings.FieldsSeq(r.codes) {
			prefix, isPrefix := strings.CutSuffix(c, "*")
			if c == code {
				return r
			}
			if isPrefix && len(prefix) > length && strings.HasPrefix(code, prefix) {
				best, length = r, len(prefix)
			}
		}
	}
	return best
}

// rules has the codes that can answer a SingleSendMail, by the documentation of
// Direct Mail and of Alibaba Cloud's API gateway, and by answers people have
// reported: https://www.alibabacloud.com/help/doc-detail/29447.htm
var rules = []rule{
	// Retry: certainly not accepted, for a reason that passes.
	{Retry, "Throttling* InvalidSendSms", "Too many calls came at once: Direct Mail takes about 100 a second from one account. Wait a moment. " +
		"If it goes on, find out what else sends with this account, or ask Alibaba Cloud for a higher rate."},
	// Unknown: every call has a nonce of its own, so that Direct Mail has had this
	// one before, and may have accepted it.
	{Unknown, "SignatureNonceUsed", "The same call reached Direct Mail twice, though it is made once: something on the way repeats calls. " +
		"If it goes on, look at the proxy or the gateway between this service and Direct Mail."},

	// Quota.
	{Quota, "InvalidQuota", "The account's daily or monthly quota is used up. Wait until it is renewed, or raise it: " +
		"the Direct Mail console shows the quota, and a ticket asks for more."},

	// Content.
	{Content, "InvalidSendMail.Spam", "Direct Mail's filter refused the mail. Change subject and text (short links, QR codes and names of social " +
		"networks are often the reason). It also answers so for too many mails to one recipient, and for an account " +
		"that is restricted or out of quota: the Direct Mail console shows both."},
	{Content, "InvalidSubject* MissingSubject", "Make the subject shorter: 256 characters at most, 100 to be safe. It must not be empty."},
	{Content, "InvalidBody MissingHtmlBody MissingTextBody", "The mail needs an HTML or a text body, and neither may be longer than some megabytes. Check the template."},

	// Recipient.
	{Recipient, "InvalidToAddress* MissingToAddress InvalidReceiver* EmailFormatError", "Direct Mail does not take this recipient. The address may have letters, digits and . _ - before the @, " +
		"and perhaps +. Check how it is spelt."},
	{Recipient, "InvalidToAddress.Spam", "Mail to this recipient has bounced before, so that it is in Direct Mail's library of invalid addresses. " +
		"If the address exists, take it off that list in the Direct Mail console."},
	{Recipient, "EmailLengthError", "The recipient's address is longer than 192 characters."},

	// Operator: the sender address.
	{Operator, "InvalidMailAddress.NotFound", "The sender address does not exist in this region. Sender addresses belong to one region: check accountName " +
		"and regionId, or create the address in the Direct Mail console of that region."},
	{Operator, "InvalidMailAddressDomain*", "Check the domain of the sender address (accountName): in the Direct Mail console it must be verified, " +
		"with all its DNS records."},
	{Operator, "InvalidMailAddress* MissingAccountName", "Check the sender address (accountName): how it is spelt, and in the Direct Mail console whether it is active " +
		"and not frozen, of the type for triggered mail, and has a valid reply address."},
	{Operator, "InvalidFromAlias* InvalidFromALias*", "Make the sender's name (fromAlias) shorter: 15 characters at most, 14 to be safe, without special characters."},
	{Operator, "InvalidReplyAddress*", "Check the reply address (replyAddress): it must be one mail address."},
	{Operator, "InvalidTag*", "Check the tag (tagName): letters, digits, _ and - only, and it must exist in the Direct Mail console."},
	{Operator, "InvalidTemplate*", "Direct Mail was asked for a template of its own, which does not exist or is not approved."},

	// Operator: the account.
	{Operator, "InvalidUser.NotFound", "Direct Mail is not activated for this account in this region. Activate it in the Direct Mail console, " +
		"or check regionId."},
	{Operator, "InvalidUserStatus* LogicalDeleteUserStatus User.* InvalidQuotaLevel", "The account cannot send: it is overdue, frozen, restricted or deleted, or its owner has several. " +
		"The Direct Mail console shows its status; if the reason is not there, open a ticket."},
	{Operator, "InvalidIP*", "The account's IP protection does not know this service's IP address. Add the address in the Direct Mail " +
		"console. Through a VPC endpoint it is the private one."},

	// Operator: the key and its permissions.
	{Operator, "InvalidAccessKeyId* MissingAccessKeyId", "The access key does not exist or is disabled. Check accessKeyId, and the key in the RAM console."},
	{Operator, "SignatureDoesNotMatch IncompleteSignature MissingSignature", "The signature is wrong, most likely because accessKeySecret is not the secret of accessKeyId. " +
		"Enter both again, without blanks. A proxy that changes calls does the same."},
	{Operator, "InvalidSecurityToken* MissingSecurityToken", "The access key is a temporary one, and its security token (securityToken) is missing, has expired or belongs " +
		"to another key. Get new temporary credentials, or use a lasting key."},
	{Operator, "AuthenticationFail* EntityNotExist*", "STS gives no key for the RAM role. Check roleArn and oidcProviderArn of credentials, that the role trusts the " +
		"identity provider for this issuer, audience and subject, and that the token's file is replaced in time."},
	{Operator, "InvalidTimeStamp* InvalidTimestamp* IllegalTimestamp*", "The clock of this machine is more than 15 minutes wrong. Set it, and keep it right with NTP."},
	{Operator, "Forbidden* NoPermission* RAM.* UnsupportedSourceControl", "The access key may not send mail. Give its RAM user or role the permission dm:SingleSendMail " +
		"(AliyunDirectMailFullAccess has it). If it has that, see in the console whether risk control blocks the account."},

	// Operator: the way between this service and Direct Mail.
	{Operator, "InvalidAction* InvalidApi* InvalidVersion InvalidProtocol* UnsupportedHTTPMethod InvalidSignatureMethod InvalidSignatureVersion InvalidParameter* Missing*", "Direct Mail did not understand the call. Check that the endpoint is one of Direct Mail's, " +
		"and that no proxy changes calls on their way."},

	// Unknown: Direct Mail failed, perhaps after it had taken the mail.
	{Unknown, "InternalError* InternalServiceError* ServiceUnavailable*", "Direct Mail itself failed. The mail may have been sent or not; what the recipient sees decides. " +
		"If it goes on, look at Alibaba Cloud's status page."},
}
