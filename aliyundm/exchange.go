package aliyundm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"go.opentelemetry.io/otel/propagation"
)

// maxAnswer bounds what is read of an answer. Receipts and errors have some
// hundred bytes; only the echo of a string to sign is as long as the mail.
const maxAnswer = 1 << 20

// post makes the exchange: one POST, and the whole answer.
func (c *Client) post(ctx context.Context, form []byte) (int, []byte, *Error) {
	if ctx.Err() != nil {
		return 0, nil, unanswered(ctx, Retry, ctx.Err())
	}
	progress := progress{reports: c.reports}
	r, err := http.NewRequestWithContext(progress.watch(ctx), http.MethodPost, c.url, bytes.NewReader(form))
	if err != nil {
		return 0, nil, unanswered(ctx, Retry, err)
	}
	r.Header = http.Header{
		"Content-Type":    {requests.Form},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {"dmconnector"},
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	r.Header.Del("Tracestate") // what callers' tools wrote there is not Aliyun's business
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, nil, unanswered(ctx, progress.class(err), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		failure := unanswered(ctx, Unknown, err)
		failure.Status = resp.StatusCode
		return 0, nil, failure
	}
	if len(body) > maxAnswer {
		return 0, nil, &Error{Class: Unknown, Status: resp.StatusCode, Message: "the answer is longer than 1 MiB"}
	}
	return resp.StatusCode, body, nil
}

// progress knows how far the transport got with a request.
type progress struct {
	reports bool        // the transport is net/http's, which always reports its progress
	traced  atomic.Bool // the transport reports its progress
	began   atomic.Bool // the request's header is written, so its body, the mail, may be
}

func (p *progress) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { p.traced.Store(true) },
		WroteHeaders: func() { p.began.Store(true) },
	})
}

// class says what a failed exchange means for the mail. A transport of net/http
// has stopped writing for good when it returns an error, and may return one before
// it has begun anything. Another one that reports no progress is believed only
// where the error itself says that nobody was reached.
func (p *progress) class(err error) Class {
	if p.began.Load() || !p.reports && !p.traced.Load() && !isUnreachable(err) {
		return Unknown
	}
	return Retry
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
	if message, ok := tlsReason(err); ok {
		return message, nil
	}
	return "the connection failed or was closed", nil
}

func isTimeout(ctx context.Context, err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || ok && netErr.Timeout()
}

func tlsReason(err error) (string, bool) {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the endpoint's certificate is signed by an unknown authority", true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the endpoint's certificate is for another host", true
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the endpoint's certificate has expired, or the clock of this machine is wrong", true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the endpoint's certificate is not valid", true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the endpoint does not speak TLS", true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the endpoint refused the TLS connection", true
	}
	return "", false
}
