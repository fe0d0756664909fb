package connector

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"dmconnector/internal/words"
	"dmconnector/templates"
)

// Above these, mails get into trouble that Direct Mail does not report: long
// subjects are refused in some regions, and mail programs cut long bodies.
const (
	longSubject = 100       // characters
	longBody    = 100 << 10 // bytes
)

// lint warns of what is allowed and probably not meant.
func lint(cfg *Config, builtin bool, report *Report) {
	lintPlaceholder("/accessKeyId", cfg.AccessKeyID, report)
	lintPlaceholder("/accessKeySecret", string(cfg.AccessKeySecret), report)
	lintPlaceholder("/fromAlias", cfg.FromAlias, report)
	for _, usageType := range slices.Sorted(maps.Keys(cfg.Delivery)) {
		lintUsageType(child("/delivery", usageType), usageType, report)
	}
	if builtin {
		return
	}
	seen := make(map[string]int)
	for i, t := range cfg.Templates {
		pointer := fmt.Sprintf("/templates/%d", i)
		if report.touches(pointer) {
			continue // first things first
		}
		identity := t.UsageType + " " + t.LanguageTag
		if tag, err := language.Parse(t.LanguageTag); err == nil && t.LanguageTag != "" {
			identity = t.UsageType + " " + tag.String()
		}
		if first, twice := seen[identity]; twice {
			report.warnf(pointer, "is never used: /templates/%d is for the same usage type and language, and the first one wins", first)
			continue
		}
		seen[identity] = i
		lintTemplate(cfg, pointer, t, report)
	}
}

func lintTemplate(cfg *Config, pointer string, t Template, report *Report) {
	lintUsageType(pointer+"/usageType", t.UsageType, report)
	lintPlaceholder(pointer+"/subject", t.Subject, report)
	if n := subjectLength(t.Subject); n > longSubject {
		report.warnf(pointer+"/subject", "has %d characters besides its variables; some of Direct Mail's documents allow only %d", n, longSubject)
	}
	for _, body := range []struct{ name, text string }{{"/content", t.Content}, {"/text", t.Text}} {
		if n := len(body.text); n > longBody {
			report.warnf(pointer+body.name, "has %d bytes; mail programs such as Gmail show only the first %d", n, longBody)
		}
	}
	if n := utf8.RuneCountInString(t.SendFrom); n > maxAlias && !hasVariable(t.SendFrom) {
		report.warnf(pointer+"/sendFrom", "has %d characters and will be cut to %d", n, maxAlias)
	}
	compiled, warnings := templates.Compile(t)
	for _, w := range warnings {
		report.warnAt(pointer+"/"+w.Field, w.Line, "%s", w.Detail)
	}
	lintVariables(pointer, t.UsageType, compiled.Uses(), report)
	if t.UsageType == OrganizationInvitation { // may carry a link instead, and its program says how long that is valid
		return
	}
	bodies := map[string]string{"content": t.Content}
	if t.ContentType != "text/plain" {
		bodies["text"] = t.Text
	}
	// A program that shows one body does not show the other.
	for _, field := range slices.Sorted(maps.Keys(bodies)) {
		shown := slices.ContainsFunc(compiled.Uses(), func(u templates.Use) bool {
			return u.Variable == "code" && u.Field == field && !u.Asks && !u.Hidden
		})
		if bodies[field] != "" && !shown {
			report.warnf(pointer+"/"+field, "shows no code: it has no {{code}} where readers see it")
		}
	}
	if slices.Contains(compiled.Variables(), "code") {
		lintLifetimes(cfg, pointer, t, report)
	}
}

func lintUsageType(pointer, usageType string, report *Report) {
	if usageType == "" || slices.Contains(UsageTypes(), usageType) {
		return
	}
	if near := words.Nearest(usageType, UsageTypes()); near != "" {
		report.warnf(pointer, "is not a usage type that Logto sends; did you mean %q?", near)
	}
}

// lintPlaceholder warns of an example's "<your-access-key-id>" left as it was.
func lintPlaceholder(pointer, value string, report *Report) {
	if strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") && !strings.Contains(value, "{{") {
		report.warnf(pointer, "looks like an example's placeholder that was not filled in")
	}
}

const (
	maxUnknown      = 100 // variables of a template that are warned of
	maxVariableText = 60
)

// lintVariables warns of variables that Logto never sends with mails of the type.
// To ask for one in a section does no harm, unless it is misspelt: a text may serve
// all types.
func lintVariables(pointer, usageType string, uses []templates.Use, report *Report) {
	u, isLogtos := FindUsageType(usageType)
	if !isLogtos || u.Variables == nil {
		return
	}
	var known []string
	for _, path := range variables {
		if u.MayHave(path) {
			known = append(known, path)
		}
	}
	mails := u.Name + " mail"
	if u.Name == Generic {
		mails = "any mail, unless the program that invites adds it"
	}
	told := make(map[templates.Use]bool)
	for _, use := range uses {
		place := templates.Use{Variable: use.Variable, Field: use.Field}
		if u.MayHave(use.Variable) || told[place] || len(told) == maxUnknown {
			continue
		}
		hint := "it may send " + strings.Join(u.Variables, ", ")
		if near := words.Nearest(use.Variable, known); near != "" {
			hint = "did you mean {{" + near + "}}?"
		} else if use.Asks || slices.ContainsFunc(strings.Fields(use.Under), func(asked string) bool { return !u.MayHave(asked) }) {
			continue // it is never shown
		}
		told[place] = true
		variable := use.Variable
		if len(variable) > maxVariableText {
			variable = variable[:maxVariableText] + "…" // its letters are ASCII
		}
		report.warnAt(pointer+"/"+use.Field, use.Line, "Logto does not send {{%s}} with %s; %s", variable, mails, hint)
	}
}
