package connector

import (
	"maps"
	"slices"
	"strings"

	"dmconnector/templates"
)

// members are a variable's members by name; a text has none.
type members map[string]members

// What Logto's variables have, as far as it ever sends it: docs/templates.md.
var (
	branding = texts("logoUrl", "darkLogoUrl", "favicon", "darkFavicon")
	address  = texts("formatted", "streetAddress", "locality", "region", "postalCode", "country")
	profile  = texts("familyName", "givenName", "middleName", "nickname", "preferredUsername", "profile",
		"website", "gender", "birthdate", "zoneinfo", "locale").with("address", address)
	person = texts("id", "name", "username", "primaryEmail", "primaryPhone", "avatar").with("profile", profile)

	variables = texts("code", "locale", "uiLocales", "link").
			with("application", texts("id", "name", "displayName").with("branding", branding)).
			with("organization", texts("id", "name").with("branding", branding)).
			with("user", person).
			with("inviter", person)
)

// sent lists the variables that Logto may send with mails of a usage type.
// Invitations are not here, as they carry whatever their program likes.
var sent = map[string][]string{
	SignIn:                   {"code", "locale", "uiLocales", "application", "organization"},
	Register:                 {"code", "locale", "uiLocales", "application", "organization"},
	ForgotPassword:           {"code", "locale", "uiLocales", "application", "organization"},
	MfaVerification:          {"code", "locale", "application"},
	BindMfa:                  {"code", "locale", "uiLocales", "application", "user"},
	UserPermissionValidation: {"code", "locale", "application", "user"},
	BindNewIdentifier:        {"code", "locale", "application", "user"},
	// It stands in for any type.
	Generic: {"code", "locale", "uiLocales", "application", "organization", "user", "inviter", "link"},
}

func texts(names ...string) members {
	m := make(members, len(names))
	for _, name := range names {
		m[name] = nil
	}
	return m
}

// with returns the members and one more.
func (m members) with(name string, inner members) members {
	all := maps.Clone(m)
	all[name] = inner
	return all
}

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

// lintVariables warns of variables that Logto never sends with mails of the type.
// To ask for one does no harm, unless it is misspelt: a text may serve all types.
func lintVariables(pointer, usageType string, uses []templates.Use, report *Report) {
	names, isLogtos := sent[canonicalType(usageType)]
	if !isLogtos {
		return
	}
	known := maps.Clone(variables)
	maps.DeleteFunc(known, func(name string, _ members) bool { return !slices.Contains(names, name) })
	told := make(map[templates.Use]bool)
	for _, use := range uses {
		place := templates.Use{Variable: use.Variable, Field: use.Field}
		if known.has(use.Variable) || told[place] || len(told) == manyUnknown {
			continue
		}
		hint := "these may come: " + strings.Join(names, ", ")
		if near := nearest(use.Variable, known.paths()); near != "" {
			hint = "did you mean {{" + near + "}}?"
		} else if use.Asks || neverShown(use, known) {
			continue
		}
		told[place] = true
		report.warnAt(pointer+"/"+use.Field, use.Line, "{{%s}} comes with no %s; %s", short(use.Variable), mailsOf(usageType), hint)
	}
}

const (
	manyUnknown  = 100 // more than anybody reads
	longVariable = 60
)

func short(variable string) string {
	if len(variable) <= longVariable {
		return variable
	}
	return variable[:longVariable] + "…" // its letters are ASCII
}

// neverShown reports whether a section around a variable asks for what never comes.
func neverShown(use templates.Use, known members) bool {
	return slices.ContainsFunc(strings.Fields(use.Under), func(asked string) bool { return !known.has(asked) })
}

// canonicalType is Generic for Logto's former name of it.
func canonicalType(usageType string) string {
	if usageType == "Test" {
		return Generic
	}
	return usageType
}

func mailsOf(usageType string) string {
	if canonicalType(usageType) == Generic {
		return "mail of Logto, save an invitation whose program puts it there"
	}
	return usageType + " mail of Logto"
}
