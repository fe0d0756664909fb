package connector

import (
	"cmp"
	"path/filepath"
	"regexp"
	"strings"

	"dmconnector/aliyundm"
)

// The types of a [Role], by the names that Aliyun's own tools use.
const (
	ECSRole  = "ecs_ram_role"  // the role of the ECS instance that the program runs on
	OIDCRole = "oidc_role_arn" // a role that a workload may assume by its identity provider's token, as with RRSA on ACK
)

// A Role is a RAM role whose temporary keys are used instead of an access key. What
// is left out comes from the environment, under the names of Aliyun's own tools.
type Role struct {
	Type string `json:"type"`

	RoleName string `json:"roleName,omitempty"` // of ecs_ram_role; empty is the one that the instance has

	RoleARN         string `json:"roleArn,omitempty"` // this and the rest are of oidc_role_arn
	OIDCProviderARN string `json:"oidcProviderArn,omitempty"`
	OIDCTokenFile   string `json:"oidcTokenFile,omitempty"`
	SessionName     string `json:"sessionName,omitempty"`
	Policy          string `json:"policy,omitempty"`
	STSEndpoint     string `json:"stsEndpoint,omitempty"`
}

// ClientOptions returns what [aliyundm.NewClient] needs to send as the config says,
// with an access key or as a role.
func (c *Config) ClientOptions() aliyundm.Options {
	o := aliyundm.Options{Region: c.RegionID, Endpoint: c.Endpoint}
	switch r := c.Credentials; {
	case r == nil:
		o.Credentials = aliyundm.Credentials{
			AccessKeyID: c.AccessKeyID, AccessKeySecret: string(c.AccessKeySecret), SecurityToken: string(c.SecurityToken),
		}
	case r.Type == ECSRole:
		o.ECSRole = &aliyundm.ECSRole{Name: r.RoleName}
	default:
		o.OIDCRole = &aliyundm.OIDCRole{
			RoleARN: r.RoleARN, ProviderARN: r.OIDCProviderARN, TokenFile: r.OIDCTokenFile,
			SessionName: r.SessionName, Policy: r.Policy, Endpoint: r.STSEndpoint,
		}
	}
	return o
}

// A roleMember is one member of a [Role]: for which type it is, where its default
// comes from, and what it must look like.
type roleMember struct {
	name, of string
	value    *string
	variable string // of the environment
	required string // what it must be; empty: it may be left out
	pattern  *regexp.Regexp
	wanted   string
}

var (
	roleARNPattern     = regexp.MustCompile(`^acs:ram::[0-9]+:role/[A-Za-z0-9._/-]+$`)
	providerARNPattern = regexp.MustCompile(`^acs:ram::[0-9]+:oidc-provider/[A-Za-z0-9._-]+$`)
	sessionPattern     = regexp.MustCompile(`^[A-Za-z0-9.@_-]{2,64}$`)
	roleNamePattern    = regexp.MustCompile(`^[A-Za-z0-9.-]{1,64}$`)
)

func (r *Role) members() []roleMember {
	return []roleMember{
		{"roleName", ECSRole, &r.RoleName, "ALIBABA_CLOUD_ECS_METADATA", "", roleNamePattern, "the name of a RAM role: 1 to 64 letters, digits, dots and hyphens"},
		{"roleArn", OIDCRole, &r.RoleARN, "ALIBABA_CLOUD_ROLE_ARN", "the role to assume", roleARNPattern, "an ARN such as acs:ram::1234567890123456:role/mail"},
		{"oidcProviderArn", OIDCRole, &r.OIDCProviderARN, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "the identity provider", providerARNPattern, "an ARN such as acs:ram::1234567890123456:oidc-provider/ack-rrsa"},
		{"oidcTokenFile", OIDCRole, &r.OIDCTokenFile, "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "the file with the identity provider's token", nil, ""},
		{"sessionName", OIDCRole, &r.SessionName, "ALIBABA_CLOUD_ROLE_SESSION_NAME", "", sessionPattern, "2 to 64 letters, digits, and . @ - _"},
		{"policy", OIDCRole, &r.Policy, "", "", nil, ""},
		{"stsEndpoint", OIDCRole, &r.STSEndpoint, "", "", nil, ""},
	}
}

// checkCredentials checks that mail is sent with an access key or as a role, and
// completes the role.
func checkCredentials(cfg *Config, opts ParseOptions, report *Report) {
	role := cfg.Credentials
	if role == nil || report.covers("/credentials") {
		return
	}
	for _, key := range []struct{ pointer, value string }{
		{"/accessKeyId", cfg.AccessKeyID},
		{"/accessKeySecret", string(cfg.AccessKeySecret)},
		{"/securityToken", string(cfg.SecurityToken)},
	} {
		if key.value != "" {
			report.errorf(key.pointer, "stands beside credentials, which bring keys of their own: give the one or the other")
		}
	}
	// Through the API somebody who may only change connectors would act as the machine.
	if opts.Resolve == nil {
		report.errorf("/credentials", "are the rights of the machine, and read in operators' files only: give accessKeyId and accessKeySecret")
		return
	}
	role.check(opts, report)
}

func (r *Role) check(opts ParseOptions, report *Report) {
	if r.Type != ECSRole && r.Type != OIDCRole {
		if !report.covers("/credentials/type") {
			report.errorf("/credentials/type", "must be one of: %s, %s", ECSRole, OIDCRole)
		}
		return
	}
	for _, m := range r.members() {
		m.complete(r.Type, opts.Resolve, report)
	}
	if r.Type == ECSRole {
		if environment(opts.Resolve, "ALIBABA_CLOUD_ECS_METADATA_DISABLED") == "true" {
			report.errorf("/credentials/type", "is the instance's role, and ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids to ask for it")
		}
		return
	}
	if r.OIDCTokenFile != "" && !filepath.IsAbs(r.OIDCTokenFile) {
		report.errorf("/credentials/oidcTokenFile", "must be an absolute path")
	}
	r.STSEndpoint = cmp.Or(r.STSEndpoint, regionalSTS(opts.Resolve))
	if r.STSEndpoint == "" || report.covers("/credentials/stsEndpoint") {
		return
	}
	if complaint := endpointComplaint(r.STSEndpoint, opts.AllowedEndpoints); complaint != "" {
		report.errorf("/credentials/stsEndpoint", "%s", complaint)
	}
}

// complete fills the member's default in, and reports what is wrong with it.
func (m roleMember) complete(kind string, look func(kind, name string) (string, error), report *Report) {
	pointer := "/credentials/" + m.name
	switch {
	case report.covers(pointer):
		return
	case m.of != kind:
		if *m.value != "" {
			report.errorf(pointer, "is for the type %s", m.of)
		}
		return
	case *m.value == "" && m.variable != "":
		*m.value = environment(look, m.variable)
	}
	switch {
	case *m.value == "" && m.required != "":
		report.errorf(pointer, "is missing: it must be %s, here or in the environment variable %s", m.required, m.variable)
	case *m.value != "" && m.pattern != nil && !m.pattern.MatchString(*m.value):
		report.errorf(pointer, "must be %s", m.wanted)
	}
}

// regionalSTS is where STS is asked as the environment has it; empty is the world's.
func regionalSTS(look func(kind, name string) (string, error)) string {
	region := environment(look, "ALIBABA_CLOUD_STS_REGION")
	if region == "" {
		return ""
	}
	if strings.EqualFold(environment(look, "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED"), "true") {
		return "sts-vpc." + region + ".aliyuncs.com"
	}
	return "sts." + region + ".aliyuncs.com"
}

func environment(look func(kind, name string) (string, error), name string) string {
	value, err := look("env", name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(value)
}
