package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// newMail is what the call sends to each of its recipients.
func newMail(c *call, v receipt) Mail {
	m := Mail{
		From:         c.params["AccountName"],
		FromAlias:    c.params["FromAlias"],
		ReplyAddress: c.params["ReplyAddress"],
		TagName:      c.params["TagName"],
		Subject:      c.params["Subject"],
		HTML:         c.params["HtmlBody"],
		Text:         c.params["TextBody"],
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

const maxInboxBytes = 64 << 20

// inbox keeps the newest mails, within a number and a size.
type inbox struct {
	maxMails int

	mu      sync.Mutex
	mails   []stored // oldest first
	bytes   int
	last    uint64        // the last mail's id
	arrived chan struct{} // closed and replaced when mails arrive
}

type stored struct {
	Mail
	serial uint64 // the id
}

// add keeps one mail for each recipient and drops the oldest mails that are too
// many.
func (b *inbox) add(m Mail, recipients []string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m.ReceivedAt = now.UTC().Truncate(time.Millisecond)
	for _, to := range recipients {
		b.last++
		m.ID = strconv.FormatUint(b.last, 10)
		m.To = to
		b.mails = append(b.mails, stored{m, b.last})
		b.bytes += m.size()
	}
	for len(b.mails) > 0 && (len(b.mails) > b.maxMails || b.bytes > maxInboxBytes) {
		b.bytes -= b.mails[0].size()
		b.mails[0] = stored{}
		b.mails = b.mails[1:]
	}
	close(b.arrived)
	b.arrived = make(chan struct{})
}

// find has the mails for the address, or all when it is empty, newest first: those with
// a higher serial than after that were not received before at. It also returns what is
// closed when mails arrive; both under one lock, so that no mail is missed in between.
func (b *inbox) find(address string, after uint64, at time.Time) ([]Mail, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []Mail{}
	for _, m := range slices.Backward(b.mails) {
		if (address == "" || strings.EqualFold(m.To, address)) && m.serial > after && !m.ReceivedAt.Before(at) {
			found = append(found, m.Mail)
		}
	}
	return found, b.arrived
}

func (b *inbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails, b.bytes = nil, 0
}

// parseSince reads the id of a mail or an RFC 3339 time; empty is the beginning. A mail
// of the same millisecond is newer: a test may take the time and cause the mail at once.
func parseSince(s string) (serial uint64, at time.Time, err error) {
	if s == "" {
		return 0, at, nil
	}
	if serial, err = strconv.ParseUint(s, 10, 64); err == nil {
		return serial, at, nil
	}
	if at, err = time.Parse(time.RFC3339, s); err != nil {
		return 0, at, errors.New("since is neither a mail's id nor an RFC 3339 time")
	}
	return 0, at.Truncate(time.Millisecond), nil
}

// Mails are the mails in the inbox, newest first.
func (s *Sandbox) Mails() []Mail {
	mails, _ := s.inbox.find("", 0, time.Time{})
	return mails
}

// Clear empties the inbox.
func (s *Sandbox) Clear() { s.inbox.clear() }

// Wait returns the newest mail for the address, whatever its case, and waits for
// one if there is none; an empty address is any. since is the ID of a mail or an RFC 3339 time, and makes
// it a mail newer than that; it may be empty. The error is ctx's, or says that
// the sandbox was closed or that since is malformed.
func (s *Sandbox) Wait(ctx context.Context, address, since string) (Mail, error) {
	serial, at, err := parseSince(since)
	if err != nil {
		return Mail{}, err
	}
	for {
		mails, arrived := s.inbox.find(address, serial, at)
		if len(mails) > 0 {
			return mails[0], nil
		}
		select {
		case <-arrived:
		case <-s.closed:
			return Mail{}, errors.New("wait for mail: the sandbox was closed")
		case <-ctx.Done():
			return Mail{}, fmt.Errorf("wait for mail: %w", ctx.Err())
		}
	}
}
