package aliyundm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

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

// source returns what fetches the role's keys.
func (o ECSRole) source() (func(context.Context) (temporaryKey, *Error), error) {
	if o.Name != "" && !ValidRoleName(o.Name) {
		return nil, errors.New("role name: must be 1 to 64 letters, digits, dots and hyphens")
	}
	return metadata{
		// Plain HTTP is all it speaks: the address leads only to the instance's own host.
		url: cmp.Or(strings.TrimSuffix(o.Endpoint, "/"), "http://100.100.100.200"), role: o.Name,
		http: &http.Client{
			CheckRedirect: noRedirect,
			Transport: &http.Transport{
				DialContext:       (&net.Dialer{Timeout: time.Second}).DialContext,
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
