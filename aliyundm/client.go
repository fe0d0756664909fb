package aliyundm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Options say where a [Client] sends its mail, and as whom.
type Options struct {
	// Region is the id of a region; empty means [DefaultRegion]. One that is not
	// among [Regions] needs an Endpoint.
	Region string
	// Endpoint overrides the region's host; see [ParseEndpoint].
	Endpoint string
	// Credentials need the access key's id and secret.
	Credentials Credentials
	// Role gives the keys in the place of Credentials, if it is not nil.
	Role *Role
	// HTTP makes the calls; nil means a new [NewHTTPClient]. The client's
	// redirect policy and cookie jar are not used. A transport that is not
	// net/http's should honour httptrace and must not repeat requests by itself.
	HTTP *http.Client
}

// A Client sends mail with one access key, or as one role, in one region. It may be used by many
// goroutines at once.
type Client struct {
	http     *http.Client
	url      string
	region   string
	provider provider // nil with a role
	role     *Role
	reports  bool // http's transport tells how far it got with a request
}

// NewClient checks the options and returns a client. It makes no call.
func NewClient(o Options) (*Client, error) {
	if err := checkKey(o); err != nil {
		return nil, err
	}
	region := cmp.Or(o.Region, DefaultRegion)
	u, err := endpointURL(region, o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.HTTP == nil {
		o.HTTP = NewHTTPClient()
	}
	httpClient := *o.HTTP
	httpClient.CheckRedirect = noRedirect
	httpClient.Jar = nil
	_, standard := httpClient.Transport.(*http.Transport)
	client := &Client{
		http: &httpClient, url: u.String(), region: region, role: o.Role,
		reports: standard || httpClient.Transport == nil,
	}
	if o.Role == nil {
		client.provider = newProvider(o.Credentials)
	}
	return client, nil
}

func checkKey(o Options) error {
	c := o.Credentials
	switch {
	case o.Role != nil && c != Credentials{}:
		return errors.New("access key: a role brings its own")
	case o.Role != nil:
		return nil
	}
	if c.AccessKeyID == "" || c.AccessKeySecret == "" {
		return errors.New("access key: id and secret are needed")
	}
	// A blank that came along when the key was copied makes every signature wrong.
	for _, part := range []string{c.AccessKeyID, c.AccessKeySecret, c.SecurityToken} {
		if strings.TrimSpace(part) != part {
			return errors.New("access key: there are blanks around the id, the secret or the security token")
		}
	}
	return nil
}

func endpointURL(region, endpoint string) (*url.URL, error) {
	known, ok := FindRegion(region)
	switch {
	case !ok && !isToken(region):
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

// SingleSendMail hands one mail to Direct Mail, in one attempt with a fresh nonce
// and timestamp. With a receipt the mail is accepted. The error is an [*Error];
// its class says whether the mail may have been accepted all the same.
//
// Every stage ends with ctx, and the call carries on its trace (W3C Trace Context),
// if there is one. One recipient means one: Direct Mail would take a
// comma in Mail.To as the border between two.
func (c *Client) SingleSendMail(ctx context.Context, m *Mail) (*Receipt, error) {
	if strings.Contains(m.To, ",") {
		return nil, &Error{Class: Recipient, Message: "the recipient is not one address"}
	}
	key, failure := c.key(ctx)
	if failure != nil {
		return nil, failure
	}
	form, err := c.form(newSendRequest(m), key.provider)
	if err != nil {
		return nil, &Error{Class: Operator, Message: "the call could not be signed", Err: err}
	}
	status, body, failure := c.post(ctx, form)
	if failure != nil {
		return nil, failure
	}
	receipt, err := readAnswer(status, body)
	if refusal, ok := errors.AsType[*Error](err); ok {
		c.doubt(key, refusal)
	}
	return receipt, err
}

// key returns what to sign with.
func (c *Client) key(ctx context.Context) (roleKey, *Error) {
	if c.role == nil {
		return roleKey{provider: c.provider}, nil
	}
	return c.role.provide(ctx)
}

// doubt tells a role what Direct Mail thinks of its key.
func (c *Client) doubt(key roleKey, refusal *Error) {
	if c.role != nil {
		c.role.doubt(key, refusal)
	}
}
