package sandbox

import "net/http"

type entry struct {
	status  int // 0 means 400
	message string
}

const (
	addressRules = " It must contain the @ sign. The domain must consist of numbers, letters, underscores, minus signs, and periods." +
		" The account name must consist of numbers, letters, underscores, minus signs, and periods."
	notAuthorized = "User not authorized to operate on the specified resource, or this API doesn't support RAM."
)

// catalogue has the codes a SingleSendMail can be answered with, save those
// that name a parameter: first the gateway's, then Direct Mail's.
// Source: Direct Mail's OpenAPI metadata of December 2025 and the gateway's
// error list; docs/sandbox.md says which messages no source confirms.
var catalogue = map[string]entry{
	"InvalidAction.NotFound":                     {404, "Specified api is not found, please check your url and method."},
	"InvalidApi.NotFound":                        {404, "Specified api is not found, please check your url and method."},
	"MissingParameter":                           {400, "The input parameter that is mandatory for processing this request is not supplied."},
	"MissingSecurityToken":                       {400, "SecurityToken is mandatory for this action."},
	"InvalidVersion":                             {400, "Specified parameter Version is not valid."},
	"InvalidParameter.Format":                    {400, "Specified parameter format is not valid."},
	"UnsupportedHTTPMethod":                      {400, "This http method is not supported."},
	"InvalidSignatureMethod":                     {400, "Specified signature method is not valid."},
	"InvalidTimeStamp.Format":                    {400, "Specified time stamp or date value is not well formatted."},
	"InvalidTimeStamp.Expired":                   {400, "Specified time stamp or date value is expired."},
	"InvalidAccessKeyId.NotFound":                {404, "Specified access key is not found."},
	"InvalidAccessKeyId.Inactive":                {400, "Specified access key is disabled."},
	"InvalidSecurityToken.Expired":               {400, "Specified SecurityToken is expired."},
	"InvalidSecurityToken.Malformed":             {400, "Specified SecurityToken is malformed."},
	"InvalidSecurityToken.MismatchWithAccessKey": {400, "Specified SecurityToken mismatch with the AccessKey."},
	"SignatureDoesNotMatch":                      {400, "Specified signature is not matched with our calculation. server string to sign is:"},
	"IncompleteSignature":                        {400, "The request signature does not conform to Aliyun standards. server string to sign is:"},
	"SignatureNonceUsed":                         {400, "Specified signature nonce was used already."},
	"Throttling":                                 {400, "Request was denied due to request throttling."},
	"Throttling.User":                            {400, "Request was denied due to user flow control."},
	"Throttling.Api":                             {400, "Request was denied due to api flow control."},
	"InvalidProtocol.NeedSsl":                    {400, "Your request is denied as lack of ssl protect."},
	"Forbidden.RAM":                              {403, notAuthorized},
	"NoPermission":                               {403, notAuthorized},
	"Forbidden.RiskControl":                      {403, "This operation is forbidden by Aliyun RiskControl system."},
	"Forbidden.AccessKeyDisabled":                {403, "The AccessKey is disabled."},
	"InternalError":                              {500, "The request processing has failed due to some unknown error, exception or failure."},
	"ServiceUnavailable":                         {503, "The request has failed due to a temporary failure of the server."},
	"InvalidMailAddress.NotFound":                {404, "The specified mail address is not found."},
	"InvalidMailAddressStatus.Malformed":         {400, "The status of the sender address is invalid."},
	"InvalidMailAddressName.Malformed":           {400, "The specified account name is invalid. It must only contain numbers, letters, underscores, minus signs, plus signs, and periods."},
	"InvalidMailAddressDomain.Malformed":         {400, "The format of the specified mail address domain is invalid. It must only contain numbers, letters, underscores, minus signs, and periods."},
	"InvalidMailAddressDomainStatus.Malformed":   {400, "The status of the specified mail address domain is invalid."},
	"InvalidMailAddressSendType.Malformed":       {400, "The specified send type is invalid."},
	"InvalidMailAddressReplyName.Malformed":      {404, "The reply address set by the sender address is invalid."},
	"InvalidToAddress":                           {400, "The specified toAddress is invalid." + addressRules},
	"InvalidToAddress.Spam":                      {400, "The email you sent was rejected due to invalid address."},
	"InvalidReceiverName.Malformed":              {400, "The format of the receiver name is invalid." + addressRules},
	"InvalidReceiver.NotFound":                   {404, "The specified receiver is invalid."},
	"EmailFormatError":                           {400, "The Email format is invalid. It must only contain numbers, letters, underscores, minus sign, plus sign, and period."},
	"EmailLengthError":                           {400, "The maximum length of Email is 192 characters."},
	"InvalidSubject.Malformed":                   {400, "The specified subject is invalid. It must not exceed 100 characters."},
	"InvalidFromAlias.Malformed":                 {400, "The specified fromAlias is invalid. The length must not exceed 15 characters."},
	"InvalidReplyAddress.Malformed":              {400, "The specified replyAddress is invalid." + addressRules},
	"InvalidReplyAddressAlias.Malformed":         {400, "The format of the specified replyAddressAlias is invalid. The length must not exceed 15 characters."},
	"InvalidBody":                                {400, "The format of the specified textBody or htmlBody is invalid."},
	"InvalidTag.NotFound":                        {404, "The specified tag does not exist."},
	"InvalidTagName.Malformed":                   {404, "The specified tag name is invalid."},
	"InvalidTemplate.NotFound":                   {404, "The specified template is not found."},
	"InvalidTemplateStatus.Malformed":            {400, "The specified template status is invalid."},
	"InvalidQuota":                               {400, "The mail sending quota is exceeded."},
	"InvalidQuotaLevel":                          {400, "The format of credit rating is invalid."},
	"InvalidSendMail.Spam":                       {400, "The email you sent was rejected by spam filter."},
	"InvalidSendSms":                             {400, "The frequency limit is exceeded."},
	"InvalidUser.NotFound":                       {404, "The specified user does not exist. Please contact your master account to activate the Direct Mail service."},
	"InvalidUserStatus.Malformed":                {400, "The specified user status is abnormal."},
	"LogicalDeleteUserStatus":                    {400, "The specified user status is deleted."},
	"User.Blacklisted":                           {400, "The specified user is in the blacklist."},
	"User.RegisterTooMuch":                       {400, "The specified user has registered more than one DirectMail account."},
	"InvalidIP.NotFound":                         {404, "The specified IP address is invalid."},
	"RAM.ApiNotSupported":                        {400, "The API does not support RAM access."},
	"Forbidden":                                  {400, "The user is not authorized to operate on the specified resource."},
	"UnsupportedSourceControl":                   {400, "You are not authorized to perform the operation."},
	"InvalidParameter":                           {400, "You must specify the parameter. Please check the API documentation."},
	"InternalServiceError":                       {500, "Failed to call the internal service. Please try again later."},
}

// A refusal is an error answer of Direct Mail.
type refusal struct {
	status  int
	code    string
	message string
}

// refuse is the refusal with the code, which has to be in the catalogue.
func refuse(code string) *refusal {
	e := catalogue[code]
	return &refusal{e.status, code, e.message}
}

// about adds to the messages that do so what arrived: the string to sign as
// the server made it. It holds the whole mail and is for the answer alone.
func (r *refusal) about(c *call) *refusal {
	switch {
	case r.code == "SignatureDoesNotMatch" && c.sign.acs3:
		r.message = "Specified signature does not match our calculation. server StringToSign is [" + c.sign.toSign +
			"]server CanonicalRequest is [" + c.sign.canonical + "]"
	case r.code == "SignatureDoesNotMatch", r.code == "IncompleteSignature":
		r.message += c.sign.toSign
	}
	return r
}

// missing refuses a call without a parameter that is mandatory.
func missing(name string) *refusal {
	return &refusal{http.StatusBadRequest, "Missing" + name, name + " is mandatory for this action."}
}

// invalid refuses a parameter's value.
func invalid(name string) *refusal {
	return &refusal{http.StatusBadRequest, "Invalid" + name, "Specified parameter " + name + " is not valid."}
}
