package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// summary is a table of the targets and whether they are met.
func (f *figures) summary() string {
	ratio, least, most := f.costs[0].ratio()
	p99, memory := percentile(f.added, 99), f.peakMemory
	start := func(times []time.Duration) []string {
		took := percentile(times, 50)
		return []string{fmt.Sprintf("≤ %d ms", maxStart.Milliseconds()), milliseconds(took), met(took <= maxStart)}
	}
	return table([][]string{
		{"What", "Target", "Measured", "Met"},
		{
			fmt.Sprintf("CPU a send, template of %d bytes, against a bare relay", f.costs[0].load.bodySize),
			fmt.Sprintf("≤ %.1f times", maxCostRatio), fmt.Sprintf("%.2f times (%.2f to %.2f)", ratio, least, most), met(ratio <= maxCostRatio),
		},
		{
			fmt.Sprintf("added latency at %d sends a second, 99th percentile", f.plan.rate),
			"≤ " + milliseconds(maxAdded), milliseconds(p99), met(p99 <= maxAdded),
		},
		{
			"memory under that load, peak", "≤ " + mebibytes(maxMemory), mebibytes(memory), met(memory <= maxMemory),
		},
		append([]string{"start to first answer, `serve --sandbox`"}, start(f.sandboxStarts)...),
		append([]string{"start to first answer, `serve --connectors`"}, start(f.connectorStarts)...),
	})
}

// details are the tables behind the summary.
func (f *figures) details() string {
	cpu := [][]string{{"Template", "Relay, µs", "Service, µs", "Ratio", "Ratio of single rounds"}}
	for _, c := range f.costs {
		ratio, least, most := c.ratio()
		cpu = append(cpu, []string{
			fmt.Sprintf("%d bytes", c.load.bodySize), microseconds(middle(c.relay)), microseconds(middle(c.service)),
			fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f to %.2f", least, most),
		})
	}
	row := func(what string, times []time.Duration) []string {
		return []string{
			what, fmt.Sprint(len(times)), milliseconds(percentile(times, 50)), milliseconds(percentile(times, 90)),
			milliseconds(percentile(times, 99)), milliseconds(percentile(times, 100)),
		}
	}
	latency := [][]string{
		{"Added latency", "Sends", "p50", "p90", "p99", "Most"},
		row("through the service", f.added),
		row("straight to the upstream", f.direct),
	}
	starts := [][]string{{"Start to first answer", "Starts", "Median", "Least", "Most"}}
	for _, kind := range []struct {
		name  string
		times []time.Duration
	}{{"`serve --sandbox`", f.sandboxStarts}, {"`serve --connectors`", f.connectorStarts}} {
		starts = append(starts, []string{
			kind.name, fmt.Sprint(len(kind.times)), milliseconds(percentile(kind.times, 50)),
			milliseconds(kind.times[0]), milliseconds(percentile(kind.times, 100)),
		})
	}
	return table(cpu) + "\n" + table(latency) + "\n" + table(starts)
}

// document is the file of the figures, for readers who have not seen the bench.
func (f *figures) document(machine string, at time.Time) string {
	return fmt.Sprintf(`# Benchmarks

`+"`make bench`"+` measures and writes this file; do not edit it. Last run: %s, on %s.
The bench runs the service as users run it, as a process of its own, with an upstream and a load that the bench makes itself, all over loopback.

%s
## How to measure it again

On Linux with Go, in the project's folder, on a machine that has nothing else to do:

`+"```sh"+`
go run ./internal/bench              # all of it, 3 minutes; make bench is the same
go run ./internal/bench -out FILE    # write to another file than this
go run ./internal/bench -quick       # a few seconds, to see that it runs; writes nothing
`+"```"+`

## The figures

%s
## What they mean

**CPU a send** is the user and system time of the process, by its threads' schedstat, divided by the number of sends.
The service signs, checks the token and the message, renders the template and writes a log line to a file; each of its mails is seen to arrive whole, and each log line is counted.
The bare relay is a handler of net/http that decodes the same request, puts the code in its place and posts a form with the same fields over a kept connection: less is not possible, so its cost is the unit.
Both are started anew for each of %d rounds, take turns, get GOMAXPROCS=%d, are warmed up with %d sends and then counted over %s, on %d connections that never wait.
The figures are medians.

**Added latency** is the time from the moment at which a send was due to its answer, less the time that the upstream, which waits %d ms, had that very mail in its hands.
Sends come at a constant rate, whether or not the ones before are answered, so that one slow answer hides no other.
The row for the upstream itself is what of it belongs to the machine and to the bench.

**Memory** is the most that was resident (VmHWM) from the service's start to the end of that load, with the ready-made templates: %d sends at %d a second, some %d under way at once.

**Start to first answer** is from the program's start to the first 200 of `+"`/healthz`"+`, with the ready-made templates; the median counts.
`, at.UTC().Format(time.DateOnly), machine, f.summary(), f.details(),
		f.plan.rounds, runtime.GOMAXPROCS(0), f.plan.warmUp, f.requests(), f.plan.connections,
		f.plan.answerTime.Milliseconds(), len(f.added), f.plan.rate, f.plan.rate*int(f.plan.answerTime.Milliseconds())/1000)
}

// requests lists how many sends were counted a round, by the template's size.
func (f *figures) requests() string {
	counts := make([]string, len(f.costs))
	for i, c := range f.costs {
		counts[i] = fmt.Sprint(c.load.requests)
	}
	return strings.Join(counts, ", ")
}

// machineFacts says what of this machine bears on the figures.
func machineFacts() string {
	facts := fmt.Sprintf("%s/%s with %d CPUs and %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	info, _ := os.ReadFile("/proc/cpuinfo") // some machines do not name their CPU
	for line := range strings.Lines(string(info)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return facts + ", " + strings.TrimSpace(model)
		}
	}
	return facts
}

func met(ok bool) string {
	if ok {
		return "yes"
	}
	return "**no**"
}

func microseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Microsecond))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// table renders rows, the first of which is the head, as Markdown whose columns
// stand below each other.
func table(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				b.WriteString("|" + strings.Repeat("-", width+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}
