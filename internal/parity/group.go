package parity

import (
	"fmt"
	"slices"
	"strings"
)

// A Group holds results that are alike: of one type, from the same two
// templates, with the same differences for the same reasons.
type Group struct {
	First   Result // stands for all
	Members []Member
	Mails   int
}

// A Member is flows that belong to a group in the same languages.
type Member struct {
	Flows     []string
	Languages []string // "" is a request that names none
}

// GroupResults groups results, those with differences that readers see first
// within a type.
func GroupResults(results []Result) []Group {
	var groups []*builder
	byKey := make(map[string]*builder)
	for _, r := range results {
		key := r.key()
		b := byKey[key]
		if b == nil {
			b = &builder{first: r, languages: make(map[string][]string)}
			byKey[key] = b
			groups = append(groups, b)
		}
		b.add(r)
	}
	list := make([]Group, len(groups))
	for i, b := range groups {
		list[i] = b.group()
	}
	types := make(map[string]int)
	for i, g := range list {
		if _, known := types[g.First.UsageType]; !known {
			types[g.First.UsageType] = i
		}
	}
	slices.SortStableFunc(list, func(a, b Group) int {
		if byType := types[a.First.UsageType] - types[b.First.UsageType]; byType != 0 {
			return byType
		}
		return a.First.Outcome.rank() - b.First.Outcome.rank()
	})
	return list
}

func (o Outcome) rank() int { return slices.Index([]Outcome{Differs, Unseen, Same}, o) }

// key is equal for results of one group.
func (r Result) key() string {
	parts := []string{r.UsageType, string(r.Outcome), r.Logto.Template, r.Here.Template, strings.Join(r.Notes, "\n")}
	for _, d := range r.Differences {
		parts = append(parts, fmt.Sprint(d.Field, d.Seen, d.codes()))
	}
	return strings.Join(parts, "\x00")
}

func (d Difference) codes() []Code {
	var list []Code
	for _, reason := range d.Reasons {
		if !slices.Contains(list, reason.Code) {
			list = append(list, reason.Code)
		}
	}
	return list
}

type builder struct {
	first     Result
	flows     []string
	languages map[string][]string
	mails     int
}

func (b *builder) add(r Result) {
	if _, known := b.languages[r.Flow]; !known {
		b.flows = append(b.flows, r.Flow)
	}
	language := r.Locale
	if r.UILocales != "" {
		language += " of " + r.UILocales
	}
	b.languages[r.Flow] = append(b.languages[r.Flow], language)
	b.mails++
}

func (b *builder) group() Group {
	g := Group{First: b.first, Mails: b.mails}
	for _, flow := range b.flows {
		languages := slices.Sorted(slices.Values(b.languages[flow]))
		at := slices.IndexFunc(g.Members, func(m Member) bool { return slices.Equal(m.Languages, languages) })
		if at < 0 {
			g.Members = append(g.Members, Member{Languages: languages})
			at = len(g.Members) - 1
		}
		g.Members[at].Flows = append(g.Members[at].Flows, flow)
	}
	return g
}

// A Row of the summary is one usage type in languages with the same counts.
type Row struct {
	UsageType string   `json:"usageType"`
	Languages []string `json:"languages"` // "" is requests that name none
	Mails     int      `json:"mails"`     // a language
	Same      int      `json:"same"`
	Unseen    int      `json:"unseen"`
	Differs   int      `json:"differs"`
	Reasons   []Code   `json:"reasons"` // of what readers see
}

// Summarize counts results by usage type and language.
func Summarize(results []Result) []Row {
	var rows []Row
	for _, r := range results {
		at := slices.IndexFunc(rows, func(row Row) bool { return row.UsageType == r.UsageType && row.Languages[0] == r.Locale })
		if at < 0 {
			at = len(rows)
			rows = append(rows, Row{UsageType: r.UsageType, Languages: []string{r.Locale}, Reasons: []Code{}})
		}
		rows[at].count(r)
	}
	var merged []Row
	for _, row := range rows {
		slices.Sort(row.Reasons)
		at := slices.IndexFunc(merged, row.like)
		if at < 0 {
			merged = append(merged, row)
			continue
		}
		merged[at].Languages = append(merged[at].Languages, row.Languages...)
	}
	for _, row := range merged {
		slices.Sort(row.Languages)
	}
	return merged
}

func (r *Row) count(result Result) {
	r.Mails++
	switch result.Outcome {
	case Same:
		r.Same++
	case Unseen:
		r.Unseen++
	default:
		r.Differs++
	}
	for _, d := range result.Differences {
		for _, code := range d.codes() {
			if d.Seen && !slices.Contains(r.Reasons, code) {
				r.Reasons = append(r.Reasons, code)
			}
		}
	}
}

// like reports whether two rows differ in their languages alone.
func (r Row) like(other Row) bool {
	return r.UsageType == other.UsageType && r.Mails == other.Mails && r.Same == other.Same && r.Unseen == other.Unseen &&
		r.Differs == other.Differs && slices.Equal(r.Reasons, other.Reasons)
}
