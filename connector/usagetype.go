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
	return u.Variables == nil || slices.Contains(u.Variables, root) && variables.has(variable)
}

// usageTypes is the one table of usage types, in Logto's order.
var usageTypes = []UsageType{
	{
		Name: SignIn, Purpose: "Sign-in", Required: true, Urgent: true,
		Variables: []string{"code", "locale", "uiLocales", "application", "organization"},
		sample:    []string{"code", "locale", "application"},
	},
	{
		Name: Register, Purpose: "Sign-up", Required: true,
		Variables: []string{"code", "locale", "uiLocales", "application", "organization"},
		sample:    []string{"code", "locale", "application"},
	},
	{
		Name: ForgotPassword, Purpose: "Password reset", Required: true, Urgent: true,
		Variables: []string{"code", "locale", "uiLocales", "application", "organization"},
		sample:    []string{"code", "locale", "application"},
	},
	{
		Name: OrganizationInvitation, Purpose: "Invitation to an organization",
		sample: []string{"organization", "inviter", "link"},
	},
	{
		Name: Generic, Purpose: "Generic", Required: true,
		// It is used for any type.
		Variables: []string{"code", "locale", "uiLocales", "application", "organization", "user", "inviter", "link"},
		sample:    []string{"code"},
	},
	{
		Name: UserPermissionValidation, Purpose: "Confirm identity",
		Variables: []string{"code", "locale", "application", "user"},
		sample:    []string{"code", "locale", "application", "user"},
	},
	{
		Name: BindNewIdentifier, Purpose: "New email address",
		Variables: []string{"code", "locale", "application", "user"},
		sample:    []string{"code", "locale", "application", "user"},
	},
	{
		Name: MfaVerification, Purpose: "Two-step verification", Urgent: true,
		Variables: []string{"code", "locale", "application"},
		sample:    []string{"code", "locale", "application"},
	},
	{
		Name: BindMfa, Purpose: "Set up two-step verification",
		Variables: []string{"code", "locale", "uiLocales", "application", "user"},
		sample:    []string{"code", "locale", "application"},
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
	sample := []string{"code", "locale", "application"}
	if u, ok := FindUsageType(usageType); ok {
		sample = u.sample
	}
	maps.DeleteFunc(values, func(name string, _ any) bool { return !slices.Contains(sample, name) })
	return Message{To: "user@example.com", Type: usageType, Payload: values}
}

// members are a variable's members by name; a text has none.
type members map[string]members

// variables are what Logto's variables have, as far as it is known to send them:
// docs/templates.md.
var variables = func() members {
	texts := func(names ...string) members {
		m := make(members, len(names))
		for _, name := range names {
			m[name] = nil
		}
		return m
	}
	branding := texts("logoUrl", "darkLogoUrl", "favicon", "darkFavicon")
	application := texts("id", "name", "displayName")
	application["branding"] = branding
	organization := texts("id", "name")
	organization["branding"] = branding
	profile := texts("familyName", "givenName", "middleName", "nickname", "preferredUsername", "profile",
		"website", "gender", "birthdate", "zoneinfo", "locale")
	profile["address"] = texts("formatted", "streetAddress", "locality", "region", "postalCode", "country")
	person := texts("id", "name", "username", "primaryEmail", "primaryPhone", "avatar")
	person["profile"] = profile

	all := texts("code", "locale", "uiLocales", "link")
	all["application"], all["organization"] = application, organization
	all["user"], all["inviter"] = person, person
	return all
}()

// has reports whether a variable such as "user.name" may be there.
func (m members) has(path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	inner, ok := m[name]
	return ok && (!deeper || inner.has(rest))
}

// paths lists all variables and members in the form of "user.name".
func (m members) paths() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name)
		for _, inner := range m[name].paths() {
			all = append(all, name+"."+inner)
		}
	}
	return all
}
