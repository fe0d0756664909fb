package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"dmconnector/internal/logto"
	"dmconnector/internal/parity"
)

const (
	manyLanguages = 6   // more of them are counted before they are listed
	longStretch   = 160 // bytes of a line's diff before it is shortened
)

var outcomes = map[parity.Outcome]string{
	parity.Differs: "a reader sees a difference",
	parity.Unseen:  "differs where no reader sees it",
	parity.Same:    "the same",
}

func printParity(w io.Writer, from *logto.Connector, results []parity.Result) {
	fmt.Fprintf(w, "Logto: %d templates in the config, %d email templates, fallback language %s\n",
		len(from.Config.Templates), len(from.EmailTemplates), from.FallbackLanguage)
	fmt.Fprintf(w, "%d mails: the recorded requests, those with a language in each\n", len(results))
	usageType := ""
	for _, g := range parity.GroupResults(results) {
		if g.First.UsageType != usageType {
			usageType = g.First.UsageType
			fmt.Fprintf(w, "\n%s\n", usageType)
		}
		printGroup(w, g)
	}
	printSummary(w, parity.Summarize(results))
}

func printGroup(w io.Writer, g parity.Group) {
	fmt.Fprintf(w, "\n  %s: %s\n", countOf(g.Mails, "mail"), outcomes[g.First.Outcome])
	for _, m := range g.Members {
		fmt.Fprintf(w, "    of     %s, %s\n", strings.Join(m.Flows, " "), languageList(m.Languages))
	}
	fmt.Fprintf(w, "    Logto  %s\n    here   %s\n", cmp.Or(g.First.Logto.Template, "no template"), cmp.Or(g.First.Here.Template, "no template"))
	if g.Mails > 1 && len(g.First.Differences) > 0 {
		fmt.Fprintf(w, "    such as %s, %s\n", g.First.Flow, languageList([]string{g.First.Locale}))
	}
	for _, d := range g.First.Differences {
		printDifference(w, d)
	}
	for _, note := range g.First.Notes {
		fmt.Fprintf(w, "    note   %s\n", note)
	}
}

func printDifference(w io.Writer, d parity.Difference) {
	if d.Field == "mail" {
		fmt.Fprintf(w, "    mail   Logto: %s\n           here:  %s\n", cmp.Or(d.Logto, "sent"), cmp.Or(d.Here, "sent"))
	}
	lines := parity.Words(d.Logto, d.Here)
	switch {
	case d.Field == "mail":
		lines = nil
	case len(lines) == 0:
		lines = []string{"(the same to the eye)"}
	}
	for i, line := range lines {
		label := ""
		if i == 0 {
			label = d.Field
		}
		fmt.Fprintf(w, "    %-7s%s\n", label, shorten(line))
	}
	for _, reason := range d.Reasons {
		fmt.Fprintf(w, "      why  %s: %s\n", reason.Code, reason.Text)
	}
}

// shorten keeps a line's beginning and end, and what stands around its
// differences.
func shorten(line string) string {
	if len(line) <= longStretch {
		return line
	}
	runes := []rune(line)
	const around = 40
	first := strings.IndexAny(line, "[{")
	start := max(0, len([]rune(line[:max(first, 0)]))-around)
	end := min(len(runes), start+longStretch)
	text := string(runes[start:end])
	if start > 0 {
		text = "…" + text
	}
	if end < len(runes) {
		text += "…"
	}
	return text
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func languageList(tags []string) string {
	named := slices.Clone(tags)
	for i, tag := range named {
		named[i] = cmp.Or(tag, "no language")
	}
	if len(named) > manyLanguages {
		return fmt.Sprintf("in %d languages: %s", len(named), strings.Join(named, " "))
	}
	if len(named) == 1 && named[0] == "no language" {
		return "naming no language"
	}
	return "in " + strings.Join(named, ", ")
}

func printSummary(w io.Writer, rows []parity.Row) {
	fmt.Fprintf(w, "\nSummary\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "type\tmails\tsame\tunseen\tseen\twhy\tlanguages")
	var same, unseen, seen int
	for _, row := range rows {
		n := len(row.Languages)
		same, unseen, seen = same+n*row.Same, unseen+n*row.Unseen, seen+n*row.Differs
		codes := make([]string, len(row.Reasons))
		for i, code := range row.Reasons {
			codes[i] = string(code)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", row.UsageType, n*row.Mails, n*row.Same, n*row.Unseen, n*row.Differs,
			cmp.Or(strings.Join(codes, ", "), "-"), strings.TrimPrefix(languageList(row.Languages), "in "))
	}
	fmt.Fprintf(table, "all\t%d\t%d\t%d\t%d\t\t\n", same+unseen+seen, same, unseen, seen)
	// Rows are strings: writing into memory cannot fail.
	_ = table.Flush()
}
