package aliyundm

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/signers"
	"go.opentelemetry.io/otel/propagation"
)

// Options say where a [Client] sends its mail, and as whom: exactly one of
// Credentials, ECSRole and OIDCRole must be set.
type Options struct {
	// Region is the id of a region; empty means [DefaultRegion]. One that is not
	// among [Regions] needs an Endpoint.
	Region string
	// Endpoint overrides the region's host; see [ParseEndpoint].
	Endpoint string

	Credentials Credentials
	ECSRole     *ECSRole
	OIDCRole    *OIDCRole
	// OnKeyError, if not nil, is called with each error of fetching a role's key,
	// even if calls go on with the key that is still valid.
	OnKeyError func(error)

	// HTTP makes the calls; nil means a new [NewHTTPClient]. The client's
	// redirect policy and cookie jar are not used. A transport that is not
	// net/http's should honour httptrace and must not repeat requests by itself.
	HTTP *http.Client
}

// A Client sends mail with one access key, or as one RAM role, in one region. It
// is safe for concurrent use and needs no closing.
type Client struct {
	http   *http.Client
	url    *url.URL
	region string
	key    func(context.Context) (Credentials, *Error) // a function, because printing one shows no secret
	role   *role                                       // nil with an access key
	ahead  *atomic.Int64                               // how far Direct Mail's clock is, in nanoseconds
}

// NewClient checks the options and returns a client. It makes no call.
func NewClient(o Options) (*Client, error) {
	region := cmp.Or(o.Region, DefaultRegion)
	u, err := endpointOf(region, o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.HTTP == nil {
		o.HTTP = NewHTTPClient()
	}
	httpClient := *o.HTTP
	httpClient.CheckRedirect = noRedirect
	httpClient.Jar = nil
	c := &Client{http: &httpClient, url: u, region: region, ahead: new(atomic.Int64)}
	c.key = func(context.Context) (Credentials, *Error) { return o.Credentials, nil }
	var fetch keySource
	switch hasKey := o.Credentials != (Credentials{}); {
	case hasKey && (o.ECSRole != nil || o.OIDCRole != nil), o.ECSRole != nil && o.OIDCRole != nil:
		return nil, errors.New("give one of an access key, an ECS role and an OIDC role")
	case o.ECSRole != nil:
		fetch, err = o.ECSRole.source()
	case o.OIDCRole != nil:
		fetch, err = o.OIDCRole.source(&httpClient)
	default:
		err = o.Credentials.check()
	}
	if err != nil {
		return nil, err
	}
	if fetch != nil {
		c.role = &role{fetch: fetch, onError: o.OnKeyError, now: time.Now}
		c.key = c.role.credentials
	}
	return c, nil
}

func endpointOf(region, endpoint string) (*url.URL, error) {
	known, ok := FindRegion(region)
	switch {
	case !ok && !regionPattern.MatchString(region):
		return nil, errors.New("region: must have letters, digits and hyphens only")
	case !ok && endpoint == "":
		return nil, fmt.Errorf("region: %s is not one of Direct Mail's, and no endpoint is given", region)
	}
	u, err := ParseEndpoint(cmp.Or(endpoint, known.Endpoint))
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	return u, nil
}

// Region returns the id of the region that the client's calls name.
func (c *Client) Region() string { return c.region }

// Host returns the endpoint's host, with its port if it names one.
func (c *Client) Host() string { return c.url.Host }

// In returns a client with the same key for another region. It calls that
// region's endpoint, unless this client's endpoint is not one of Direct Mail's: a
// sandbox stands in for all regions, and the key must go to no other host.
func (c *Client) In(region Region) *Client {
	other := *c
	other.region = region.ID
	for _, known := range Regions() {
		if c.url.Host == known.Endpoint || c.url.Host == known.VPCEndpoint {
			other.url = &url.URL{Scheme: "https", Host: region.Endpoint, Path: "/"}
		}
	}
	return &other
}

// SingleSendMail hands one mail to Direct Mail, in one attempt with a fresh nonce
// and timestamp, or two if this machine's clock is wrong. With a receipt the mail is accepted. The error is an [*Error];
// its class says whether the mail may have been accepted all the same.
//
// Every step ends when ctx does, and the call carries the trace of ctx (W3C Trace
// Context), if there is one. Mail.To must be one address: Direct Mail would take a
// comma in it as the border between two.
func (c *Client) SingleSendMail(ctx context.Context, m *Mail) (*Receipt, error) {
	if strings.Contains(m.To, ",") {
		return nil, &Error{Class: Recipient, Message: "the recipient is not one address"}
	}
	a, failure := c.call(ctx, "SingleSendMail", map[string]string{
		"AddressType": "1", "ReplyToAddress": "false",
		"AccountName": m.AccountName, "FromAlias": m.FromAlias, "ReplyAddress": m.ReplyAddress,
		"ToAddress": m.To, "Subject": m.Subject, "HtmlBody": m.HTMLBody, "TextBody": m.TextBody,
		"TagName": m.TagName,
	})
	if failure != nil {
		return nil, failure
	}
	if a.status != http.StatusOK || a.EnvID == "" || a.RequestID == "" {
		return nil, a.failure()
	}
	return &Receipt{EnvID: string(a.EnvID), RequestID: uuid(a.RequestID)}, nil
}

// call signs one call, makes it in one attempt and reads the answer, which may be
// an error of Direct Mail's. A call that is refused for its timestamp is made once more
// with the time of the answer: this machine's clock may be wrong.
func (c *Client) call(ctx context.Context, action string, parameters map[string]string) (answer, *Error) {
	key, failure := c.key(ctx)
	if failure != nil {
		return answer{}, failure
	}
	for attempt := 1; ; attempt++ {
		now := time.Now().Round(0)
		status, body, date, failure := c.post(ctx, sign(action, c.region, key, parameters, now.Add(time.Duration(c.ahead.Load()))))
		if failure != nil {
			return answer{}, failure
		}
		a := parseAnswer(status, body)
		if attempt == 1 && status != http.StatusOK && !date.IsZero() && a.failure().ClockRefused() {
			c.ahead.Store(int64(date.Sub(now)))
			continue
		}
		if c.role != nil && status != http.StatusOK {
			c.role.refused(key, string(a.Code))
		}
		return a, nil
	}
}

// sign returns the call as the form to be posted, signed with version 1.0 of
// Aliyun's RPC signature. The SDK's own auth.Sign is for tests to compare with: it
// prints the whole stack to make its nonce.
// https://www.alibabacloud.com/help/en/direct-mail/signature
func sign(action, region string, key Credentials, parameters map[string]string, at time.Time) string {
	form := url.Values{
		"Action": {action}, "Version": {"2015-11-23"}, "Format": {"JSON"}, "RegionId": {region},
		"AccessKeyId": {key.AccessKeyID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {rand.Text()}, "Timestamp": {at.UTC().Format("2006-01-02T15:04:05Z")},
	}
	if key.SecurityToken != "" {
		form.Set("SecurityToken", key.SecurityToken)
	}
	for name, value := range parameters {
		if value != "" {
			// Direct Mail would replace what is not UTF-8 before it recomputes the
			// signature, and blame the key.
			form.Set(name, strings.ToValidUTF8(value, "\uFFFD"))
		}
	}
	// Mails may be long, so the texts are made without copies.
	size := len("&Signature=") + 3*28 // of a SHA-1 in base64
	for name := range form {
		size += len(name) + len("=&") + encodedLength(form.Get(name))
	}
	var canonical, signed strings.Builder
	canonical.Grow(size)
	for i, name := range slices.Sorted(maps.Keys(form)) {
		if i > 0 {
			canonical.WriteByte('&')
		}
		canonical.WriteString(name + "=")
		percentEncode(&canonical, form.Get(name))
	}
	signed.Grow(len("POST&%2F&") + encodedLength(canonical.String()))
	signed.WriteString("POST&%2F&")
	percentEncode(&signed, canonical.String())
	signer := signers.NewAccessKeySigner(credentials.NewAccessKeyCredential(key.AccessKeyID, key.AccessKeySecret))
	signature := signer.Sign(signed.String(), "&")
	canonical.WriteString("&Signature=")
	percentEncode(&canonical, signature)
	return canonical.String()
}

// percentEncode writes s as Aliyun's signature wants it.
func percentEncode(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	from := 0
	for i := range len(s) {
		if c := s[i]; !isUnreserved(c) {
			b.WriteString(s[from:i])
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			from = i + 1
		}
	}
	b.WriteString(s[from:])
}

func encodedLength(s string) int {
	n := len(s)
	for i := range len(s) {
		if !isUnreserved(s[i]) {
			n += 2
		}
	}
	return n
}

// isUnreserved reports whether a byte is written as it is (RFC 3986, section 2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

// maxAnswer bounds what is read of an answer. Receipts and errors have some
// hundred bytes; only the echo of a string to sign is as long as the mail.
const maxAnswer = 1 << 20

// post makes the exchange: one POST, and the whole answer.
func (c *Client) post(ctx context.Context, form string) (status int, body []byte, date time.Time, failure *Error) {
	if ctx.Err() != nil {
		return 0, nil, date, unanswered(ctx, Retry, ctx.Err())
	}
	// Once the header is written, the body, which is the mail, may be as well.
	var traced, wroteHeader atomic.Bool
	watched := httptrace.WithClientTrace(setUpInTime(ctx), &httptrace.ClientTrace{
		GetConn:      func(string) { traced.Store(true) },
		WroteHeaders: func() { wroteHeader.Store(true) },
	})
	r, err := http.NewRequestWithContext(watched, http.MethodPost, c.url.String(), strings.NewReader(form))
	if err != nil {
		return 0, nil, date, unanswered(ctx, Retry, err)
	}
	r.Header = http.Header{
		"Content-Type":    {"application/x-www-form-urlencoded"},
		"Accept-Encoding": {"identity"},
		"User-Agent":      {"dmconnector"},
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	r.Header.Del("Tracestate") // what callers' tools wrote there does not concern Aliyun
	resp, err := c.http.Do(r)
	if err != nil {
		// A transport of net/http has stopped writing for good when it returns an error,
		// and may return one before it has begun anything. Another one that does not
		// report its progress is believed only if the error itself says that nobody was
		// reached.
		_, standard := c.http.Transport.(*http.Transport)
		reports := standard || c.http.Transport == nil || traced.Load()
		if wroteHeader.Load() || !reports && !isUnreachable(err) {
			return 0, nil, date, unanswered(ctx, Unknown, err)
		}
		return 0, nil, date, unanswered(ctx, Retry, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		failure = unanswered(ctx, Unknown, err)
		failure.Status = resp.StatusCode
		return 0, nil, date, failure
	}
	if len(body) > maxAnswer {
		return 0, nil, date, &Error{Class: Unknown, Status: resp.StatusCode, Message: "the answer is longer than 1 MiB"}
	}
	date, _ = http.ParseTime(resp.Header.Get("Date"))
	return resp.StatusCode, body, date, nil
}
