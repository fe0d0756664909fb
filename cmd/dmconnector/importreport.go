package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"dmconnector/internal/logto"
	"dmconnector/internal/parity"
)

const (
	manyLanguages = 2   // as many as are worth listing always
	longLine      = 160 // characters of a diff's line before it is shortened
)

var outcomes = map[parity.Outcome]string{
	parity.Differs: "a reader sees a difference",
	parity.Unseen:  "differs where no reader sees it",
	parity.Same:    "the same",
}

// A parityReport is the report for people.
type parityReport struct {
	w         io.Writer
	languages []string // all that were looked at
}

func (p *parityReport) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

func (p *parityReport) all(from *logto.Connector, results []parity.Result) {
	p.printf("Logto has %s in the config, %s, and the fallback language %s.\n",
		countOf(len(from.Config.Templates), "template"), countOf(len(from.EmailTemplates), "email template"), from.FallbackLanguage)
	p.printf("%s: the recorded requests, those with a language in each of %s.\n",
		countOf(len(results), "mail"), strings.Join(p.languages, ", "))
	usageType := ""
	for _, g := range parity.GroupResults(results) {
		if g.First.UsageType != usageType {
			usageType = g.First.UsageType
			p.printf("\n%s\n", usageType)
		}
		p.group(g)
	}
	p.summary(parity.Summarize(results))
}

func (p *parityReport) group(g parity.Group) {
	p.printf("\n  %s: %s\n", countOf(g.Mails, "mail"), outcomes[g.First.Outcome])
	for _, m := range g.Members {
		p.printf("    of       %s, %s\n", strings.Join(m.Flows, " "), p.list(m.Languages))
	}
	p.printf("    Logto    %s\n", cmp.Or(g.First.Logto.Template, "no template"))
	p.printf("    here     %s\n", cmp.Or(g.First.Here.Template, "no template"))
	if g.Mails > 1 && len(g.First.Differences) > 0 {
		p.printf("    such as  %s, %s\n", g.First.Flow, p.list([]string{g.First.Locale}))
	}
	for _, d := range g.First.Differences {
		p.difference(d)
	}
	p.reasons(g.First.Differences)
	for _, note := range g.First.Notes {
		p.printf("    note     %s\n", note)
	}
}

func (p *parityReport) difference(d parity.Difference) {
	lines := parity.Words(d.Logto, d.Here)
	switch {
	case d.Field == "mail":
		lines = []string{"Logto: " + cmp.Or(d.Logto, "sent"), "here: " + cmp.Or(d.Here, "sent")}
	case len(lines) == 0:
		lines = []string{"the same to the eye"}
	}
	label := d.Field
	for _, line := range lines {
		p.printf("    %-8s %s\n", label, shorten(line))
		label = ""
	}
}

// reasons prints each reason once, with the fields that it is for.
func (p *parityReport) reasons(differences []parity.Difference) {
	var order []parity.Reason
	fields := make(map[parity.Reason][]string)
	for _, d := range differences {
		for _, reason := range d.Reasons {
			if fields[reason] == nil {
				order = append(order, reason)
			}
			fields[reason] = append(fields[reason], d.Field)
		}
	}
	for _, reason := range order {
		p.printf("    why      %s (%s): %s\n", reason.Code, strings.Join(fields[reason], ", "), reason.Text)
	}
}

// list names languages.
func (p *parityReport) list(tags []string) string {
	if len(tags) > manyLanguages && slices.Equal(slices.Sorted(slices.Values(tags)), slices.Sorted(slices.Values(p.languages))) {
		return fmt.Sprintf("in all %d languages", len(tags))
	}
	named := slices.Clone(tags)
	for i, tag := range named {
		named[i] = cmp.Or(tag, "no language")
	}
	if len(named) == 1 && named[0] == "no language" {
		return "which names no language"
	}
	return "in " + strings.Join(named, ", ")
}

func (p *parityReport) summary(rows []parity.Row) {
	p.printf("\nSummary\n\n")
	table := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "type\tmails\tsame\tunseen\tseen\twhy\tlanguages")
	var total parity.Row
	for _, row := range rows {
		n := len(row.Languages)
		codes := make([]string, len(row.Reasons))
		for i, code := range row.Reasons {
			codes[i] = string(code)
		}
		languages := strings.TrimPrefix(strings.TrimPrefix(p.list(row.Languages), "in "), "which names ")
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", row.UsageType, n*row.Mails, n*row.Same, n*row.Unseen, n*row.Differs,
			cmp.Or(strings.Join(codes, ", "), "-"), languages)
		total.Mails, total.Same = total.Mails+n*row.Mails, total.Same+n*row.Same
		total.Unseen, total.Differs = total.Unseen+n*row.Unseen, total.Differs+n*row.Differs
	}
	fmt.Fprintf(table, "all\t%d\t%d\t%d\t%d\t-\t-\n", total.Mails, total.Same, total.Unseen, total.Differs)
	// What is written to is memory, which cannot fail.
	_ = table.Flush()
}

// shorten keeps of a long line what stands around its first difference.
func shorten(line string) string {
	runes := []rune(line)
	if len(runes) <= longLine {
		return line
	}
	const before = 40
	first := len(line)
	for _, mark := range []string{"[-", "{+"} {
		if at := strings.Index(line, mark); at >= 0 {
			first = min(first, at)
		}
	}
	start := max(0, utf8.RuneCountInString(line[:first])-before)
	end := min(len(runes), start+longLine)
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
