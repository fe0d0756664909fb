package aliyundm

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// noAddress is where a probe's mail would go: it has no @, so that no mail can be
// made of it.
const noAddress = "nobody"

// A Probe is what a call showed that could not lead to a mail.
type Probe struct {
	// Passed says that only the recipient was refused, so that the key may send
	// and the sender is accepted.
	Passed bool
	// Sent says that the call was accepted, which none of Direct Mail's documents
	// would have it be.
	Sent bool
}

// Probe calls SingleSendMail as a mail of this sender would, with a recipient that
// is no address: it tells what of the rest is refused, and nothing is sent. Direct
// Mail does not document in which order it looks at a call, so that a probe that
// passed does not prove the sender. The error is an [*Error].
func (c *Client) Probe(ctx context.Context, m Mail) (Probe, error) {
	m.To, m.Subject, m.TextBody, m.HTMLBody = noAddress, "Test", "Test", ""
	_, err := c.SingleSendMail(ctx, &m)
	failure, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return Probe{Sent: true}, nil
	case ok && failure.Class == Recipient:
		return Probe{Passed: true}, nil
	}
	return Probe{}, err
}

// Denied reports whether Direct Mail refused the call for want of a permission of
// the access key's RAM user.
func (e *Error) Denied() bool {
	switch {
	case strings.HasPrefix(e.Code, "Forbidden.RiskControl"), strings.HasPrefix(e.Code, "Forbidden.AccessKey"):
		return false
	case e.Code == "UnsupportedSourceControl":
		return true
	}
	return strings.HasPrefix(e.Code, "Forbidden") || strings.HasPrefix(e.Code, "NoPermission") || strings.HasPrefix(e.Code, "RAM.")
}

// KeyRefused reports whether Direct Mail refused the access key itself, or the
// signature made with it.
func (e *Error) KeyRefused() bool {
	prefixes := []string{
		"InvalidAccessKeyId", "MissingAccessKeyId", "Forbidden.AccessKey", "SignatureDoesNotMatch", "IncompleteSignature",
		"InvalidSecurityToken", "MissingSecurityToken",
	}
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(e.Code, prefix) })
}

// ClockRefused reports whether Direct Mail refused the call's timestamp.
func (e *Error) ClockRefused() bool {
	prefixes := []string{"InvalidTimeStamp", "InvalidTimestamp", "IllegalTimestamp"}
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(e.Code, prefix) })
}
