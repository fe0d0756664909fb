package main

import (
	"crypto/rand"
	"log/slog"
	"net/http"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
)

// newRole makes the role that a connector sends as.
func newRole(role *connector.Role, transport *http.Client, log *slog.Logger) (*aliyundm.Role, error) {
	failed := func(err error) { log.Warn("a role's key could not be fetched", "error", err) }
	if role.Type == connector.ECSRole {
		return aliyundm.NewECSRole(aliyundm.ECSRoleOptions{Name: role.RoleName, OnFailed: failed})
	}
	return aliyundm.NewOIDCRole(aliyundm.OIDCRoleOptions{
		RoleARN: role.RoleARN, ProviderARN: role.OIDCProviderARN, TokenFile: role.OIDCTokenFile,
		SessionName: role.SessionName, Policy: role.Policy, Endpoint: role.STSEndpoint,
		HTTP: transport, OnFailed: failed,
	})
}

// newStandIn makes the temporary key that connectors with a role send with to the
// sandbox. Where one tries things out there need be no role, and a real one's keys
// are none of the sandbox's business.
func newStandIn() aliyundm.Credentials {
	return aliyundm.Credentials{AccessKeyID: "STS." + rand.Text(), AccessKeySecret: rand.Text(), SecurityToken: rand.Text()}
}

// account is what the sandbox knows of a connector.
func (s *localSandbox) account(cfg *connector.Config) sandbox.Account {
	key := s.credentials(cfg)
	return sandbox.Account{
		AccessKeyID: key.AccessKeyID, AccessKeySecret: key.AccessKeySecret, SecurityToken: key.SecurityToken,
		Senders: []string{cfg.AccountName},
	}
}

// credentials are what a connector sends with to the sandbox.
func (s *localSandbox) credentials(cfg *connector.Config) aliyundm.Credentials {
	if cfg.Credentials != nil {
		return s.standIn
	}
	return keyOf(cfg)
}

func keyOf(cfg *connector.Config) aliyundm.Credentials {
	return aliyundm.Credentials{
		AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret), SecurityToken: string(cfg.SecurityToken),
	}
}
