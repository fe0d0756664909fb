//go:build unix

package chaos_test

import (
	"bytes"
	"cmp"
	_ "embed"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"
)

const document = "../../docs/reliability.md"

//go:embed testdata/reliability.md.tmpl
var documentText string

// A figure is a share of a total.
type figure struct{ n, of int }

// Percent never rounds up to 100.
func (f figure) Percent() string {
	if f.n == f.of {
		return "100 %"
	}
	return strconv.FormatFloat(float64(f.n*10000/f.of)/100, 'f', 2, 64) + " %"
}

func (c tally) Name() string     { return c.name }
func (c tally) Group() string    { return c.group }
func (c tally) Requests() string { return thousands(c.requests) }
func (c tally) Aborted() string  { return thousands(c.aborted) }
func (c tally) Answered() string { return figure{c.answered, c.requests - c.aborted}.Percent() }
func (c tally) InTime() string   { return figure{c.inTime, c.requests - c.aborted}.Percent() }
func (c tally) Slowest() string  { return strconv.FormatFloat(c.slowest.Seconds(), 'f', 2, 64) + " s" }
func (c tally) Twice() int       { return c.twice }
func (c tally) Late() int        { return c.late }
func (c tally) FalselySent() int { return c.falselySent }
func (c tally) FalselyRejected() int {
	return c.falselyRejected
}
func (c tally) Leaked() int        { return c.leaked }
func (c tally) ReadyFailures() int { return c.readyFailures }
func (c tally) Answers() string    { return c.answers() }

func (c stateTally) Name() string       { return c.name }
func (c stateTally) Kills() string      { return thousands(c.kills) }
func (c stateTally) Outages() string    { return thousands(c.outages) }
func (c stateTally) Reloads() string    { return thousands(c.reloads) }
func (c stateTally) Messages() string   { return thousands(c.messages) }
func (c stateTally) Direct() string     { return thousands(c.direct) }
func (c stateTally) Queued() string     { return thousands(c.queued) }
func (c stateTally) Lost() int          { return c.lost }
func (c stateTally) InFlight() string   { return thousands(c.inFlight) }
func (c stateTally) Resent() string     { return thousands(c.resent) }
func (c stateTally) Excess() int        { return c.excess }
func (c stateTally) Twice() int         { return c.twice }
func (c stateTally) FalselySent() int   { return c.falselySent }
func (c stateTally) Rejected() int      { return c.rejected }
func (c stateTally) Leaked() int        { return c.leaked }
func (c stateTally) Late() int          { return c.late }
func (c stateTally) ReadyFailures() int { return c.readyFailures }
func (c stateTally) Slowest() string {
	return strconv.FormatFloat(c.slowest.Seconds(), 'f', 1, 64) + " s"
}
func (c stateTally) Answers() string { return listCounts(c.outcomes) }

func (o throughput) Name() string  { return o.name }
func (o throughput) Limit() int    { return o.perSecond }
func (o throughput) Fit() string   { return strconv.FormatFloat(o.fit, 'f', 1, 64) }
func (o throughput) Tens() string  { return strconv.FormatFloat(o.tens, 'f', 1, 64) }
func (o throughput) Ratio() string { return strconv.FormatFloat(o.ratio(), 'f', 2, 64) }

// total is the sum of all rows.
func (l *results) total() tally {
	sum := tally{outcomes: map[string]int{}}
	for _, row := range l.rows {
		sum.requests += row.requests
		sum.aborted += row.aborted
		sum.answered += row.answered
		sum.inTime += row.inTime
		sum.twice += row.twice
		sum.late += row.late
		sum.falselySent += row.falselySent
		sum.falselyRejected += row.falselyRejected
		sum.leaked += row.leaked
		sum.readyFailures += row.readyFailures
		sum.slowest = max(sum.slowest, row.slowest)
		for outcome, n := range row.outcomes {
			sum.outcomes[outcome] += n
		}
	}
	return sum
}

// report logs the total, and writes the document with -chaos.write.
func (l *results) report(t *testing.T) {
	t.Helper()
	total := l.total()
	if total.requests == 0 {
		return
	}
	t.Logf("%s requests: answered %s, within %v %s, sent twice %d, late after the answer %d, ready while failing %d, falsely 200 %d, falsely rejected %d, leaked %d",
		total.Requests(), total.Answered(), answerTime, total.InTime(), total.twice, total.late, total.readyFailures, total.falselySent, total.falselyRejected, total.leaked)
	slices.SortStableFunc(l.rows, func(a, b tally) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.name, b.name))
	})
	slices.SortFunc(l.states, func(a, b stateTally) int { return strings.Compare(a.name, b.name) })
	var text bytes.Buffer
	err := template.Must(template.New("").Parse(documentText)).Execute(&text, map[string]any{
		"Rows": l.rows, "Total": total, "Throughput": l.throughput, "States": l.states, "Scenarios": len(l.rows),
		"Date": time.Now().UTC().Format(time.DateOnly), "Go": runtime.Version(), "CPUs": runtime.NumCPU(), "Race": raceEnabled(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !*writeDoc {
		return
	}
	if unjudged.Load() {
		t.Errorf("%s is not written: this machine is too busy, it delayed processes by %v", document, time.Duration(late.Load()))
		return
	}
	if err := os.WriteFile(document, text.Bytes(), 0o644); err != nil {
		t.Error(err)
	}
}

// thousands writes a number with a comma before every three digits.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
