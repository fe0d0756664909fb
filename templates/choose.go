package templates

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

const (
	generic = "Generic" // is used for every usage type without templates
	test    = "Test"    // Logto's former name for it
)

// What a message asks for is not trusted: no more and no longer tags are
// looked at.
const (
	maxTags      = 16
	maxTagLength = 64
)

// A Set chooses among a connector's own templates and those that it shares with
// others. It is safe for concurrent use.
type Set struct {
	types map[string]*typeSet
}

// A typeSet holds the templates of one usage type.
type typeSet struct {
	usageType      string
	entries        []entry // own ones first
	bases          map[base]*baseSet
	fallback       entry // if no language fits
	fallbackReason string
}

type entry struct {
	template *Template
	index    int
	shared   bool
}

// A base is what a reader's language must have in common with a template's, such as
// zh, however close others are: a reader of Croatian must not get Serbian.
type base struct {
	language language.Base
	shared   bool
}

type baseSet struct {
	tags    []language.Tag
	entries []entry
	matcher language.Matcher
}

// A Choice is the template chosen for a message, and why.
type Choice struct {
	Template *Template
	Index    int      // in the own or in the shared list, -1 if there is none
	Shared   bool     // which of the two lists
	Steps    []string // what was looked at, a plain sentence each; the last says why this one

	Generic   bool // one for Generic is used for a usage type that has none
	Unmatched bool // the message asks for languages, and it is in none of them
}

// NewSet prepares templates for Choose. At each step of the choice own templates
// come before shared ones. Of two in the same list, for the same usage type and
// language, the first wins.
func NewSet(own, shared []*Template, defaultLanguage string) *Set {
	s := &Set{types: make(map[string]*typeSet)}
	for i, t := range own {
		s.add(entry{t, i, false})
	}
	for i, t := range shared {
		s.add(entry{t, i, true})
	}
	for _, ts := range s.types {
		for _, bs := range ts.bases {
			bs.matcher = language.NewMatcher(bs.tags)
		}
		neutral := slices.IndexFunc(ts.entries, func(e entry) bool { return e.template.source.LanguageTag == "" })
		standard, found, _ := ts.match(defaultLanguage)
		switch {
		case neutral >= 0:
			ts.fallback, ts.fallbackReason = ts.entries[neutral], "The template without a language is used"
		case found:
			ts.fallback, ts.fallbackReason = standard, "The template in the default language is used"
		default:
			ts.fallback, ts.fallbackReason = ts.entries[0], "The first template in the list is used"
		}
	}
	return s
}

func (s *Set) add(e entry) {
	usageType := e.template.source.UsageType
	if usageType == test {
		usageType = generic
	}
	ts := s.types[usageType]
	if ts == nil {
		ts = &typeSet{usageType: usageType, bases: make(map[base]*baseSet)}
		s.types[usageType] = ts
	}
	ts.entries = append(ts.entries, e)
	tag, lang, ok := parseTag(e.template.source.LanguageTag)
	if !ok {
		return
	}
	bs := ts.bases[base{lang, e.shared}]
	if bs == nil {
		bs = &baseSet{}
		ts.bases[base{lang, e.shared}] = bs
	}
	if !slices.Contains(bs.tags, tag) {
		bs.tags = append(bs.tags, tag)
		bs.entries = append(bs.entries, e)
	}
}

// parseTag reads a language tag that says which language it means.
func parseTag(written string) (language.Tag, language.Base, bool) {
	if written == "" || len(written) > maxTagLength {
		return language.Tag{}, language.Base{}, false
	}
	tag, err := language.Parse(written)
	if err != nil {
		return language.Tag{}, language.Base{}, false
	}
	base, confidence := tag.Base()
	return tag, base, confidence == language.Exact
}

// match returns the template for a language. valid says whether it is one.
func (ts *typeSet) match(written string) (e entry, found, valid bool) {
	tag, lang, valid := parseTag(written)
	if !valid {
		return entry{}, false, false
	}
	for _, shared := range []bool{false, true} {
		bs := ts.bases[base{lang, shared}]
		if bs == nil {
			continue
		}
		if _, i, confidence := bs.matcher.Match(tag); confidence != language.No {
			return bs.entries[i], true, true
		}
	}
	return entry{}, false, true
}

// Choose returns the template for a usage type and a reader's languages: locale
// is one tag, uiLocales a list of them, separated by spaces, in the order of
// preference. It reports false if there is none for the type, nor for Generic.
func (s *Set) Choose(usageType, locale, uiLocales string) (Choice, bool) {
	c := Choice{Index: -1, Steps: make([]string, 0, 4)}
	say := func(step string) { c.Steps = append(c.Steps, step) }
	if usageType == test {
		say("Test is Logto's former name for Generic.")
		usageType = generic
	}
	ts := s.types[usageType]
	if ts == nil && usageType != generic {
		say("There is no template for this usage type; the ones for Generic are used.")
		ts = s.types[generic]
		c.Generic = ts != nil
	}
	if ts == nil {
		say("There is no template for Generic.")
		return c, false
	}
	chosen, asked, found := ts.prefer(locale, uiLocales, say)
	if !found {
		chosen, c.Unmatched = ts.fallback, asked
		say(ts.fallbackReason + chosen.origin())
	}
	c.Template, c.Index, c.Shared = chosen.template, chosen.index, chosen.shared
	return c, true
}

// origin ends the sentence about why a template was chosen.
func (e entry) origin() string {
	if e.shared {
		return ", one of the email templates."
	}
	return "."
}

// prefer looks for a template in one of the reader's languages, one after the
// other. asked says whether there were any.
func (ts *typeSet) prefer(locale, uiLocales string, say func(string)) (chosen entry, asked, found bool) {
	if len(ts.bases) == 0 {
		say("No template for this usage type has a language.")
		return entry{}, false, false
	}
	type preference struct{ field, tag string }
	var preferred []preference
	if locale != "" {
		preferred = append(preferred, preference{"locale", locale})
	}
	for tag := range strings.FieldsSeq(uiLocales) {
		preferred = append(preferred, preference{"uiLocales", tag})
		if len(preferred) > maxTags {
			break
		}
	}
	for i, p := range preferred {
		if i == maxTags {
			say("Only the first languages were looked at.")
			break
		}
		e, found, valid := ts.match(p.tag)
		switch {
		case !valid: // it may hold anything, so it is not repeated
			say(p.field + " has a malformed language tag, which is skipped.")
		case !found:
			say(p.field + " " + p.tag + ": there is no template for " + ts.usageType + " in this language.")
		case e.template.source.LanguageTag == p.tag:
			say(p.field + " " + p.tag + ": there is a template in this language" + e.origin())
			return e, true, true
		default:
			say(p.field + " " + p.tag + ": the template in " + e.template.source.LanguageTag + " fits" + e.origin())
			return e, true, true
		}
	}
	if len(preferred) == 0 {
		say("The message asks for no language.")
	}
	return entry{}, len(preferred) > 0, false
}
