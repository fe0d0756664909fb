package connector

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"golang.org/x/text/language"

	"dmconnector/aliyundm"
)

// What Direct Mail takes at most (SingleSendMail, parameters FromAlias, Subject,
// HtmlBody and TextBody).
const (
	maxAlias   = 15        // characters
	maxSubject = 256       // characters; the English error text says 100
	maxBody    = 6_000_000 // bytes
)

var referencePattern = regexp.MustCompile(`^\$\{(env|file):([^{}]+)\}$`)

// A keyField is a part of an access key.
type keyField struct {
	pointer string
	value   *string
}

func (c *Config) keyFields() []keyField {
	return []keyField{
		{"/accessKeyId", &c.AccessKeyID},
		{"/accessKeySecret", (*string)(&c.AccessKeySecret)},
		{"/securityToken", (*string)(&c.SecurityToken)},
	}
}

// resolveReferences puts the value in place of ${env:NAME} and ${file:PATH} in
// the credential fields. Only a whole value can be a reference.
func resolveReferences(cfg *Config, look func(kind, name string) (string, error), report *Report) {
	for _, field := range cfg.keyFields() {
		if !strings.HasPrefix(*field.value, "${") {
			continue
		}
		ref := referencePattern.FindStringSubmatch(*field.value)
		switch {
		case ref == nil:
			report.errorf(field.pointer, "Write a reference as ${env:NAME} or ${file:PATH}")
		case look == nil:
			report.errorf(field.pointer, "Enter the value itself: references may only be used in connector files, not through the API")
		default:
			found, err := look(ref[1], ref[2])
			if err != nil {
				report.errorf(field.pointer, "cannot be looked up: %v", err)
				continue
			}
			// Editors and echo leave a line break at the end of secret files.
			*field.value = strings.TrimRight(found, "\r\n")
		}
	}
}

// requiredFields say what to do about a required field that is missing.
var requiredFields = map[string]string{
	"accessKeyId":     "Enter the AccessKey ID of a RAM user allowed to call dm:SingleSendMail",
	"accessKeySecret": "Enter the AccessKey secret that belongs to accessKeyId",
	"accountName":     "Enter a sender address from the Direct Mail console, such as noreply@mail.example.com",
	"templates":       `Enter a list of templates, or "builtin" for the built-in ones`,
	"usageType":       "Enter what the template is for, such as SignIn",
	"subject":         "Enter the mail's subject",
	"content":         "Enter the mail's body",
}

// fieldRules are the rules of `validate` tags that are not the validator's own. Each
// returns what to do about a value that breaks it, or "".
var fieldRules = map[string]func(string) string{
	"keytext": func(s string) string {
		bad := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
		return unless(!bad, "Copy it again, without white space and control characters")
	},
	"address": func(s string) string {
		_, err := ParseAddress(s)
		return unless(err == nil, fmt.Sprintf("Enter one mail address such as noreply@mail.example.com: %v", err))
	},
	"replyto": func(s string) string {
		_, err := ParseAddress(s)
		return unless(err == nil || hasVariable(s), "Enter one mail address, or variables such as {{user.primaryEmail}} that become one")
	},
	"tagname": func(s string) string {
		return unless(tagName.MatchString(s), "Enter the name of a tag from the Direct Mail console: 1 to 128 letters, digits, _ or -")
	},
	"rate": func(s string) string {
		_, err := ParseRate(s)
		return unless(err == nil || s == "off", `Enter a rate such as "10/10m" (ten at once, refilled over ten minutes), or "off"`)
	},
	"lifetime": func(s string) string {
		_, err := ParseLifetime(s)
		return unless(err == nil, `Enter a time from 1m to 24h, such as "10m"`)
	},
	"language": func(s string) string {
		_, err := language.Parse(s)
		return unless(err == nil, "Enter a language tag such as en, zh-CN or pt-BR")
	},
	"subject": func(s string) string {
		n := subjectLength(s)
		return unless(n <= maxSubject, fmt.Sprintf("Shorten it to %d characters besides its variables: it has %d", maxSubject, n))
	},
	"bodysize": func(s string) string {
		return unless(len(s) <= maxBody, fmt.Sprintf("Shorten it to %d bytes: it has %d", maxBody, len(s)))
	},
}

var tagName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func unless(ok bool, advice string) string {
	if ok {
		return ""
	}
	return advice
}

// newValidator is made once: a validator keeps what it learned of the types.
var newValidator = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	for tag, rule := range fieldRules {
		if err := v.RegisterValidation(tag, func(fl validator.FieldLevel) bool { return rule(fl.Field().String()) == "" }); err != nil {
			panic(err) // a tag name that validator reserves
		}
	}
	return v
})

// checkFields reports what breaks a rule that concerns one field, unless the
// field's shape was reported already.
func checkFields(cfg *Config, report *Report) {
	found, _ := errors.AsType[validator.ValidationErrors](newValidator().Struct(cfg))
	for _, field := range found {
		pointer := pointerOf(field.Namespace())
		if report.covers(pointer) {
			continue
		}
		value := reflect.ValueOf(field.Value()).String()
		switch tag := field.Tag(); tag {
		case "required", "required_without":
			report.errorf(pointer, "%s", requiredFields[field.Field()])
		case "max":
			report.errorf(pointer, "Shorten it to %s characters: it has %d", field.Param(), utf8.RuneCountInString(value))
		case "oneof":
			report.errorf(pointer, "Use one of: %s", strings.ReplaceAll(field.Param(), " ", ", "))
		default:
			report.errorf(pointer, "%s", fieldRules[tag](value))
		}
	}
	missing := slices.DeleteFunc(RequiredUsageTypes(), func(usageType string) bool {
		return slices.ContainsFunc(cfg.Templates, func(t Template) bool { return t.UsageType == usageType })
	})
	if len(missing) > 0 && !report.covers("/templates") {
		report.errorf("/templates", "Add templates for %s, which Logto requires", strings.Join(missing, ", "))
	}
}

// pointerOf turns validator's "Config.templates[0].subject" into a JSON pointer.
func pointerOf(namespace string) string {
	_, path, _ := strings.Cut(namespace, ".")
	// The keys of delivery are the only ones that the config's author chooses.
	if key, ok := strings.CutPrefix(path, "delivery["); ok {
		return child("/delivery", strings.TrimSuffix(key, "]"))
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(path)
}

// checkEndpoint checks where mail goes: a region that Direct Mail is known to
// have, or an endpoint at a host that may be trusted with the key and the codes.
func checkEndpoint(cfg *Config, allowed []string, report *Report) {
	var open []string
	for _, region := range aliyundm.Regions() {
		if !region.Closed {
			open = append(open, region.ID)
		}
	}
	regions := strings.Join(open, ", ")
	id := cmp.Or(cfg.RegionID, aliyundm.DefaultRegion)
	region, known := aliyundm.FindRegion(id)
	switch {
	case report.covers("/regionId"):
	case known && region.Closed:
		report.warnf("/regionId", "Use one of %s: %s is closed, Direct Mail no longer takes mail there", regions, id)
	case !known && cfg.Endpoint == "":
		report.errorf("/regionId", "Use one of %s, or enter the endpoint as well: it is not a region of Direct Mail", regions)
	case !known:
		report.warnf("/regionId", "is not a known region of Direct Mail; mail goes to the endpoint")
	}
	checkHost("/endpoint", cfg.Endpoint, allowed, report)
}

// checkHost checks an endpoint that gets a key or codes, if there is one.
func checkHost(pointer, endpoint string, allowed []string, report *Report) {
	if endpoint == "" || report.covers(pointer) {
		return
	}
	u, err := aliyundm.ParseEndpoint(endpoint)
	if err != nil {
		text := err.Error()
		report.errorf(pointer, "%s", strings.ToUpper(text[:1])+text[1:])
		return
	}
	host := strings.ToLower(u.Hostname())
	known := strings.HasSuffix(host, ".aliyuncs.com") || host == "localhost" || net.ParseIP(host).IsLoopback()
	if !known && !slices.ContainsFunc(allowed, func(name string) bool { return strings.EqualFold(name, host) }) {
		report.errorf(pointer, "Use a host of aliyuncs.com, or one that the operator allows with --allow-endpoint")
	}
}

var placeholderPattern = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// subjectLength counts the characters that a subject has whatever its variables
// become. With sections that cannot be said before rendering, which cuts a subject
// that is too long.
func subjectLength(s string) int {
	if strings.Contains(s, "{{#") || strings.Contains(s, "{{^") {
		return 0
	}
	return utf8.RuneCountInString(placeholderPattern.ReplaceAllString(s, ""))
}

// hasVariable reports whether a text may hold a template's placeholder.
func hasVariable(s string) bool {
	return strings.Contains(s, "{{") || strings.Contains(s, "<<code>>")
}
