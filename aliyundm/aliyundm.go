// Package aliyundm speaks to Alibaba Cloud Direct Mail: it signs one
// SingleSendMail call, makes it, and says what the answer means.
//
//	client, err := aliyundm.NewClient(aliyundm.Options{
//		Region:      "ap-southeast-1",
//		Credentials: aliyundm.Credentials{AccessKeyID: id, AccessKeySecret: secret},
//	})
//	if err != nil {
//		return err
//	}
//	receipt, err := client.SingleSendMail(ctx, &aliyundm.Mail{
//		AccountName: "no-reply@example.com",
//		To:          "user@example.com",
//		Subject:     "Your code",
//		TextBody:    "Your code is " + code,
//	})
//
// The package makes one attempt a call and never repeats it: Direct Mail has no
// idempotency key, so only the caller can decide whether a mail may go twice.
// What it needs for that is in [Error]: a [Class] that says whether the mail was
// certainly refused or may have been accepted.
//
// Of the Aliyun SDK it uses the signer alone. The SDK's client has data races, no
// context, plain HTTP by default, one host for almost all regions, and puts the
// whole mail into the URL.
package aliyundm

// A Mail is one mail to one recipient. Empty fields are left out of the call.
//
// It is sent from a sender address (AddressType 1), not from a random one of the
// account's, and without the reply address set in the console (ReplyToAddress
// false), so that ReplyAddress alone decides where answers go.
type Mail struct {
	AccountName  string // the sender address, as created in the console of the region
	FromAlias    string // the sender's name, at most 15 characters
	To           string // exactly one address
	Subject      string // at most 256 characters
	HTMLBody     string // HTMLBody or TextBody is needed; both may be given
	TextBody     string
	ReplyAddress string
	TagName      string // a tag that exists in the console
}

// MaxEncodedSize returns how many bytes a call with the mail has at most, besides its
// key: form encoding makes up to three of one.
func (m *Mail) MaxEncodedSize() int {
	const otherParameters = 1 << 10
	return otherParameters + 3*(len(m.AccountName)+len(m.FromAlias)+len(m.To)+len(m.Subject)+
		len(m.HTMLBody)+len(m.TextBody)+len(m.ReplyAddress)+len(m.TagName))
}

// A Receipt says that Direct Mail accepted a mail, not that it was delivered.
type Receipt struct {
	EnvID     string `json:"envId"`     // names the mail in Direct Mail's delivery events
	RequestID string `json:"requestId"` // names the call in Aliyun's support and diagnosis
}
