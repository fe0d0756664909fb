package connector_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
			map[string]string{"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"},
			connector.Role{},
			"/credentials/type: is the instance's role, and ALIBABA_CLOUD_ECS_METADATA_DISABLED forbids",
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
		"a bad default": {
			`{"type":"ecs_ram_role"}`,
			map[string]string{"ALIBABA_CLOUD_ECS_METADATA": "a/b"},
			connector.Role{},
			"/credentials/roleName: must be the name of a RAM role",
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
			cfg, report := connector.ParseConfig([]byte(data), connector.ParseOptions{Resolve: look})
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

func TestRoleIsRefusedWithoutAnEnvironment(t *testing.T) {
	_, report := connector.ParseConfig(read(t, "../testdata/connectors/good/role-ecs.json"), connector.ParseOptions{})
	if len(report.Errors) != 1 || report.Errors[0].Pointer != "/credentials" || !strings.Contains(report.Errors[0].Detail, "operators' files only") {
		t.Errorf("got %v", report.Errors)
	}
}
