package aliyundm

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// An OIDCRole is a RAM role that a workload may assume with a token of its own
// identity provider, as with RRSA on ACK. Its keys come from STS
// (AssumeRoleWithOIDC).
type OIDCRole struct {
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
}

const (
	keyLife      = time.Hour // what every role allows
	maxTokenFile = 64 << 10  // keeps a wrong path from filling the memory
)

// source returns what fetches the role's keys.
func (o OIDCRole) source(client *http.Client) (func(context.Context) (temporaryKey, *Error), error) {
	if o.RoleARN == "" || o.ProviderARN == "" || o.TokenFile == "" {
		return nil, errors.New("OIDC role: the role, the provider and the token's file are needed")
	}
	u, err := ParseEndpoint(cmp.Or(o.Endpoint, "sts.aliyuncs.com"))
	if err != nil {
		return nil, fmt.Errorf("STS endpoint: %w", err)
	}
	return sts{o, *u, client}.fetch, nil
}

type sts struct {
	OIDCRole
	url  url.URL
	http *http.Client
}

// fetch calls AssumeRoleWithOIDC, which is not signed: the token is what counts. It
// is in the body, as proxies log URLs.
func (s sts) fetch(ctx context.Context) (key temporaryKey, failure *Error) {
	token, err := s.token()
	if err != nil {
		return key, noKey(Operator, 0, "the token's file (credentials.oidcTokenFile) cannot be read: "+err.Error())
	}
	form := url.Values{
		"RoleArn": {s.RoleARN}, "OIDCProviderArn": {s.ProviderARN}, "OIDCToken": {token},
		"RoleSessionName": {cmp.Or(s.SessionName, "dmconnector")},
		"DurationSeconds": {strconv.Itoa(int(keyLife.Seconds()))},
	}
	if s.Policy != "" {
		form.Set("Policy", s.Policy)
	}
	s.url.RawQuery = url.Values{
		"Action": {"AssumeRoleWithOIDC"}, "Version": {"2015-04-01"}, "Format": {"JSON"},
		"Timestamp": {time.Now().UTC().Format(time.RFC3339)}, "SignatureNonce": {rand.Text()},
	}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return key, noKey(Operator, 0, "the call to STS could not be made")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body, failure := fetchFrom("STS", s.http, r)
	if failure != nil {
		return key, failure
	}
	if status != http.StatusOK {
		return key, stsError(status, body)
	}
	var answer struct {
		Credentials temporaryKey `json:"Credentials"`
	}
	if json.Unmarshal(body, &answer) != nil || !answer.Credentials.complete() {
		return key, noKey(Retry, status, "STS answered without one")
	}
	return answer.Credentials, nil
}

// token reads the token's file. Errors do not name it: an operator knows it from
// the connector's file.
func (s sts) token() (string, error) {
	var text []byte
	f, err := os.Open(s.TokenFile)
	if err == nil {
		text, err = readAtMost(f, maxTokenFile)
		err = errors.Join(err, f.Close())
	}
	if cause, ok := errors.AsType[*os.PathError](err); ok {
		err = cause.Err
	}
	token := strings.TrimSpace(string(text))
	if err == nil && token == "" {
		err = errors.New("it is empty")
	}
	return token, err
}

// stsError may be tried again if STS failed, or did not answer itself: no mail has
// left.
func stsError(status int, body []byte) *Error {
	e := parseAnswer(status, body).failure()
	switch {
	case e.Class == Unknown:
		e.Class = Retry
	case e.Class != Retry:
		e.Class = Operator
	}
	if e.Code == "" {
		e.Message = "no key for the role: the answer is not one of STS'"
	} else {
		e.Message = "no key for the role: STS refuses it: " + e.Message
	}
	return e
}
