package templates

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/template"
)

//go:embed builtin
var builtinFiles embed.FS

// The order of what Builtin returns.
var (
	builtinLanguages  = []string{"en", "zh-CN", "zh-TW", "ja"}
	builtinUsageTypes = []string{
		"SignIn", "Register", "ForgotPassword", "OrganizationInvitation", "Generic",
		"UserPermissionValidation", "BindNewIdentifier", "MfaVerification", "BindMfa",
	}
)

// Builtin returns the built-in templates: the nine usage types in English,
// simplified Chinese, traditional Chinese and Japanese, each as HTML and text.
// They read well whatever Logto leaves out. The slice is the caller's own.
//
// No subject carries the code, as Direct Mail keeps subjects in its delivery
// records; the preview line shows it, except where it is a second factor.
func Builtin() []Source { return slices.Clone(builtinSources()) }

// builtinSources panics only on files that do not pass this package's tests.
var builtinSources = sync.OnceValue(func() []Source {
	sources, err := assemble(builtinFiles)
	if err != nil {
		panic(fmt.Sprintf("templates: built-in files: %v", err))
	}
	return sources
})

// wording is one language's file. A phrase is text with placeholders and, for
// values that may be missing, alternatives: see expand.
type wording struct {
	// LineBreak replaces a phrase's line breaks in HTML.
	LineBreak string `json:"lineBreak"`
	// Fonts are CSS font families.
	Fonts        string `json:"fonts"`
	OutlookFonts string `json:"outlookFonts"`
	// Common holds the phrases that a usage type does not word itself.
	Common map[string]string            `json:"common"`
	Types  map[string]map[string]string `json:"types"`
}

// page is what the layouts are filled with.
type page struct {
	wording
	Lang       string
	Invitation bool
	Greeting   bool
	Say        map[string]string
}

// greeted are the usage types where Logto names the user only if the address is
// the account's own. Others can be made to go to a stranger, with any name.
var greeted = []string{"UserPermissionValidation", "BindMfa"}

func assemble(files fs.FS) ([]Source, error) {
	layouts, err := template.New("").Delims("<%", "%>").Option("missingkey=error").
		ParseFS(files, "builtin/layout.*")
	if err != nil {
		return nil, err
	}
	var sources []Source
	for _, lang := range builtinLanguages {
		data, err := fs.ReadFile(files, "builtin/"+lang+".json")
		if err != nil {
			return nil, err
		}
		var words wording
		if err := json.Unmarshal(data, &words); err != nil {
			return nil, fmt.Errorf("%s: %w", lang, err)
		}
		for _, usageType := range builtinUsageTypes {
			plain := maps.Clone(words.Common)
			maps.Copy(plain, words.Types[usageType])
			marked := make(map[string]string, len(plain))
			for key, phrase := range plain {
				marked[key] = strings.ReplaceAll(html.EscapeString(phrase), "\n", words.LineBreak)
			}
			p := page{words, lang, usageType == "OrganizationInvitation", slices.Contains(greeted, usageType), marked}
			var content, text strings.Builder
			htmlErr := layouts.ExecuteTemplate(&content, "layout.html", p)
			p.Say = plain
			textErr := layouts.ExecuteTemplate(&text, "layout.txt", p)
			if err := errors.Join(htmlErr, textErr); err != nil {
				return nil, fmt.Errorf("%s in %s: %w", usageType, lang, err)
			}
			sources = append(sources, Source{
				UsageType:   usageType,
				LanguageTag: lang,
				Subject:     expand(plain["subject"]),
				Content:     expand(content.String()),
				Text:        expand(text.String()),
			})
		}
	}
	return sources, nil
}

// choices are the variables that a name in an alternative means: the first that
// has a value, or none if one marked ! has.
var choices = map[string][]string{
	"app":     {"application.displayName", "application.name"},
	"inviter": {"inviter.name", "inviter.username", "inviter.primaryEmail"},
	// A backend may send its own string instead of Logto's object.
	"organization": {"organization.name", "!organization.id", "organization"},
	"user":         {"user.name"},
}

var alternative = regexp.MustCompile(`\[(app|inviter|organization|user)\|([^|\]]*)\|?([^|\]]*)\]`)

// expand writes each [name|with $|without] as sections of the template
// language: "with" if there is a value for name, which replaces $,
// else "without", which may be left out.
func expand(s string) string {
	return alternative.ReplaceAllStringFunc(s, func(found string) string {
		m := alternative.FindStringSubmatch(found)
		return firstOf(choices[m[1]], m[2], m[3])
	})
}

func firstOf(variables []string, with, without string) string {
	if len(variables) == 0 {
		return without
	}
	name, none := strings.CutPrefix(variables[0], "!")
	present := strings.ReplaceAll(with, "$", "{{"+name+"}}")
	if none {
		present = without
	}
	absent := firstOf(variables[1:], with, without)
	return section("#", name, present) + section("^", name, absent)
}

func section(kind, name, body string) string {
	if body == "" {
		return ""
	}
	return "{{" + kind + name + "}}" + body + "{{/" + name + "}}"
}
