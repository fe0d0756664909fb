package sandbox

import (
	"encoding/json"
	"strings"
	"time"
)

// A Mail is what the sandbox accepted for one recipient. A call with several
// recipients makes several mails with one EnvID.
type Mail struct {
	ID           string    `json:"id"`         // rises with every mail, also after a restart
	ReceivedAt   time.Time `json:"receivedAt"` // UTC, to the millisecond
	To           string    `json:"to"`
	From         string    `json:"from"` // AccountName
	FromAlias    string    `json:"fromAlias"`
	ReplyAddress string    `json:"replyAddress"`
	TagName      string    `json:"tagName"`
	Subject      string    `json:"subject"`
	HTML         string    `json:"html"`
	Text         string    `json:"text"`
	Code         string    `json:"code"` // empty when there is none, see docs/sandbox.md
	EnvID        string    `json:"envId"`
	RequestID    string    `json:"requestId"`
	AccessKeyID  string    `json:"accessKeyId"`
}

// MarshalJSON writes ReceivedAt with exactly three digits of a second.
func (m Mail) MarshalJSON() ([]byte, error) {
	type plain Mail
	return json.Marshal(struct {
		plain
		ReceivedAt string `json:"receivedAt"`
	}{plain(m), m.ReceivedAt.Format("2006-01-02T15:04:05.000Z07:00")})
}

// newMail is what the call sends to each of its recipients. The strings are
// copies, since a parameter may share the memory of the whole request.
func newMail(c *call, v receipt) Mail {
	m := Mail{
		From:         strings.Clone(c.params["AccountName"]),
		FromAlias:    strings.Clone(c.params["FromAlias"]),
		ReplyAddress: strings.Clone(c.params["ReplyAddress"]),
		TagName:      strings.Clone(c.params["TagName"]),
		Subject:      strings.Clone(c.params["Subject"]),
		HTML:         strings.Clone(c.params["HtmlBody"]),
		Text:         strings.Clone(c.params["TextBody"]),
		EnvID:        v.EnvID,
		RequestID:    v.RequestID,
		AccessKeyID:  strings.Clone(c.sign.keyID),
	}
	m.Code = code(m.Subject, m.Text, m.HTML)
	return m
}

// size is about what the mail takes in memory.
func (m *Mail) size() int {
	const fixed = 512 // the struct, ids and bookkeeping
	return fixed + len(m.To) + len(m.From) + len(m.FromAlias) + len(m.ReplyAddress) +
		len(m.TagName) + len(m.Subject) + len(m.HTML) + len(m.Text)
}

// masked is an address as logs may have it: the first letter, three stars and
// the domain.
func masked(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" {
		return "***"
	}
	return local[:1] + "***@" + domain
}
