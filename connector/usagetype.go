package connector

import (
	"maps"
	"slices"
	"strings"
)

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

// A UsageType is what a mail of Logto's is for.
type UsageType struct {
	Name string
	// Purpose says it in a few words, such as "Password reset".
	Purpose string
	// Required is a type that a connector must have a template for, as Logto's own
	// connector demands.
	Required bool
	// Urgent is a type whose mail a user is blocked waiting for (sign-in, password
	// reset, MFA).
	Urgent bool
	// Variables are those that Logto may send with it, without their members. Nil
	// means any, as the program that invites chooses them.
	Variables []string

	sample []string // the variables of SampleMessage
}

// MayHave reports whether Logto may send the variable, such as "user.name".
func (u *UsageType) MayHave(variable string) bool {
	root, _, _ := strings.Cut(variable, ".")
	return u.Variables == nil || slices.Contains(u.Variables, root) && slices.Contains(variables, variable)
}

var (
	// flowVariables are those of mails of the sign-in experience.
	flowVariables = []string{"code", "locale", "uiLocales", "application", "organization"}
	// Other mails have these, and those about an account its user as well.
	usualVariables = []string{"code", "locale", "application"}
	userVariables  = []string{"code", "locale", "application", "user"}
)

// usageTypes is the one table of usage types, in Logto's order.
var usageTypes = []UsageType{
	{Name: SignIn, Purpose: "Sign-in", Required: true, Urgent: true, Variables: flowVariables, sample: usualVariables},
	{Name: Register, Purpose: "Sign-up", Required: true, Variables: flowVariables, sample: usualVariables},
	{Name: ForgotPassword, Purpose: "Password reset", Required: true, Urgent: true, Variables: flowVariables, sample: usualVariables},
	{Name: OrganizationInvitation, Purpose: "Invitation to an organization", sample: []string{"organization", "inviter", "link"}},
	{
		Name: Generic, Purpose: "Generic", Required: true, sample: []string{"code"},
		Variables: append(slices.Clip(flowVariables), "user", "inviter", "link"), // it is used for any type
	},
	{Name: UserPermissionValidation, Purpose: "Confirm identity", Variables: userVariables, sample: userVariables},
	{Name: BindNewIdentifier, Purpose: "New email address", Variables: userVariables, sample: userVariables},
	{Name: MfaVerification, Purpose: "Two-step verification", Urgent: true, Variables: usualVariables, sample: usualVariables},
	{
		Name: BindMfa, Purpose: "Set up two-step verification", sample: usualVariables,
		Variables: []string{"code", "locale", "uiLocales", "application", "user"},
	},
}

// UsageTypes returns the names of all nine, in Logto's order.
func UsageTypes() []string { return namesOf(func(UsageType) bool { return true }) }

// RequiredUsageTypes returns the names of those that a connector must have a
// template for.
func RequiredUsageTypes() []string { return namesOf(func(u UsageType) bool { return u.Required }) }

func namesOf(wanted func(UsageType) bool) []string {
	var names []string
	for _, u := range usageTypes {
		if wanted(u) {
			names = append(names, u.Name)
		}
	}
	return names
}

// FindUsageType returns Logto's usage type of that name.
func FindUsageType(name string) (UsageType, bool) {
	if name == "Test" { // Logto's former name for it
		name = Generic
	}
	for _, u := range usageTypes {
		if u.Name == name {
			return u, true
		}
	}
	return UsageType{}, false
}

// SampleMessage returns a message as Logto sends it for the usage type, with
// made-up values: for previews and test mails.
func SampleMessage(usageType string) Message {
	person := map[string]any{
		"id": "sample-user", "name": "Sample User", "username": "sample_user", "primaryEmail": "user@example.com",
		"primaryPhone": nil, "avatar": nil, "profile": map[string]any{},
	}
	values := map[string]any{
		"code":         "123456",
		"locale":       "en",
		"application":  map[string]any{"id": "sample-app", "name": "Sample App"},
		"organization": map[string]any{"id": "sample-org", "name": "Sample Organization", "branding": map[string]any{}},
		"user":         person,
		"inviter":      person,
		"link":         "https://app.example.com/join?invitation=sample",
	}
	shown := usualVariables
	if u, ok := FindUsageType(usageType); ok {
		shown = u.sample
	}
	maps.DeleteFunc(values, func(name string, _ any) bool { return !slices.Contains(shown, name) })
	return Message{To: "user@example.com", Type: usageType, Payload: values}
}

// variables are Logto's variables and their members, as far as it is known to send
// them (docs/templates.md), sorted.
var variables = func() []string {
	with := func(name, members string, deeper ...string) []string {
		paths := []string{name}
		for _, member := range append(strings.Fields(members), deeper...) {
			paths = append(paths, name+"."+member)
		}
		return paths
	}
	branding := with("branding", "logoUrl darkLogoUrl favicon darkFavicon")
	address := with("address", "formatted streetAddress locality region postalCode country")
	profile := with("profile", "familyName givenName middleName nickname preferredUsername profile website gender birthdate zoneinfo locale", address...)
	const person = "id name username primaryEmail primaryPhone avatar"
	all := slices.Concat(
		[]string{"code", "locale", "uiLocales", "link"},
		with("application", "id name displayName", branding...),
		with("organization", "id name", branding...),
		with("user", person, profile...),
		with("inviter", person, profile...),
	)
	slices.Sort(all)
	return all
}()
