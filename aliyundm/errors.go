package aliyundm

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
)

// A Class says what a failed call means: whether the mail may have been accepted,
// and if it was refused, who can do something about it.
type Class string

// The classes. In all but Unknown the mail was certainly not accepted.
const (
	Retry     Class = "retry"     // not now: throttled, or nobody was reached; it may be tried again
	Operator  Class = "operator"  // the account, key, sender, region or set-up is refused
	Content   Class = "content"   // the mail's subject or text is refused
	Recipient Class = "recipient" // the recipient is refused
	Quota     Class = "quota"     // the account may send no more mail today or this month
	Unknown   Class = "unknown"   // the mail may have been accepted
)

// An Error is a call that brought no receipt. Nothing in it comes from the mail
// or the credentials, so that it may be logged and shown to an admin.
type Error struct {
	Class     Class
	Code      string // Direct Mail's, such as "InvalidMailAddress.NotFound"; see [Advice]. Empty if nobody answered or it was not Direct Mail
	Status    int    // of the HTTP answer; 0 if there was none
	RequestID string // names the call in Aliyun's support and diagnosis; may be empty
	Message   string // Direct Mail's, with what is not common to such messages left out as […]; or ours if Code is empty
	Err       error  // the cause if nobody answered, for errors.Is and errors.As; may be nil
}

// Error returns class, code, status, request id and message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("direct mail: " + string(e.Class))
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d", e.Status)
		if e.RequestID != "" {
			b.WriteString(", request " + e.RequestID)
		}
		b.WriteString(")")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue returns the fields of Error apart, for package slog.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("class", string(e.Class)),
		slog.String("code", e.Code),
		slog.Int("status", e.Status),
		slog.String("request_id", e.RequestID),
		slog.String("message", e.Message),
	)
}

// Throttled reports whether Direct Mail refused the call for coming too fast. A
// [Retry] without a Code is another thing: nobody was reached.
func (e *Error) Throttled() bool { return e.Class == Retry && find(e.Code).class == Retry }

// Denied reports whether Direct Mail refused the call because the access key's RAM
// user lacks a permission.
func (e *Error) Denied() bool {
	return e.hasCode("Forbidden", "NoPermission", "RAM.", "UnsupportedSourceControl") && !e.hasCode("Forbidden.RiskControl", "Forbidden.AccessKey")
}

// KeyRefused reports whether Direct Mail refused the access key itself, or the
// signature made with it.
func (e *Error) KeyRefused() bool {
	return e.hasCode("InvalidAccessKeyId", "MissingAccessKeyId", "Forbidden.AccessKey", "SignatureDoesNotMatch", "IncompleteSignature",
		"InvalidSecurityToken", "MissingSecurityToken")
}

// ClockRefused reports whether Direct Mail refused the call's timestamp.
func (e *Error) ClockRefused() bool {
	return e.hasCode("InvalidTimeStamp", "InvalidTimestamp", "IllegalTimestamp")
}

func (e *Error) hasCode(prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(e.Code, prefix) })
}

func isUnreachable(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, ok = errors.AsType[*net.DNSError](err)
	return ok
}

// unanswered is the error for an exchange without an answer. Its text is ours:
// that of net/http names hosts and addresses.
func unanswered(ctx context.Context, class Class, err error) *Error {
	message, cause := reason(ctx, class, err)
	return &Error{Class: class, Message: message, Err: cause}
}

func reason(ctx context.Context, class Class, err error) (string, error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return "the caller gave up", context.Canceled
	}
	if errors.Is(err, errProxy) {
		return errProxy.Error(), errProxy
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && ctx.Err() == nil {
		return "the endpoint's name could not be looked up", &net.DNSError{
			Err: "lookup failed", IsNotFound: dns.IsNotFound, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary,
		}
	}
	switch {
	case isTimeout(ctx, err) && class == Retry:
		return "there was no connection in time", context.DeadlineExceeded
	case isTimeout(ctx, err):
		return "there was no answer in time", context.DeadlineExceeded
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error(), errno
	}
	return cmp.Or(tlsReason(err), "the connection failed or was closed"), nil
}

func isTimeout(ctx context.Context, err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || ok && netErr.Timeout()
}

// tlsReason says what is wrong with TLS; it is empty if that is not the cause.
func tlsReason(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the endpoint's certificate is signed by an unknown authority"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the endpoint's certificate is for another host"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the endpoint's certificate has expired, or the clock of this machine is wrong"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the endpoint's certificate is not valid"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the endpoint does not speak TLS"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the endpoint refused the TLS connection"
	}
	return ""
}
