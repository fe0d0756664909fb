package templates

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Generic is the usage type whose templates stand in for every other's.
const generic = "Generic"

// testType is Logto's former name for it.
const testType = "Test"

// A Set chooses among a connector's templates. It is safe for concurrent use.
type Set struct {
	types    map[string]*typeSet
	fallback string
}

// A typeSet holds the templates of one usage type.
type typeSet struct {
	usageType string
	all       []entry
	neutral   *entry // without a language
	standard  *entry // in the default language, else the first
	bases     map[string]*baseSet
}

// A baseSet holds the templates of one base language, such as zh.
type baseSet struct {
	tags    []language.Tag
	entries []entry
	matcher language.Matcher
}

type entry struct {
	template *Template
	index    int
	tag      language.Tag
}

// A Choice is the template chosen for a message, and why.
type Choice struct {
	Template *Template
	Index    int      // in the list that the set was made of
	Steps    []string // what was looked at, in plain sentences, the last saying why this one
}

// NewSet prepares the templates for Choose. Of two for the same usage type and
// language the first wins.
func NewSet(templates []*Template, defaultLanguage string) *Set {
	s := &Set{types: make(map[string]*typeSet), fallback: defaultLanguage}
	for i, t := range templates {
		usageType := canonicalType(t.source.UsageType)
		ts := s.types[usageType]
		if ts == nil {
			ts = &typeSet{usageType: usageType, bases: make(map[string]*baseSet)}
			s.types[usageType] = ts
		}
		ts.add(t, i)
	}
	for _, ts := range s.types {
		ts.finish(defaultLanguage)
	}
	return s
}

func canonicalType(usageType string) string {
	if usageType == testType {
		return generic
	}
	return usageType
}

func (ts *typeSet) add(t *Template, index int) {
	e := entry{template: t, index: index}
	written := t.source.LanguageTag
	if written == "" {
		if ts.neutral == nil {
			ts.neutral = &e
		}
		ts.all = append(ts.all, e)
		return
	}
	ts.all = append(ts.all, e)
	tag, err := language.Parse(written)
	if err != nil {
		return
	}
	e.tag = tag
	base, _ := tag.Base()
	bs := ts.bases[base.String()]
	if bs == nil {
		bs = &baseSet{}
		ts.bases[base.String()] = bs
	}
	if slices.Contains(bs.tags, tag) {
		return
	}
	bs.tags = append(bs.tags, tag)
	bs.entries = append(bs.entries, e)
}

func (ts *typeSet) finish(defaultLanguage string) {
	for _, bs := range ts.bases {
		bs.matcher = language.NewMatcher(bs.tags)
	}
	if e := ts.match(defaultLanguage); e != nil {
		ts.standard = e
	} else {
		ts.standard = &ts.all[0]
	}
}

// match returns the template in a language that its readers can read.
func (ts *typeSet) match(written string) *entry {
	tag, err := language.Parse(written)
	if written == "" || err != nil {
		return nil
	}
	base, _ := tag.Base()
	bs := ts.bases[base.String()]
	if bs == nil {
		return nil
	}
	_, i, confidence := bs.matcher.Match(tag)
	if confidence == language.No {
		return nil
	}
	return &bs.entries[i]
}

// Choose returns the template for a usage type and a reader's languages: locale
// is one tag, uiLocales a list of them, apart by spaces. It reports false if
// there is none for the type, nor for Generic; then only Steps are set.
func (s *Set) Choose(usageType, locale, uiLocales string) (Choice, bool) {
	var steps []string
	usageType = canonicalType(usageType)
	ts := s.types[usageType]
	if ts == nil {
		ts = s.types[generic]
		steps = append(steps, "There is no template for this usage type; Generic stands in.")
	}
	if ts == nil {
		return Choice{Index: -1, Steps: append(steps, "There is no template for Generic.")}, false
	}
	for _, tag := range append([]string{locale}, strings.Fields(uiLocales)...) {
		if e := ts.match(tag); e != nil {
			return Choice{e.template, e.index, append(steps, "The language is "+tag+".")}, true
		}
	}
	if ts.neutral != nil {
		return Choice{ts.neutral.template, ts.neutral.index, append(steps, "The template without a language.")}, true
	}
	return Choice{ts.standard.template, ts.standard.index, append(steps, "The default language's.")}, true
}
