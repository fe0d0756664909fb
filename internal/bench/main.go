//go:build linux

// Command bench measures the service against the project's targets and writes
// docs/benchmarks.md. It runs the service as users run it, in a process of its own
// on loopback, with a stand-in for Direct Mail. It needs Linux, for /proc.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"dmconnector/internal/postgrestest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute) // in case it hangs
	defer cancel()
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	quick := flags.Bool("quick", false, "take some seconds to check that everything runs; write no file")
	out := flags.String("out", filepath.Join("docs", "benchmarks.md"), "write the figures to this `file`")
	relayTo := flags.String("relay-to", "", "be the bare relay to this `URL` (the bench starts itself this way)")
	templateSize := flags.Int("template-size", 300, "size of the relay's template in `bytes`")
	_ = flags.Parse(args) // it exits if there is an error
	if *relayTo != "" {
		relay(ctx, *relayTo, *templateSize)
		return nil
	}
	dir, err := os.MkdirTemp("", "dmconnector-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for temporary files
	b := &bench{dir: dir, Plan: newPlan(*quick), Samples: make(map[string][]time.Duration), PeakMemory: make(map[string]float64), Growth: make(map[string]float64)}
	if err := b.measure(ctx); err != nil {
		return err
	}
	document, err := b.document()
	if err != nil || *quick {
		fmt.Print(document)
		return err
	}
	return os.WriteFile(*out, []byte(document), 0o644) //nolint:gosec // documentation is public
}

// A bench starts programs and measures them. The template of the document calls its
// exported methods.
type bench struct {
	Plan       plan
	Kinds      []string                   // of state to measure
	Samples    map[string][]time.Duration // by what was measured
	PeakMemory map[string]float64         // in MB, by the kind of state
	Growth     map[string]float64         // in MB, or a number, by what callers made grow
	Others     float64                    // CPUs that other programs used

	dir     string               // of all files
	server  *postgrestest.Server // nil if PostgreSQL is not installed
	states  int                  // that were made
	step    string               // what is being measured
	running *instance            // the last that was started
}

// A failure is what check panics with.
type failure struct{ error }

// check ends the measurements if there is an error: one that failed leaves nothing
// to go on with. The method measure stops what is running and returns the error.
func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// measure takes all figures, one after the other.
func (b *bench) measure(ctx context.Context) (err error) {
	defer func() {
		if b.running != nil {
			b.running.close()
		}
		switch p := recover().(type) {
		case nil:
		case failure:
			err = fmt.Errorf("%s: %w", b.step, p.error)
		default:
			panic(p)
		}
	}()
	b.begin("build dmconnector")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", b.path("dmconnector"), "dmconnector/cmd/dmconnector") //nolint:gosec // a file of ours
	build.Stderr = os.Stderr
	check(build.Run())
	b.measureDisk()
	begun, before := time.Now(), cpuOfOthers()
	defer func() { b.Others = max(0, cpuOfOthers()-before) / time.Since(begun).Seconds() }() // after PostgreSQL, our child, has ended
	b.Kinds = []string{memory, sqlite, postgres}
	server, err := postgrestest.New("shared_buffers=128MB") // PostgreSQL's default
	if missing, ok := errors.AsType[postgrestest.MissingError](err); ok {
		b.begin("leave PostgreSQL out: %v", missing)
		b.Kinds = b.Kinds[:2]
	} else {
		check(err)
		defer server.Close()
		b.server = server
	}
	b.measureCPU(ctx)
	b.measureLatency(ctx)
	b.measureThroughput(ctx)
	b.measureScrapes(ctx)
	b.measureGrowth(ctx)
	for _, kind := range b.Kinds[1:] {
		b.measureLog(ctx, kind)
	}
	b.measureStarts(ctx)
	return nil
}

// begin says what is being measured.
func (b *bench) begin(step string, args ...any) {
	b.step = fmt.Sprintf(step, args...)
	fmt.Fprintln(os.Stderr, "bench:", b.step)
}

func (b *bench) path(name string) string          { return filepath.Join(b.dir, name) }
func (b *bench) add(name string, d time.Duration) { b.Samples[name] = append(b.Samples[name], d) }

// measureDisk measures how long it takes until 4 KiB are on the disk.
func (b *bench) measureDisk() {
	f, err := os.Create(b.path("probe"))
	check(err)
	defer f.Close() //nolint:errcheck // nobody reads it
	for range 200 {
		begun := time.Now()
		_, err := f.Write(make([]byte, 4<<10))
		check(err)
		check(f.Sync())
		b.add("durable write", time.Since(begun))
	}
	if b.P(50, "durable write") < 10*time.Microsecond && b.Plan.Rounds > 1 {
		check(fmt.Errorf("set TMPDIR to a folder on a disk: %s is in memory", b.dir))
	}
}

// cpuOfOthers returns the seconds of CPU time so far of all programs but the bench
// and its children that have ended.
func cpuOfOthers() float64 {
	fs, err := procfs.NewDefaultFS()
	check(err)
	machine, err := fs.Stat()
	check(err)
	self, err := fs.Self()
	check(err)
	bench, err := self.Stat()
	check(err)
	ours := float64(bench.UTime+bench.STime) + float64(bench.CUTime+bench.CSTime) // in hundredths
	t := machine.CPUTotal
	return t.User + t.Nice + t.System + t.IRQ + t.SoftIRQ - ours/100
}

// P returns the least time that so many percent of the samples do not exceed.
func (b *bench) P(percent float64, name string) time.Duration {
	samples := slices.Sorted(slices.Values(b.Samples[name]))
	rank := int(math.Ceil(percent / 100 * float64(len(samples))))
	return samples[max(rank, 1)-1]
}

// Ratio compares two medians.
func (b *bench) Ratio(name, other string) float64 {
	return float64(b.P(50, name)) / float64(b.P(50, other))
}

// Ratios returns the least and the greatest ratio in one round.
func (b *bench) Ratios(name, other string) string {
	var ratios []float64
	for i, sample := range b.Samples[name] {
		ratios = append(ratios, float64(sample)/float64(b.Samples[other][i]))
	}
	return fmt.Sprintf("%.2f to %.2f", slices.Min(ratios), slices.Max(ratios))
}

// ScrapeShare returns the percentage of the CPU time that goes into scrapes, at the
// rate at which latency is measured.
func (b *bench) ScrapeShare() float64 {
	sends := float64(b.Plan.Rate) * b.Plan.ScrapeEvery.Seconds() // between two scrapes
	return 100 / (1 + sends*b.Ratio("CPU before scrapes", "CPU scrape"))
}

// Machine describes what the bench runs on.
func (*bench) Machine() string {
	fs, err := procfs.NewDefaultFS()
	check(err)
	cpus, err := fs.CPUInfo()
	check(err)
	return fmt.Sprintf("%s on %s/%s, %d CPUs (%s)", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cmp.Or(cpus[0].ModelName, "model unknown"))
}

//go:embed document.md.tmpl
var documentTemplate string

// document returns docs/benchmarks.md.
func (b *bench) document() (string, error) {
	parsed, err := template.New("document").Funcs(template.FuncMap{
		"date":      func() string { return time.Now().UTC().Format(time.DateOnly) },
		"ms":        func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) },
		"us":        func(d time.Duration) string { return fmt.Sprintf("%.1f µs", d.Seconds()*1e6) },
		"inMS":      func(d time.Duration) float64 { return d.Seconds() * 1e3 },
		"more":      func(ratio float64) float64 { return 100 * (ratio - 1) },
		"perSecond": func(each time.Duration) float64 { return 1 / each.Seconds() },
		"thousands": message.NewPrinter(language.English).Sprint,
		"target":    target,
	}).Parse(documentTemplate)
	if err != nil {
		return "", err
	}
	var document strings.Builder
	err = parsed.Execute(&document, b)
	return document.String(), err
}

// target returns the last cells of a target's row; the relation is ≤ or ≥.
func target(relation string, limit, measured float64, format string) string {
	met := "yes"
	if relation == "≤" && measured > limit || relation == "≥" && measured < limit {
		met = "**no**"
	}
	return fmt.Sprintf("%s "+format+" | "+format+" | %s", relation, limit, measured, met)
}
