package migrate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report returns the report for people: it groups mails that are alike and shows
// the first of each group.
func Report(l *Logto, languages []string, results []Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Fallback language: %s. Languages compared: %s.\n", l.FallbackLanguage, strings.Join(languages, ", "))
	groups := make(map[string][]Result)
	used := make(map[string]bool)
	differing := 0
	for _, r := range results {
		key := "same " // sorts after different
		if len(r.Differences) > 0 {
			key = "different "
			differing++
		}
		key += fmt.Sprint(r.Type, r.Logto.Template, r.Here.Template)
		for _, d := range r.Differences {
			key += fmt.Sprint(d.Field, d.Reasons)
			for _, reason := range d.Reasons {
				used[reason] = true
			}
		}
		groups[key] = append(groups[key], r)
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		writeGroup(&b, languages, groups[key])
	}
	fmt.Fprintf(&b, "\n%d of %d mails differ.\n", differing, len(results))
	for _, reason := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&b, "  %-13s  %s\n", reason, Reasons[reason])
	}
	return b.String()
}

func writeGroup(b *strings.Builder, languages []string, group []Result) {
	first := group[0]
	var flows, tags []string
	for _, r := range group {
		flows, tags = append(flows, r.Name), append(tags, r.locale())
	}
	tags = slices.Compact(slices.Sorted(slices.Values(tags)))
	where := "in " + strings.Join(tags, ", ")
	switch {
	case len(tags) == 1 && tags[0] == "":
		where = "without a language"
	case len(tags) > 2 && !slices.ContainsFunc(languages, func(tag string) bool { return !slices.Contains(tags, tag) }):
		where = "in every language"
	}
	outcome := "the same"
	if len(first.Differences) > 0 {
		outcome = "different"
		first.Here.Template += ": " + first.Here.Why
	}
	fmt.Fprintf(b, "\n%s: %d %s, %s\n  requests  %s\n", first.Type, len(group), outcome, where, strings.Join(slices.Compact(flows), ", "))
	fmt.Fprintf(b, "  Logto     %s\n  here      %s\n", first.Logto.Template, first.Here.Template)
	for _, d := range first.Differences {
		there, ours := excerpts(d.Logto, d.Here)
		fmt.Fprintf(b, "  %-8s  because of %s\n", d.Field, strings.Join(d.Reasons, ", "))
		fmt.Fprintf(b, "            Logto: %s\n            here:  %s\n", cmp.Or(there, "(none)"), cmp.Or(ours, "(none)"))
	}
}

// excerpts shortens two texts to where they differ.
func excerpts(there, here string) (string, string) {
	const context, most = 40, 120 // characters
	a, b := []rune(there), []rune(here)
	start := 0
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	start = max(0, start-context)
	excerpt := func(text []rune) string {
		short := string(text[start:min(len(text), start+most)])
		if start > 0 {
			short = "…" + short
		}
		if len(text) > start+most {
			short += "…"
		}
		return strings.ReplaceAll(short, "\n", "↵")
	}
	return excerpt(a), excerpt(b)
}
