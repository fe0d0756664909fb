package connector_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
	"dmconnector/connector"
)

func TestRoleIsCompletedFromTheEnvironment(t *testing.T) {
	rrsa := map[string]string{
		"ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/mail", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack",
		"ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/token", "ALIBABA_CLOUD_STS_REGION": "cn-hangzhou", "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED": "true",
	}
	tests := map[string]struct {
		credentials string
		environment map[string]string
		want        connector.Role
		problem     string
	}{
		"ecs alone": {`{"type":"ecs_ram_role"}`, nil, connector.Role{Type: "ecs_ram_role"}, ""},
		"ecs with a name": {
			`{"type":"ecs_ram_role"}`,
			map[string]string{"ALIBABA_CLOUD_ECS_METADATA": "mail"},
			connector.Role{Type: "ecs_ram_role", RoleName: "mail"},
			"",
		},
		"ecs forbidden": {
			`{"type":"ecs_ram_role"}`,
			map[string]string{"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "Yes"},
			connector.Role{},
			"/credentials/type: Use oidc_role_arn: ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids",
		},
		"rrsa": {
			`{"type":"oidc_role_arn"}`, rrsa, connector.Role{
				Type: "oidc_role_arn", RoleARN: "acs:ram::1:role/mail", OIDCProviderARN: "acs:ram::1:oidc-provider/ack",
				OIDCTokenFile: "/token", STSEndpoint: "sts-vpc.cn-hangzhou.aliyuncs.com",
			}, "",
		},
		"the file comes first": {
			`{"type":"oidc_role_arn","roleArn":"acs:ram::2:role/other","stsEndpoint":"sts.aliyuncs.com"}`, rrsa, connector.Role{
				Type: "oidc_role_arn", RoleARN: "acs:ram::2:role/other", OIDCProviderARN: "acs:ram::1:oidc-provider/ack",
				OIDCTokenFile: "/token", STSEndpoint: "sts.aliyuncs.com",
			}, "",
		},
		"an invisible character": {
			`{"type":"oidc_role_arn","roleArn":"acs:ram::2:role/ot\u200bher"}`, rrsa,
			connector.Role{},
			"/credentials/roleArn: Copy it again: character 19 is a zero width space (U+200B)",
		},
		"marks and line ends are dropped": {
			`{"type":"ecs_ram_role"}`,
			map[string]string{"ALIBABA_CLOUD_ECS_METADATA": "\ufeffmail\r\n"},
			connector.Role{Type: "ecs_ram_role", RoleName: "mail"},
			"",
		},
		"a bad default": {
			`{"type":"ecs_ram_role"}`,
			map[string]string{"ALIBABA_CLOUD_ECS_METADATA": "a/b"},
			connector.Role{},
			"/credentials/roleName: Enter the name of a RAM role",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			look := func(kind, name string) (string, error) {
				value, ok := tt.environment[name]
				if kind != "env" || !ok {
					return "", errors.New("there is none")
				}
				return value, nil
			}
			data := `{"credentials":` + tt.credentials + `,"accountName":"noreply@mail.example.com","templates":"builtin"}`
			cfg, report := connector.Check([]byte(data), connector.ParseOptions{Resolve: look})
			if tt.problem != "" {
				if len(report.Errors) != 1 || !strings.HasPrefix(report.Errors[0].String(), tt.problem) {
					t.Errorf("got %v", report.Errors)
				}
				return
			}
			if cfg == nil {
				t.Fatal(report.Err())
			}
			if diff := cmp.Diff(&tt.want, cfg.Credentials); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The identity provider's token goes to STS's own hosts, or where the operator says.
func TestSTSEndpointsAreKnownOrAllowed(t *testing.T) {
	resolve := func(_, name string) (string, error) {
		return map[string]string{"ALIBABA_CLOUD_STS_REGION": "cn-mars"}[name], nil
	}
	for endpoint, ok := range map[string]bool{
		"sts.aliyuncs.com": true, "sts.ap-southeast-3.aliyuncs.com": true, "https://sts-vpc.cn-hangzhou.aliyuncs.com": true,
		"": false, "sts-vpc.aliyuncs.com": false, "sts.oss-cn-hangzhou.aliyuncs.com": false, "x.sts.cn-hangzhou.aliyuncs.com": false,
		"sts.cn-hangzhou.aliyuncs.com.evil.example": false, "dm.aliyuncs.com": false, "aliyuncs.com": false, "sts.private.example": true,
		"http://127.0.0.1": true,
	} {
		t.Run(endpoint, func(t *testing.T) {
			data := `{"accountName":"noreply@mail.example.com","templates":"builtin","credentials":{"type":"oidc_role_arn","roleArn":"acs:ram::1:role/mail",
				"oidcProviderArn":"acs:ram::1:oidc-provider/ack","oidcTokenFile":"/token","stsEndpoint":"` + endpoint + `"}}`
			_, report := connector.Check([]byte(data), connector.ParseOptions{Resolve: resolve, Loopback: true, AllowedEndpoints: []string{"sts.private.example"}})
			if len(report.Errors) == 0 != ok {
				t.Error(report.Err())
			}
			if !ok && !strings.HasPrefix(report.Err().Error(), "/credentials/stsEndpoint: Use a host of STS such as sts.cn-hangzhou.aliyuncs.com, or") {
				t.Error(report.Err())
			}
		})
	}
}

func TestRoleIsRefusedWithoutAnEnvironment(t *testing.T) {
	_, report := connector.Check(read(t, "../testdata/connectors/good/role-ecs.json"), connector.ParseOptions{})
	if len(report.Errors) != 1 || report.Errors[0].Pointer != "/credentials" || !strings.Contains(report.Errors[0].Detail, "only be used in connector files") {
		t.Errorf("got %v", report.Errors)
	}
}

// Whatever the config, a client can be made of it, with a role's keys too.
func TestClientOptionsServeEveryConfig(t *testing.T) {
	for _, path := range glob(t, "../testdata/connectors/good/*.json") {
		if _, err := aliyundm.NewClient(parse(t, read(t, path)).ClientOptions()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	key := &connector.Config{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: "token", RegionID: "us-east-1", Endpoint: "http://127.0.0.1:1"}
	ecs := &connector.Config{Credentials: &connector.Role{Type: connector.ECSRole, RoleName: "mail"}}
	oidc := &connector.Config{Credentials: &connector.Role{
		Type: connector.OIDCRole, RoleARN: "role", OIDCProviderARN: "provider", OIDCTokenFile: "/token",
		SessionName: "session", Policy: "policy", STSEndpoint: "sts.example.com",
	}}
	for _, tt := range []struct {
		config *connector.Config
		want   aliyundm.Options
	}{
		{key, aliyundm.Options{Region: "us-east-1", Endpoint: "http://127.0.0.1:1", Credentials: aliyundm.Credentials{AccessKeyID: "id", AccessKeySecret: "secret", SecurityToken: "token"}}},
		{ecs, aliyundm.Options{ECSRole: &aliyundm.ECSRole{Name: "mail"}}},
		{oidc, aliyundm.Options{OIDCRole: &aliyundm.OIDCRole{
			RoleARN: "role", ProviderARN: "provider", TokenFile: "/token", SessionName: "session", Policy: "policy", Endpoint: "sts.example.com",
		}}},
	} {
		if diff := cmp.Diff(tt.want, tt.config.ClientOptions()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}
