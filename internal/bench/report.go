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
	cpu := f.costs[0]
	ratio, least, most := cpu.ratio()
	p99 := percentile(f.added, 99)
	sandbox, connectors := percentile(f.sandboxStarts, 50), percentile(f.connectorStarts, 50)
	return table(
		[]string{"What", "Target", "Measured", "Met"},
		[]string{
			fmt.Sprintf("CPU a send, template of %d bytes, against a bare relay", cpu.load.templateSize),
			fmt.Sprintf("≤ %.1f times", maxCostRatio), fmt.Sprintf("%.2f times (%.2f to %.2f)", ratio, least, most), met(ratio <= maxCostRatio),
		},
		[]string{
			fmt.Sprintf("Added latency at %d sends a second, 99th percentile", f.plan.rate),
			"≤ " + milliseconds(maxAdded), milliseconds(p99), met(p99 <= maxAdded),
		},
		[]string{"Memory under that load, peak", "≤ " + megabytes(maxMemory), megabytes(f.peakMemory), met(f.peakMemory <= maxMemory)},
		[]string{"Start to first answer, `serve --sandbox`", "≤ " + milliseconds(maxStart), milliseconds(sandbox), met(sandbox <= maxStart)},
		[]string{"Start to first answer, `serve --connectors`", "≤ " + milliseconds(maxStart), milliseconds(connectors), met(connectors <= maxStart)},
	)
}

// details are the tables behind the summary.
func (f *figures) details() string {
	cpu := [][]string{{"CPU a send, template of", "Sends a round", "Relay", "Service", "Ratio", "Ratio of single rounds"}}
	for _, c := range f.costs {
		ratio, least, most := c.ratio()
		cpu = append(cpu, []string{
			fmt.Sprintf("%d bytes", c.load.templateSize), fmt.Sprint(c.load.sends), microseconds(middle(c.relay)), microseconds(middle(c.service)),
			fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f to %.2f", least, most),
		})
	}
	latency := table(
		[]string{"Added latency", "Sends", "p50", "p90", "p99", "Most"},
		append([]string{"through the service"}, spread(f.added, 50, 90, 99, 100)...),
		append([]string{"straight to the upstream"}, spread(f.direct, 50, 90, 99, 100)...),
	)
	starts := table(
		[]string{"Start to first answer", "Starts", "Least", "Median", "Most"},
		append([]string{"`serve --sandbox`"}, spread(f.sandboxStarts, 0, 50, 100)...),
		append([]string{"`serve --connectors`"}, spread(f.connectorStarts, 0, 50, 100)...),
	)
	return table(cpu...) + "\n" + latency + "\n" + starts
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
	var b strings.Builder
	err = parsed.Execute(&b, map[string]any{
		"Date": at.UTC().Format(time.DateOnly), "Machine": machine, "Procs": runtime.GOMAXPROCS(0),
		"Summary": f.summary(), "Details": f.details(),
		"Rounds": f.plan.rounds, "Connections": f.plan.connections, "WarmUp": f.plan.warmUp,
		"Rate": f.plan.rate, "Wait": f.plan.answerTime.Milliseconds(), "Load": f.plan.latencyTime.Seconds(),
		"UnderWay": int(f.plan.answerTime.Seconds() * float64(f.plan.rate)),
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
