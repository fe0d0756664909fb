package aliyundm

import (
	"fmt"
	"log/slog"
	"strings"
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

// Throttled reports whether Direct Mail refused the call for coming too fast, as
// against a [Retry] for which nobody was reached: that has no Code.
func (e *Error) Throttled() bool { return isThrottling(e.Code) && e.Class == Retry }

func isThrottling(code string) bool {
	return strings.HasPrefix(code, "Throttling") || code == "InvalidSendSms"
}
