package aliyundm

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A keySource fetches a new key of a RAM role.
type keySource func(context.Context) (temporaryKey, *Error)

// An ECSRole is the RAM role of the ECS instance that the program runs on. Its keys
// come from the instance's metadata service, with that service's tokens (IMDSv2)
// only, and never through a proxy.
// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
type ECSRole struct {
	// Name is the RAM role's; empty means the one that the instance has.
	Name string
	// Endpoint overrides the metadata service's http://100.100.100.200, for tests.
	Endpoint string
}

var roleNamePattern = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)

// ValidRoleName reports whether a RAM role can have the name.
func ValidRoleName(name string) bool { return roleNamePattern.MatchString(name) }

const metadataSource = "the metadata service of the ECS instance"

func (o ECSRole) source() (keySource, error) {
	if o.Name != "" && !ValidRoleName(o.Name) {
		return nil, errors.New("role name: must be 1 to 64 letters, digits, dots and hyphens")
	}
	return metadata{
		// Plain HTTP is all it speaks: the address leads only to the instance's own host.
		url: cmp.Or(strings.TrimSuffix(o.Endpoint, "/"), "http://100.100.100.200"), role: o.Name,
		http: &http.Client{
			CheckRedirect: noRedirect,
			Transport: &http.Transport{
				DialContext:       dialer{timeout: time.Second}.dial,
				DisableKeepAlives: true, // it is asked once in hours
			},
		},
	}.fetch, nil
}

type metadata struct {
	url, role string
	http      *http.Client
}

func (m metadata) fetch(ctx context.Context) (key temporaryKey, failure *Error) {
	const (
		tokenHeader = "X-Aliyun-Ecs-Metadata-Token" //nolint:gosec // a header's name
		roles       = "/latest/meta-data/ram/security-credentials/"
	)
	token, failure := m.ask(ctx, http.MethodPut, "/latest/api/token", tokenHeader+"-Ttl-Seconds", "60")
	if failure != nil {
		return key, failure
	}
	name := m.role
	if name == "" {
		body, failure := m.ask(ctx, http.MethodGet, roles, tokenHeader, string(token))
		if failure != nil {
			return key, failure
		}
		if name = strings.TrimSpace(string(body)); !ValidRoleName(name) {
			return key, noKey(Operator, http.StatusOK, metadataSource+" names no single RAM role")
		}
	}
	body, failure := m.ask(ctx, http.MethodGet, roles+name, tokenHeader, string(token))
	if failure != nil {
		return key, failure
	}
	var answer struct {
		temporaryKey
		Code string `json:"Code"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Code != "Success" || !answer.complete() {
		return key, noKey(Retry, http.StatusOK, metadataSource+" answered without one")
	}
	return answer.temporaryKey, nil
}

// ask makes one call with one header, and returns the answer of a success.
func (m metadata) ask(ctx context.Context, method, path, header, value string) ([]byte, *Error) {
	r, err := http.NewRequestWithContext(ctx, method, m.url+path, http.NoBody)
	if err != nil {
		return nil, noKey(Operator, 0, "the address of "+metadataSource+" is not valid")
	}
	r.Header.Set(header, value)
	status, body, failure := fetchFrom(metadataSource, m.http, r)
	switch {
	case failure != nil:
		return nil, failure
	case status == http.StatusOK:
		return body, nil
	case status == http.StatusNotFound && method == http.MethodGet:
		return nil, noKey(Operator, status, "the ECS instance has no such RAM role. "+
			"Attach one in the ECS console, and name that one or none in credentials.roleName")
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests:
		return nil, noKey(Operator, status, metadataSource+" refuses to give one")
	default:
		return nil, noKey(Retry, status, metadataSource+" failed")
	}
}

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

const keyLife = time.Hour // what every role allows

func (o OIDCRole) source(client *http.Client) (keySource, error) {
	if o.RoleARN == "" || o.ProviderARN == "" || o.TokenFile == "" {
		return nil, errors.New("OIDC role: the role, the provider and the token's file are needed")
	}
	u, err := ParseEndpoint(cmp.Or(o.Endpoint, globalSTS))
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
		text, err = readAll(f)
		err = errors.Join(err, f.Close())
	}
	if cause, ok := errors.AsType[*os.PathError](err); ok {
		err = cause.Err
	}
	token := strings.TrimSpace(strings.TrimPrefix(string(text), "\uFEFF"))
	at := strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
	switch {
	case err != nil:
	case token == "":
		err = errors.New("it is empty")
	case at >= 0:
		err = fmt.Errorf("save the token alone, as UTF-8: character %d is not a token's", utf8.RuneCountInString(token[:at])+1)
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

// A temporaryKey is a key as the metadata service and STS give it.
type temporaryKey struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	AccessKeySecret string    `json:"AccessKeySecret"`
	SecurityToken   string    `json:"SecurityToken"`
	Expiration      time.Time `json:"Expiration"`
}

func (k temporaryKey) complete() bool {
	return k.AccessKeyID != "" && k.AccessKeySecret != "" && k.SecurityToken != "" && !k.Expiration.IsZero()
}

func noKey(class Class, status int, message string) *Error {
	return &Error{Class: class, Status: status, Message: "no key for the role: " + message}
}

// fetchFrom makes one of the calls that fetch a key. It may be tried again if
// source does not answer, as no mail has left.
func fetchFrom(source string, client *http.Client, r *http.Request) (status int, body []byte, failure *Error) {
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", "dmconnector")
	resp, err := client.Do(r.WithContext(setUpInTime(r.Context())))
	if err == nil {
		defer resp.Body.Close()
		body, err = readAll(resp.Body)
	}
	if err != nil {
		message, cause := reason(r.Context(), Retry, err)
		failure = noKey(Retry, 0, source+" did not answer: "+message)
		failure.Err = cause
		return 0, nil, failure
	}
	return resp.StatusCode, body, nil
}

// readAll reads a token's file or an answer with a key, as far as a wrong path or
// server does not fill the memory.
func readAll(r io.Reader) ([]byte, error) {
	const limit = 64 << 10
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && len(body) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return body, err
}
