package connector

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"golang.org/x/text/language"
)

// What Direct Mail takes at the most (SingleSendMail, parameters FromAlias,
// Subject, HtmlBody and TextBody).
const (
	maxAlias   = 15        // characters
	maxSubject = 256       // characters; the English error text says 100
	maxBody    = 6_000_000 // bytes
)

// wanted says what a required field must hold.
var wanted = map[string]string{
	"accessKeyId":     "the AccessKey ID of a RAM user that may call dm:SingleSendMail",
	"accessKeySecret": "the secret that belongs to accessKeyId",
	"accountName":     "a sender address of the Direct Mail console, such as noreply@mail.example.com",
	"templates":       `a list of templates, or "builtin" for the ready-made ones`,
	"usageType":       "what the template is for, such as SignIn",
	"subject":         "the mail's subject",
	"content":         "the mail's body",
}

var tagNamePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// fieldRules are the rules that validator does not bring along.
var fieldRules = map[string]func(string) bool{
	"address":  func(s string) bool { _, err := ParseAddress(s); return err == nil },
	"replyto":  func(s string) bool { _, err := ParseAddress(s); return err == nil || hasVariable(s) },
	"keytext":  func(s string) bool { return !strings.ContainsFunc(s, isSpaceOrControl) },
	"tagname":  tagNamePattern.MatchString,
	"rate":     func(s string) bool { _, err := ParseRate(s); return err == nil || s == "off" },
	"lifetime": func(s string) bool { _, err := ParseLifetime(s); return err == nil },
	"language": func(s string) bool { _, err := language.Parse(s); return err == nil },
	"subject":  func(s string) bool { return subjectLength(s) <= maxSubject },
	"bodysize": func(s string) bool { return len(s) <= maxBody },
}

// newValidator is made once: a validator keeps what it learned of the types.
var newValidator = sync.OnceValue(func() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	for tag, ok := range fieldRules {
		rule := func(fl validator.FieldLevel) bool { return ok(fl.Field().String()) }
		if err := v.RegisterValidation(tag, rule); err != nil {
			panic(err) // a tag name that validator reserves
		}
	}
	v.RegisterStructValidation(requireUsageTypes, Config{})
	return v
})

// requireUsageTypes reports the usage types that must have a template, in any
// language, and have none.
func requireUsageTypes(sl validator.StructLevel) {
	list := sl.Current().Interface().(Config).Templates
	missing := slices.DeleteFunc(RequiredUsageTypes(), func(usageType string) bool {
		return slices.ContainsFunc(list, func(t Template) bool { return t.UsageType == usageType })
	})
	if len(missing) > 0 {
		sl.ReportError(list, "templates", "Templates", "usagetypes", strings.Join(missing, ", "))
	}
}

// checkFields reports what breaks a rule that concerns one field, unless the
// field's shape was reported already.
func checkFields(cfg *Config, report *Report) {
	found, _ := errors.AsType[validator.ValidationErrors](newValidator().Struct(cfg))
	for _, field := range found {
		if pointer := pointerOf(field.Namespace()); !report.covers(pointer) {
			report.errorf(pointer, "%s", complaint(field))
		}
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

// complaint says what is wrong with a field and what would be right.
func complaint(field validator.FieldError) string {
	text := fmt.Sprint(reflect.ValueOf(field.Value()))
	switch field.Tag() {
	case "required", "required_without":
		return "is missing or empty: it must be " + wanted[field.Field()]
	case "max":
		return fmt.Sprintf("has %d characters, Direct Mail takes at most %s", len([]rune(text)), field.Param())
	case "oneof":
		return "must be one of: " + strings.ReplaceAll(field.Param(), " ", ", ")
	case "usagetypes":
		return "has no template for " + field.Param() + ": Logto cannot do without"
	case "keytext":
		return "has white space or control characters in it: copy it again, without"
	case "address":
		_, err := ParseAddress(text)
		return fmt.Sprintf("must be one mail address such as noreply@mail.example.com: %v", err)
	case "replyto":
		return "must be one mail address, or variables such as {{user.primaryEmail}} that become one"
	case "tagname":
		return "must be the name of a tag of the Direct Mail console: 1 to 128 letters, digits, _ or -"
	case "rate":
		return `must be a rate such as "10/10m" (ten at once, refilled over ten minutes), or "off"`
	case "lifetime":
		return `must be a time from 1m to 24h, such as "10m"`
	case "language":
		return "must be a language tag such as en, zh-CN or pt-BR"
	case "subject":
		return fmt.Sprintf("has %d characters besides its variables, Direct Mail takes at most %d", subjectLength(text), maxSubject)
	case "bodysize":
		return fmt.Sprintf("has %d bytes, Direct Mail takes at most %d", len(text), maxBody)
	default:
		return "breaks the rule " + field.Tag()
	}
}

var placeholderPattern = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// subjectLength counts the characters that a subject has whatever its variables
// become. With sections that cannot be said before rendering, where too long a
// subject is cut.
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

func isSpaceOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
