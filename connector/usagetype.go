package connector

// The usage types of Logto 1.42 (connector-kit's TemplateType). A message may
// carry any other string too; the template of [Generic] then serves it.
const (
	SignIn                   = "SignIn"
	Register                 = "Register"
	ForgotPassword           = "ForgotPassword"
	OrganizationInvitation   = "OrganizationInvitation"
	Generic                  = "Generic"
	UserPermissionValidation = "UserPermissionValidation"
	BindNewIdentifier        = "BindNewIdentifier"
	MfaVerification          = "MfaVerification"
	BindMfa                  = "BindMfa"
)

// UsageTypes lists all nine, in Logto's order.
func UsageTypes() []string {
	return []string{
		SignIn, Register, ForgotPassword, OrganizationInvitation, Generic,
		UserPermissionValidation, BindNewIdentifier, MfaVerification, BindMfa,
	}
}

// RequiredUsageTypes lists those that a connector must have a template for, as
// Logto's own connector demands.
func RequiredUsageTypes() []string {
	return []string{Register, SignIn, ForgotPassword, Generic}
}
