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
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"golang.org/x/text/language"

	"dmconnector/aliyundm"
	"dmconnector/internal/plaintext"
	"dmconnector/internal/words"
)

const (
	// What Direct Mail takes at most (SingleSendMail, parameters FromAlias and Subject).
	maxAlias   = 15  // characters
	maxSubject = 256 // characters; the English error text says 100

	maxBody            = 400 << 10 // bytes of HTML and text together, below templates.MaxRendered
	maxLine            = 4 << 10   // bytes of a subject, a sender's name or a reply address
	maxLanguage        = 64        // bytes of a language tag
	maxPlaceholders    = 20_000    // in a template
	maxAllPlaceholders = 100_000   // in a connector's
)

var (
	referencePattern = regexp.MustCompile(`^\$\{(env|file):([^{}]+)\}$`)
	// Secrets have 30 letters and digits, and IDs fewer.
	keyIDPattern     = regexp.MustCompile(`^(LTAI[0-9A-Za-z]{12,24}|STS\..+)$`)
	keySecretPattern = regexp.MustCompile(`^[0-9A-Za-z]{30}$`)
)

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

// readKeys puts what ${env:NAME} and ${file:PATH} name in place of these references,
// and reports keys that can never match. Only a whole value can be a reference.
func readKeys(cfg *Config, look func(kind, name string) (string, error), report *Report) {
	for _, field := range cfg.keyFields() {
		text, advice := *field.value, "Copy it again"
		if text == "" {
			continue // whether it must be there is checked elsewhere
		}
		if strings.HasPrefix(text, "${") {
			ref := referencePattern.FindStringSubmatch(text)
			if ref == nil {
				report.errorf(field.pointer, "Write a reference as ${env:NAME} or ${file:PATH}")
				continue
			}
			if look == nil {
				report.errorf(field.pointer, "Enter the value itself: references may only be used in connector files, not through the API")
				continue
			}
			found, err := look(ref[1], ref[2])
			if err != nil {
				report.errorf(field.pointer, "cannot be looked up: %v", err)
				continue
			}
			text, advice = found, "Copy it into "+ref[0]+" again"
		}
		key, err := plaintext.Secret(text)
		if err != nil {
			report.errorf(field.pointer, "%s: %v", advice, err)
			continue
		}
		*field.value = key
	}
}

// checkKeys checks that the parts of the access key belong together.
func checkKeys(cfg *Config, report *Report) {
	if cfg.Credentials != nil {
		return // which bring keys of their own
	}
	temporary := strings.HasPrefix(cfg.AccessKeyID, "STS.")
	switch {
	case report.touches("/accessKeyId") || report.touches("/securityToken"):
	case temporary && cfg.SecurityToken == "":
		report.errorf("/securityToken", "Enter the security token issued with the key: keys that begin with STS. are temporary and need it")
	case !temporary && cfg.SecurityToken != "" && cfg.AccessKeyID != "":
		report.warnf("/securityToken", "Remove it, or check accessKeyId: only temporary keys, which begin with STS., have a security token")
	}
	if keyIDPattern.MatchString(string(cfg.AccessKeySecret)) {
		report.errorf("/accessKeySecret", "Enter the AccessKey secret: this is an AccessKey ID")
	}
	if keySecretPattern.MatchString(cfg.AccessKeyID) && !keyIDPattern.MatchString(cfg.AccessKeyID) {
		report.warnf("/accessKeyId", "looks like an AccessKey secret: an AccessKey ID begins with LTAI or STS.")
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
	"address": func(s string) string {
		_, err := ParseAddress(s)
		if err == nil {
			_, err = plaintext.Line(s) // a domain may hold characters that IDNA drops
		}
		if err != nil {
			return fmt.Sprintf("Enter one mail address such as noreply@mail.example.com: %v", err)
		}
		return ""
	},
	"subject": func(s string) string {
		if n := subjectLength(s); n > maxSubject {
			return fmt.Sprintf("Shorten it to %d characters besides its variables: it has %d", maxSubject, n)
		}
		return ""
	},
	"replyto": rule(func(s string) bool { return parses(ParseAddress, s) || hasVariable(s) },
		"Enter one mail address, or variables such as {{user.primaryEmail}} that become one"),
	"tagname": rule(regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`).MatchString,
		"Enter the name of a tag from the Direct Mail console: 1 to 128 letters, digits, _ or -"),
	"rate": rule(func(s string) bool { return parses(ParseRate, s) || s == "off" },
		`Enter a rate such as "10/10m" (ten at once, refilled over ten minutes), or "off"`),
	"lifetime": rule(func(s string) bool { return parses(ParseLifetime, s) }, `Enter a time from 1m to 24h, such as "10m"`),
	"language": rule(func(s string) bool { return len(s) <= maxLanguage && parses(language.Parse, s) },
		"Enter a language tag such as en, zh-CN or pt-BR"),
}

func rule(ok func(string) bool, advice string) func(string) string {
	return func(s string) string {
		if ok(s) {
			return ""
		}
		return advice
	}
}

func parses[T any](parse func(string) (T, error), s string) bool {
	_, err := parse(s)
	return err == nil
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
			oneOf(pointer, value, strings.Fields(field.Param()), report)
		default:
			report.errorf(pointer, "%s", fieldRules[tag](value))
		}
	}
	placeholders := 0
	for i, t := range cfg.Templates {
		for _, p := range CheckTemplateSize(t) {
			report.errorf(fmt.Sprintf("/templates/%d%s", i, p.Pointer), "%s", p.Detail)
		}
		placeholders += countPlaceholders(t)
	}
	if placeholders > maxAllPlaceholders {
		report.errorf("/templates", "Use at most %d placeholders in all templates: there are %d", maxAllPlaceholders, placeholders)
	}
	missing := slices.DeleteFunc(RequiredUsageTypes(), func(usageType string) bool {
		return slices.ContainsFunc(cfg.Templates, func(t Template) bool { return t.UsageType == usageType })
	})
	if len(missing) > 0 && !report.covers("/templates") {
		report.errorf("/templates", "Add templates for %s, which Logto requires", strings.Join(missing, ", "))
	}
}

// CheckTemplateSize returns what in a template is too large, by pointers into it.
func CheckTemplateSize(t Template) []Problem {
	var report Report
	for _, field := range []struct {
		pointer, text string
		most          int
	}{
		{"/subject", t.Subject, maxLine},
		{"/content", t.Content, maxBody},
		{"/text", t.Text, maxBody - min(len(t.Content), maxBody)},
		{"/replyTo", t.ReplyTo, maxLine},
		{"/sendFrom", t.SendFrom, maxLine},
	} {
		switch n := len(field.text); {
		case n <= field.most:
		case field.pointer == "/text":
			report.errorf(field.pointer, "Shorten it or the content: together they have %d bytes, and may have %d", n+len(t.Content), maxBody)
		default:
			report.errorf(field.pointer, "Shorten it to %d bytes: it has %d", field.most, n)
		}
	}
	if n := countPlaceholders(t); n > maxPlaceholders {
		report.errorf("/content", "Use at most %d placeholders in a template: there are %d", maxPlaceholders, n)
	}
	return report.Errors
}

func countPlaceholders(t Template) int {
	n := 0
	for _, text := range []string{t.Subject, t.Content, t.Text, t.ReplyTo, t.SendFrom} {
		n += strings.Count(text, "{{") + strings.Count(text, "<<code>>")
	}
	return n
}

// oneOf reports a word that is none of the known ones.
func oneOf(pointer, word string, known []string, report *Report) {
	report.errorf(pointer, "Use one of: %s%s", strings.Join(known, ", "), words.DidYouMean(word, known))
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
func checkEndpoint(cfg *Config, opts ParseOptions, report *Report) {
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
		report.errorf("/regionId", "Use one of %s, or enter the endpoint as well: it is not a region of Direct Mail%s", regions, words.DidYouMean(id, open))
	case !known:
		report.warnf("/regionId", "is not a known region of Direct Mail; mail goes to the endpoint")
	}
	checkHost("/endpoint", cfg.Endpoint, aliyundm.IsHost, "Direct Mail such as dm.aliyuncs.com", opts, report)
}

// checkHost checks an endpoint that gets a key or codes, if there is one: its host must
// be one of the service's own or one that the operator allows.
func checkHost(pointer, endpoint string, own func(host string) bool, owns string, opts ParseOptions, report *Report) {
	if endpoint == "" || report.covers(pointer) {
		return
	}
	u, err := aliyundm.ParseEndpoint(endpoint)
	if err != nil {
		text := err.Error()
		report.errorf(pointer, "%s", strings.ToUpper(text[:1])+text[1:])
		return
	}
	host := u.Hostname()
	isAllowed := slices.ContainsFunc(opts.AllowedEndpoints, func(name string) bool {
		return strings.EqualFold(name, u.Host) || strings.EqualFold(strings.Trim(name, "[]"), host)
	})
	isLoopback := host == "localhost" || net.ParseIP(host).IsLoopback()
	switch {
	case own(host) || isAllowed || isLoopback && opts.Loopback:
	case isLoopback:
		report.errorf(pointer, "Use a host of %s: hosts of this machine need --sandbox, or --allow-endpoint with their name", owns)
	default:
		report.errorf(pointer, "Use a host of %s, or one that the operator allows with --allow-endpoint", owns)
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
