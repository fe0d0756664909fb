package aliyundm

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

const (
	stsEndpoint = "sts.aliyuncs.com"
	stsSource   = "STS"
	// keyLife is how long a key is asked for: what every role allows.
	keyLife = time.Hour
	// maxTokenFile keeps a wrong path from filling the memory.
	maxTokenFile = 64 << 10
)

// OIDCRoleOptions say which role is assumed, and by what right.
type OIDCRoleOptions struct {
	RoleARN     string // acs:ram::<account>:role/<name>
	ProviderARN string // acs:ram::<account>:oidc-provider/<name>
	// TokenFile holds the identity provider's token. It is read for each key, as
	// Kubernetes replaces it.
	TokenFile string
	// SessionName is how the calls appear in the audit trail (ActionTrail); empty
	// means "dmconnector".
	SessionName string
	// Policy narrows what the keys may do, in RAM's language; empty means all that the
	// role may.
	Policy string
	// Endpoint overrides sts.aliyuncs.com; see [ParseEndpoint].
	Endpoint string
	// HTTP makes the calls; nil means a new [NewHTTPClient].
	HTTP *http.Client
	// OnFailed, if not nil, is told of each fetch that failed, also where calls go on
	// with the key there is.
	OnFailed func(error)
}

// NewOIDCRole returns the RAM role that a workload may assume by a token of its own
// identity provider, as with RRSA on ACK. Its keys come from STS
// (AssumeRoleWithOIDC). It makes no call yet and reads no file.
func NewOIDCRole(o OIDCRoleOptions) (*Role, error) {
	if o.RoleARN == "" || o.ProviderARN == "" || o.TokenFile == "" {
		return nil, errors.New("OIDC role: the role, the provider and the token's file are needed")
	}
	u, err := ParseEndpoint(cmp.Or(o.Endpoint, stsEndpoint))
	if err != nil {
		return nil, fmt.Errorf("STS endpoint: %w", err)
	}
	if o.HTTP == nil {
		o.HTTP = NewHTTPClient()
	}
	client := *o.HTTP
	client.CheckRedirect, client.Jar = noRedirect, nil
	o.HTTP, o.SessionName = &client, cmp.Or(o.SessionName, "dmconnector")
	return newRole(o.OnFailed, sts{o, *u}.fetch), nil
}

type sts struct {
	OIDCRoleOptions
	url url.URL
}

func (s sts) fetch(ctx context.Context) (key credentials.Credentials, expires time.Time, failed *Error) {
	token, failed := s.token()
	if failed != nil {
		return key, expires, failed
	}
	r, err := s.request(ctx, token)
	if err != nil {
		return key, expires, &Error{Class: Operator, Message: "the call to STS could not be made"}
	}
	status, body, failed := exchange(s.HTTP, r, stsSource)
	if failed != nil {
		return key, expires, failed
	}
	if status != http.StatusOK {
		return key, expires, refusedRole(status, body)
	}
	var answer struct {
		Credentials temporary `json:"Credentials"`
	}
	if err = json.Unmarshal(body, &answer); err == nil {
		key, expires, err = answer.Credentials.read()
	}
	if err != nil {
		return key, expires, &Error{Class: Retry, Status: status, Message: "no key for the role: STS answered without one"}
	}
	return key, expires, nil
}

func (s sts) token() (string, *Error) {
	f, err := os.Open(s.TokenFile)
	if err != nil {
		return "", unreadToken(err)
	}
	text, err := readAtMost(f, maxTokenFile)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", unreadToken(err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", unreadToken(errors.New("it is empty"))
	}
	return token, nil
}

// unreadToken names no file: an operator knows it from the connector's.
func unreadToken(err error) *Error {
	if cause, ok := errors.AsType[*os.PathError](err); ok {
		err = cause.Err
	}
	return &Error{Class: Operator, Message: "no key for the role: the token's file (credentials.oidcTokenFile) cannot be read: " + err.Error()}
}

// request is AssumeRoleWithOIDC, which is not signed: the token is what counts. It
// is in the body, as proxies log URLs.
func (s sts) request(ctx context.Context, token string) (*http.Request, error) {
	form := url.Values{
		"RoleArn": {s.RoleARN}, "OIDCProviderArn": {s.ProviderARN}, "OIDCToken": {token},
		"RoleSessionName": {s.SessionName}, "DurationSeconds": {fmt.Sprint(int(keyLife.Seconds()))},
	}
	if s.Policy != "" {
		form.Set("Policy", s.Policy)
	}
	target := s.url
	target.RawQuery = url.Values{
		"Action": {"AssumeRoleWithOIDC"}, "Version": {"2015-04-01"}, "Format": {"JSON"},
		"Timestamp": {time.Now().UTC().Format(time.RFC3339)}, "SignatureNonce": {rand.Text()},
	}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader([]byte(form.Encode())))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r, nil
}

// refusedRole is STS' refusal. Where it failed, or a stranger answered, it may be
// asked again: no mail has left.
func refusedRole(status int, body []byte) *Error {
	e := parseAnswer(body).refusal(status)
	switch {
	case e.Class == Unknown:
		e.Class = Retry
	case e.Class != Retry:
		e.Class = Operator
	}
	e.Message = "no key for the role: STS refuses it: " + e.Message
	if e.Code == "" {
		e.Message = "no key for the role: the answer is not one of STS'"
	}
	return e
}
