package aliyundm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

// The metadata service of an ECS instance. Plain HTTP is all it speaks: its address
// leads nowhere but to the instance's own host.
// https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
const (
	metadataURL     = "http://100.100.100.200"
	tokenPath       = "/latest/api/token" //nolint:gosec // a path
	rolesPath       = "/latest/meta-data/ram/security-credentials/"
	metadataSource  = "the metadata service of the ECS instance"
	metadataTimeout = time.Second // to connect: it is on the same host
	// maxKeyAnswer bounds what is read of an answer with a key.
	maxKeyAnswer = 64 << 10
)

// ECSRoleOptions say whose keys an ECS instance's role gets.
type ECSRoleOptions struct {
	// Name is the RAM role's; empty means the one that the instance has.
	Name string
	// Endpoint overrides the metadata service's http://100.100.100.200, for tests.
	Endpoint string
	// OnFailed, if not nil, is told of each fetch that failed, also where calls go on
	// with the key there is.
	OnFailed func(error)
}

var roleNamePattern = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)

// ValidRoleName reports whether a RAM role can have the name.
func ValidRoleName(name string) bool { return roleNamePattern.MatchString(name) }

// NewECSRole returns the RAM role of the ECS instance that the program runs on. Its
// keys come from the instance's metadata service, by that service's tokens (IMDSv2)
// only, and past every proxy. It makes no call yet.
func NewECSRole(o ECSRoleOptions) (*Role, error) {
	if o.Name != "" && !ValidRoleName(o.Name) {
		return nil, errors.New("role name: must be 1 to 64 letters, digits, dots and hyphens")
	}
	m := metadata{
		url: cmp.Or(strings.TrimSuffix(o.Endpoint, "/"), metadataURL), role: o.Name,
		http: &http.Client{
			CheckRedirect: noRedirect,
			Transport: &http.Transport{
				DialContext:       (&net.Dialer{Timeout: metadataTimeout}).DialContext,
				DisableKeepAlives: true, // it is asked once in hours
			},
		},
	}
	return newRole(o.OnFailed, m.fetch), nil
}

type metadata struct {
	url, role string
	http      *http.Client
}

func (m metadata) fetch(ctx context.Context) (key credentials.Credentials, expires time.Time, failed *Error) {
	token, failed := m.ask(ctx, http.MethodPut, tokenPath, "X-Aliyun-Ecs-Metadata-Token-Ttl-Seconds", "60")
	if failed != nil {
		return key, expires, failed
	}
	role := m.role
	if role == "" {
		if role, failed = m.onlyRole(ctx, token); failed != nil {
			return key, expires, failed
		}
	}
	body, failed := m.ask(ctx, http.MethodGet, rolesPath+role, metadataTokenHeader, token)
	if failed != nil {
		return key, expires, failed
	}
	var answer struct {
		temporary
		Code string `json:"Code"`
	}
	err := json.Unmarshal([]byte(body), &answer)
	if err == nil {
		key, expires, err = answer.read()
	}
	if err != nil || answer.Code != "Success" {
		return key, expires, &Error{Class: Retry, Status: http.StatusOK, Message: "no key for the role: " + metadataSource + " answered without one"}
	}
	return key, expires, nil
}

const metadataTokenHeader = "X-Aliyun-Ecs-Metadata-Token" //nolint:gosec // a header's name

// onlyRole returns the role that the instance has.
func (m metadata) onlyRole(ctx context.Context, token string) (string, *Error) {
	body, failed := m.ask(ctx, http.MethodGet, rolesPath, metadataTokenHeader, token)
	if failed != nil {
		return "", failed
	}
	role := strings.TrimSpace(body)
	if !ValidRoleName(role) {
		return "", &Error{Class: Operator, Status: http.StatusOK, Message: "no key for the role: " + metadataSource + " names no single RAM role"}
	}
	return role, nil
}

// ask makes one call with one header, and returns the answer of a success.
func (m metadata) ask(ctx context.Context, method, path, header, value string) (string, *Error) {
	r, err := http.NewRequestWithContext(ctx, method, m.url+path, http.NoBody)
	if err != nil {
		return "", &Error{Class: Operator, Message: "the metadata service's address is not one"}
	}
	r.Header.Set(header, value)
	status, body, failed := exchange(m.http, r, metadataSource)
	switch {
	case failed != nil:
		return "", failed
	case status == http.StatusOK:
		return string(body), nil
	case status == http.StatusNotFound && path != tokenPath:
		return "", &Error{Class: Operator, Status: status, Message: "no key for the role: the ECS instance has no such RAM role. " +
			"Attach one in the ECS console, and name that one or none in credentials.roleName"}
	case status >= 400 && status < 500 && status != http.StatusTooManyRequests:
		return "", &Error{Class: Operator, Status: status, Message: "no key for the role: " + metadataSource + " refuses to give one"}
	default:
		return "", &Error{Class: Retry, Status: status, Message: "no key for the role: " + metadataSource + " failed"}
	}
}

// readAtMost reads all of r, which must not be longer than limit.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return body, err
}
