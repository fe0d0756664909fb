package connector

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"dmconnector/aliyundm"
	"dmconnector/internal/plaintext"
	"dmconnector/internal/words"
)

// The types of a [Role], by the names that Aliyun's own tools use.
const (
	ECSRole  = "ecs_ram_role"  // the role of the ECS instance that the program runs on
	OIDCRole = "oidc_role_arn" // a role that a workload may assume with its identity provider's token, as with RRSA on ACK
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

// A roleMember is one member of a [Role]: for which type it is, where its default
// comes from, and what it must look like.
type roleMember struct {
	name, roleType string
	value          *string
	variable       string // of the environment
	required       string // what to enter; empty: it may be left out
	ok             func(string) bool
	advice         string
}

func (r *Role) members() []roleMember {
	matches := func(pattern string) func(string) bool { return regexp.MustCompile(pattern).MatchString }
	return []roleMember{
		{"roleName", ECSRole, &r.RoleName, "ALIBABA_CLOUD_ECS_METADATA", "", aliyundm.ValidRoleName, "Enter the name of a RAM role: 1 to 64 letters, digits, dots and hyphens"},
		{"roleArn", OIDCRole, &r.RoleARN, "ALIBABA_CLOUD_ROLE_ARN", "the role to assume", matches(`^acs:ram::[0-9]+:role/[A-Za-z0-9._/-]+$`), "Enter an ARN such as acs:ram::1234567890123456:role/mail"},
		{"oidcProviderArn", OIDCRole, &r.OIDCProviderARN, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "the identity provider", matches(`^acs:ram::[0-9]+:oidc-provider/[A-Za-z0-9._-]+$`), "Enter an ARN such as acs:ram::1234567890123456:oidc-provider/ack-rrsa"},
		{"oidcTokenFile", OIDCRole, &r.OIDCTokenFile, "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "the file with the identity provider's token", filepath.IsAbs, "Enter an absolute path"},
		{"sessionName", OIDCRole, &r.SessionName, "ALIBABA_CLOUD_ROLE_SESSION_NAME", "", matches(`^[A-Za-z0-9.@_-]{2,64}$`), "Enter 2 to 64 letters, digits, and . @ - _"},
		{name: "policy", roleType: OIDCRole, value: &r.Policy},
		{name: "stsEndpoint", roleType: OIDCRole, value: &r.STSEndpoint},
	}
}

// checkCredentials checks that mail is sent with an access key or as a role, and
// completes the role.
func checkCredentials(cfg *Config, opts ParseOptions, report *Report) {
	role := cfg.Credentials
	if role == nil || report.covers("/credentials") {
		return
	}
	for _, field := range cfg.keyFields() {
		if *field.value != "" {
			report.errorf(field.pointer, "Remove it, or remove credentials: the two cannot be combined")
		}
	}
	// Through the API somebody who may only change connectors would act as the machine.
	if opts.Resolve == nil {
		report.errorf("/credentials", "Enter accessKeyId and accessKeySecret instead: credentials may only be used in connector files, not through the API")
		return
	}
	if types := []string{ECSRole, OIDCRole}; !slices.Contains(types, role.Type) {
		if !report.covers("/credentials/type") {
			oneOf("/credentials/type", role.Type, types, report)
		}
		return
	}
	environment := func(name string) string {
		value, err := opts.Resolve("env", name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(value)
	}
	for _, m := range role.members() {
		m.check(role.Type, environment, report)
	}
	if role.Type == ECSRole {
		if disabled, _ := words.Bool(environment("ALIBABA_CLOUD_ECS_METADATA_DISABLED")); disabled {
			report.errorf("/credentials/type", "Use %s: ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids asking for the instance's role", OIDCRole)
		}
		return
	}
	if region := environment("ALIBABA_CLOUD_STS_REGION"); region != "" {
		host := "sts."
		if vpc, _ := words.Bool(environment("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED")); vpc {
			host = "sts-vpc."
		}
		role.STSEndpoint = cmp.Or(role.STSEndpoint, host+region+".aliyuncs.com")
	}
	checkHost("/credentials/stsEndpoint", role.STSEndpoint, aliyundm.IsSTSHost, "STS such as sts.cn-hangzhou.aliyuncs.com", opts, report)
}

// check fills in the member's default, and reports what is wrong with it.
func (m roleMember) check(roleType string, environment func(string) string, report *Report) {
	pointer := "/credentials/" + m.name
	if report.covers(pointer) {
		return
	}
	if m.roleType != roleType {
		if *m.value != "" {
			report.errorf(pointer, "Remove it: it is for the type %s", m.roleType)
		}
		return
	}
	if *m.value == "" && m.variable != "" {
		*m.value = environment(m.variable)
	}
	if *m.value != "" && m.ok != nil {
		text, err := plaintext.Line(*m.value)
		if err != nil {
			report.errorf(pointer, "Copy it again: %v", err)
			return
		}
		*m.value = text
	}
	switch {
	case *m.value == "" && m.required != "":
		report.errorf(pointer, "Enter %s, here or in the environment variable %s", m.required, m.variable)
	case *m.value != "" && m.ok != nil && !m.ok(*m.value):
		report.errorf(pointer, "%s", m.advice)
	}
}
