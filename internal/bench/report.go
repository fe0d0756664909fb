//go:build linux

package main

import (
	_ "embed"
	"fmt"
	"runtime"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

// summary is a table of the targets and whether they are met.
func (f *figures) summary() string {
	rows := [][]string{{"What", "Target", "Measured", "Met"}}
	cpu := f.costs[0]
	ratio, least, most := cpu.ratio()
	rows = append(rows, []string{
		fmt.Sprintf("CPU a send on %s, template of %d bytes, against a bare relay", cpu.kind, cpu.load.templateSize),
		fmt.Sprintf("≤ %.1f times", maxCostRatio), fmt.Sprintf("%.2f times (%.2f to %.2f)", ratio, least, most), met(ratio <= maxCostRatio),
	})
	rows = append(rows, f.latencyTargets()...)
	ceiling := perSecond(medianCost(f.ceilingDirect).answered)
	rows = append(rows, []string{
		fmt.Sprintf("Sends a second on %s, %d connections, everything on this machine", sqlite, f.plan.ceiling.connections),
		fmt.Sprintf("≥ %.0f", minCeiling), fmt.Sprintf("%.0f", ceiling), met(ceiling >= minCeiling),
	})
	rows = append(rows, f.scrapeTarget())
	rows = append(rows, f.logTargets()...)
	for _, start := range []struct {
		command string
		times   []time.Duration
	}{{"serve --sandbox", f.sandboxStarts}, {"serve --connectors", f.connectorStarts}} {
		rows = append(rows, atMost(fmt.Sprintf("Start to first answer, `%s`", start.command), maxStart, percentile(start.times, 50)))
	}
	return table(rows...)
}

// latencyTargets are the targets under the constant load.
func (f *figures) latencyTargets() [][]string {
	var rows [][]string
	targets := map[storage]time.Duration{sqlite: maxAddedSQLite, postgres: maxAddedPostgres}
	for _, l := range f.latencies {
		most, ok := targets[l.kind]
		if !ok {
			continue
		}
		what := fmt.Sprintf("Added latency on %s at %d sends a second, 99th percentile", l.kind, f.plan.rate)
		if l.added == nil {
			rows = append(rows, []string{what, "≤ " + milliseconds(most), notMeasured, ""})
			continue
		}
		rows = append(rows, atMost(what, most, percentile(l.added, 99)))
		if l.kind == sqlite {
			rows = append(rows, []string{"Memory under that load, peak", "≤ " + megabytes(maxMemory), megabytes(l.peakMemory), met(l.peakMemory <= maxMemory)})
		}
	}
	return rows
}

func (f *figures) logTargets() [][]string {
	var rows [][]string
	for _, log := range f.logs {
		where := fmt.Sprintf("log of %s messages in %s", thousands(f.plan.log.rows), log.kind)
		slowest := log.slowest()
		cpu, clock := log.growth()
		rows = append(rows,
			atMost("Slowest page or look-up, "+where+": median", maxRead, percentile(slowest.took, 50)),
			[]string{
				"CPU a send, " + where + ", against an empty one", "within " + percent(maxGrowth), percent(cpu), met(cpu <= maxGrowth),
			},
			[]string{
				"Time of a send, " + where + ", against an empty one", "within " + percent(maxGrowth), percent(clock), met(clock <= maxGrowth),
			},
		)
	}
	return rows
}

const notMeasured = "not measured"

func atMost(what string, most, measured time.Duration) []string {
	return []string{what, "≤ " + milliseconds(most), milliseconds(measured), met(measured <= most)}
}

// details are the tables behind the summary.
func (f *figures) details() string {
	parts := []string{f.cpuDetails(), f.latencyDetails(), f.ceilingDetails()}
	for _, log := range f.logs {
		parts = append(parts, f.readDetails(log))
	}
	parts = append(parts, f.growthDetails(), table(
		[]string{"Start to first answer", "Starts", "Least", "Median", "Most"},
		append([]string{"`serve --sandbox`"}, spread(f.sandboxStarts, 0, 50, 100)...),
		append([]string{"`serve --connectors`"}, spread(f.connectorStarts, 0, 50, 100)...),
	))
	return strings.Join(parts, "\n")
}

func (f *figures) cpuDetails() string {
	rows := [][]string{{"CPU a send, template of", "State", "Sends a round", "Relay", "Service", "Ratio", "Ratio of single rounds"}}
	for _, c := range f.costs {
		ratio, least, most := c.ratio()
		rows = append(rows, []string{
			fmt.Sprintf("%d bytes", c.load.templateSize), string(c.kind), fmt.Sprint(c.load.sends), microseconds(middle(c.relay)), microseconds(middle(c.service)),
			fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f to %.2f", least, most),
		})
	}
	return table(rows...)
}

func (f *figures) latencyDetails() string {
	rows := [][]string{{"Added latency", "Sends", "p50", "p90", "p99", "Most", "Peak memory"}}
	for _, l := range f.latencies {
		what := "through the service, on " + string(l.kind)
		if l.added == nil {
			rows = append(rows, []string{what, "0", notMeasured, "", "", "", ""})
			continue
		}
		row := append([]string{what}, spread(l.added, 50, 90, 99, 100)...)
		rows = append(rows, append(row, megabytes(l.peakMemory)))
	}
	direct := append([]string{"straight to the upstream"}, spread(f.direct, 50, 90, 99, 100)...)
	return table(append(rows, append(direct, ""))...)
}

func (f *figures) ceilingDetails() string {
	direct, queued := medianCost(f.ceilingDirect), medianCost(f.ceilingQueued)
	row := func(what string, cpu time.Duration, rounds []cost, each func(cost) time.Duration) []string {
		times := make([]time.Duration, len(rounds))
		for i, c := range rounds {
			times[i] = each(c)
		}
		times = sorted(times)
		return []string{
			what, fmt.Sprint(f.plan.ceiling.sends), fmt.Sprintf("%.0f", perSecond(middle(times))),
			fmt.Sprintf("%.0f to %.0f", perSecond(times[len(times)-1]), perSecond(times[0])), microseconds(cpu),
		}
	}
	answered := func(c cost) time.Duration { return c.answered }
	delivered := func(c cost) time.Duration { return c.delivered }
	return table(
		[]string{"As fast as it goes, on " + string(sqlite), "Sends a round", "A second", "Single rounds", "CPU a send"},
		row("direct sends, answered 200", direct.cpu, f.ceilingDirect, answered),
		row("queued sends, answered 202", queued.cpu, f.ceilingQueued, answered),
		row("queued sends, delivered", queued.cpu, f.ceilingQueued, delivered),
	)
}

func (f *figures) readDetails(log *logFigures) string {
	rows := [][]string{{fmt.Sprintf("Log of %s messages in %s", thousands(f.plan.log.rows), log.kind), "Times", "Median", "p99"}}
	for _, r := range log.reads {
		rows = append(rows, append([]string{r.what}, spread(r.took, 50, 99)...))
	}
	return table(rows...)
}

func (f *figures) growthDetails() string {
	rows := [][]string{{"A send with a log of", "In", "Sends a round", "CPU", "Time"}}
	for _, log := range f.logs {
		for _, side := range []struct {
			rows  int
			costs []cost
		}{{0, log.empty}, {f.plan.log.rows, log.full}} {
			c := medianCost(side.costs)
			rows = append(rows, []string{
				thousands(side.rows) + " messages", string(log.kind), fmt.Sprint(f.plan.log.sends.sends), microseconds(c.cpu), microseconds(c.answered),
			})
		}
	}
	return table(rows...)
}

// spread returns the cells for the number of times and their percentiles.
func spread(ascending []time.Duration, percents ...float64) []string {
	cells := []string{fmt.Sprint(len(ascending))}
	for _, p := range percents {
		cells = append(cells, milliseconds(percentile(ascending, p)))
	}
	return cells
}

//go:embed document.md.tmpl
var documentTemplate string

// document is the file of the figures, for readers who have not seen the bench.
func (f *figures) document(machine string, at time.Time) (string, error) {
	parsed, err := template.New("document").Option("missingkey=error").Parse(documentTemplate)
	if err != nil {
		return "", err
	}
	plan := f.plan
	var b strings.Builder
	err = parsed.Execute(&b, map[string]any{
		"Date": at.UTC().Format(time.DateOnly), "Machine": machine, "Procs": runtime.GOMAXPROCS(0),
		"Summary": f.summary(), "Details": f.details(),
		"Rounds": plan.rounds, "Connections": plan.connections, "WarmUp": plan.warmUp,
		"Scrapes": scrapes, "Rate": plan.rate, "Wait": plan.answerTime.Milliseconds(), "Load": plan.latencyTime.Seconds(),
		"UnderWay":           int(plan.answerTime.Seconds() * float64(plan.rate)),
		"CeilingConnections": plan.ceiling.connections, "CeilingRounds": plan.ceilingRounds,
		"Rows": thousands(plan.log.rows), "Days": int(logTime.Hours() / 24), "Reads": plan.log.reads, "ReadTime": readTime.Seconds(),
		"LogConnections": plan.log.sends.connections, "LogRounds": plan.log.rounds,
	})
	return b.String(), err
}

func met(ok bool) string {
	if ok {
		return "yes"
	}
	return "**no**"
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func percent(part float64) string { return fmt.Sprintf("%.1f %%", 100*part) }

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// table renders rows, the first of which is the head, as Markdown whose columns
// stand below each other.
func table(rows ...[]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	line := make([]string, len(widths))
	for i, width := range widths {
		line[i] = strings.Repeat("-", width)
	}
	var b strings.Builder
	for i, row := range rows {
		writeRow(&b, row, widths)
		if i == 0 {
			writeRow(&b, line, widths)
		}
	}
	return b.String()
}

func writeRow(b *strings.Builder, row []string, widths []int) {
	for i, cell := range row {
		b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
	}
	b.WriteString("|\n")
}
