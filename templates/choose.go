package templates

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

const (
	generic = "Generic" // stands in for every other usage type
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
	own, shared   tier
	standIn       entry  // if no language fits
	standInReason string // why that one
	none          string // what is said of a language without a template
}

// A tier holds those of a typeSet's templates that are from one of the two lists,
// by their language.
type tier struct {
	exact map[string]entry
	bases map[language.Base]*baseSet
}

// A baseSet holds the templates of one base language, such as zh: a reader of
// Croatian is not to get Serbian, however close they are.
type baseSet struct {
	tags    []language.Tag
	entries []entry
	matcher language.Matcher
}

type entry struct {
	template *Template
	index    int
	shared   bool
}

// A Choice is the template chosen for a message, and why.
type Choice struct {
	Template *Template
	Index    int      // in the own or in the shared list, -1 if there is none
	Shared   bool     // which of the two lists
	Steps    []string // what was looked at, a plain sentence each; the last says why this one

	Generic   bool // one for Generic stands in for a usage type that has none
	Unmatched bool // the message asks for languages, and it is in none of them
}

// NewSet prepares templates for Choose. At each step of the choice own templates
// come before shared ones. Of two in the same list, for the same usage type and
// language, the first wins.
func NewSet(own, shared []*Template, defaultLanguage string) *Set {
	ownByType, sharedByType := byType(own, false), byType(shared, true)
	s := &Set{types: make(map[string]*typeSet, len(ownByType)+len(sharedByType))}
	for usageType, entries := range ownByType {
		s.types[usageType] = newTypeSet(usageType, entries, sharedByType[usageType], defaultLanguage)
	}
	for usageType, entries := range sharedByType {
		if s.types[usageType] == nil {
			s.types[usageType] = newTypeSet(usageType, nil, entries, defaultLanguage)
		}
	}
	return s
}

func byType(templates []*Template, shared bool) map[string][]entry {
	listed := make(map[string][]entry)
	for i, t := range templates {
		usageType := canonicalType(t.source.UsageType)
		listed[usageType] = append(listed[usageType], entry{t, i, shared})
	}
	return listed
}

func canonicalType(usageType string) string {
	if usageType == test {
		return generic
	}
	return usageType
}

func newTypeSet(usageType string, own, shared []entry, defaultLanguage string) *typeSet {
	ts := &typeSet{
		own: newTier(own), shared: newTier(shared),
		none: ": there is no template for " + usageType + " in this language.",
	}
	reason := "The first template in the list is used"
	entries := slices.Concat(own, shared)
	neutral := slices.IndexFunc(entries, func(e entry) bool { return e.template.source.LanguageTag == "" })
	standard, found, _ := ts.match(defaultLanguage)
	switch {
	case neutral >= 0:
		ts.standIn, reason = entries[neutral], "The template without a language is used"
	case found:
		ts.standIn, reason = standard, "The template in the default language is used"
	default:
		ts.standIn = entries[0]
	}
	ts.standInReason = reason + ts.standIn.end()
	return ts
}

// end ends the sentence about why a template was chosen.
func (e entry) end() string {
	if e.shared {
		return ", one of the email templates."
	}
	return "."
}

func newTier(entries []entry) tier {
	t := tier{exact: make(map[string]entry), bases: make(map[language.Base]*baseSet)}
	for _, e := range entries {
		t.add(e)
	}
	for _, bs := range t.bases {
		bs.matcher = language.NewMatcher(bs.tags)
	}
	return t
}

func (t tier) add(e entry) {
	tag, base, ok := parseTag(e.template.source.LanguageTag)
	if !ok {
		return
	}
	bs := t.bases[base]
	if bs == nil {
		bs = &baseSet{}
		t.bases[base] = bs
	}
	if slices.Contains(bs.tags, tag) {
		return
	}
	bs.tags = append(bs.tags, tag)
	bs.entries = append(bs.entries, e)
	t.exact[tag.String()] = e
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
	if e, found = ts.own.exact[written]; found {
		return e, true, true
	}
	tag, base, valid := parseTag(written)
	if !valid {
		return entry{}, false, false
	}
	if e, found = ts.own.match(tag, base); !found {
		e, found = ts.shared.match(tag, base)
	}
	return e, found, true
}

func (t tier) match(tag language.Tag, base language.Base) (entry, bool) {
	bs := t.bases[base]
	if bs == nil {
		return entry{}, false
	}
	_, i, confidence := bs.matcher.Match(tag)
	if confidence == language.No {
		return entry{}, false
	}
	return bs.entries[i], true
}

// Choose returns the template for a usage type and a reader's languages: locale
// is one tag, uiLocales a list of them, apart by spaces, both in the order of
// preference. It reports false if there is none for the type, nor for Generic.
func (s *Set) Choose(usageType, locale, uiLocales string) (Choice, bool) {
	c := chooser{steps: make([]string, 0, 4)}
	usageType = c.usageType(usageType)
	ts := s.types[usageType]
	if ts == nil && usageType != generic {
		ts, c.generic = s.types[generic], true
		c.say("There is no template for this usage type; the ones for Generic are used.")
	}
	if ts == nil {
		c.say("There is no template for Generic.")
		return Choice{Index: -1, Steps: c.steps}, false
	}
	if c.prefer(ts, locale, uiLocales) {
		return c.choice(), true
	}
	c.chosen, c.unmatched = ts.standIn, c.looked > 0
	c.say(ts.standInReason)
	return c.choice(), true
}

// A chooser keeps the trace of one choice.
type chooser struct {
	chosen entry
	looked int
	steps  []string

	generic, unmatched bool
}

func (c *chooser) say(step string) { c.steps = append(c.steps, step) }

func (c *chooser) choice() Choice {
	return Choice{c.chosen.template, c.chosen.index, c.chosen.shared, c.steps, c.generic, c.unmatched}
}

func (c *chooser) usageType(usageType string) string {
	if usageType == test {
		c.say("Test is Logto's former name for Generic.")
	}
	return canonicalType(usageType)
}

// prefer looks for a template in one of the reader's languages.
func (c *chooser) prefer(ts *typeSet, locale, uiLocales string) bool {
	if len(ts.own.bases)+len(ts.shared.bases) == 0 {
		c.say("No template for this usage type has a language.")
		return false
	}
	if c.look(ts, "locale", locale) {
		return true
	}
	for tag := range strings.FieldsSeq(uiLocales) {
		if c.looked == maxTags {
			c.say("Only the first languages were looked at.")
			break
		}
		if c.look(ts, "uiLocales", tag) {
			return true
		}
	}
	if c.looked == 0 {
		c.say("The message asks for no language.")
	}
	return false
}

// look looks for a template in one language.
func (c *chooser) look(ts *typeSet, field, tag string) bool {
	if tag == "" {
		return false
	}
	c.looked++
	e, found, valid := ts.match(tag)
	switch {
	case !valid: // it may hold anything, so it is not repeated
		c.say(field + " has a malformed language tag, which is skipped.")
	case !found:
		c.say(field + " " + tag + ts.none)
	case e.template.source.LanguageTag == tag:
		c.chosen = e
		c.say(field + " " + tag + ": there is a template in this language" + e.end())
	default:
		c.chosen = e
		c.say(field + " " + tag + ": the template in " + e.template.source.LanguageTag + " fits" + e.end())
	}
	return found
}
