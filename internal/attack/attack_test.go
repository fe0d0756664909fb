//go:build linux

package attack_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scenario is one attack.
type scenario struct {
	name  string
	setup setup
	// run attacks, and returns what was tried, how often, and what became of it. It
	// fails the test if the service does not resist.
	run func(t *testing.T, g *target) (tried, outcome string)
}

// TestAttackSuite runs all scenarios and reports the figures. Those that mostly wait run
// at once, beside those that keep the processors busy, one after the other.
func TestAttackSuite(t *testing.T) {
	build(t)
	connections := connectionAttacks()
	waiting := slices.Concat(connections, otherAttacks())
	busy := slices.Concat(contentAttacks(), ipAttacks(), growthAttacks(), endpointAttacks())
	rows := make([]row, len(waiting)+len(busy))
	t.Run("all", func(t *testing.T) {
		t.Run("busy", func(t *testing.T) {
			t.Parallel()
			for i, s := range busy {
				t.Run(s.name, func(t *testing.T) { rows[len(waiting)+i] = s.measure(t) })
			}
		})
		for i, s := range waiting {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				rows[i] = s.measure(t)
			})
		}
	})
	first, last := len(connections), len(waiting)
	report(t, slices.Concat(rows[:first], rows[last:], rows[first:last]))
}

// measure runs a scenario, and checks what holds in each: the peak of memory, the good
// callers' answers, and the stop.
func (s scenario) measure(t *testing.T) row {
	t.Helper()
	begun := time.Now()
	g := start(t, s.setup)
	if !waitFor(startTime, func() bool { return g.senders.count() > 0 }) {
		t.Fatal("the first good send was not answered")
	}
	r := row{Name: s.name, cgroup: g.cgroup != ""}
	r.Tried, r.Outcome = s.run(t, g)
	// A short attack gets some good callers, too.
	waitFor(answerTime, func() bool { return g.stopped || g.senders.count() >= 15 })
	g.senders.judge(t)
	g.meter.stop()
	if !g.stopped {
		g.stop(t)
	}
	r.memory, r.sockets, r.disk = g.meter.memory.Load(), g.meter.sockets.Load(), g.meter.disk.Load()-g.meter.atStart
	r.logged, r.lines = g.log.bytes.Load(), g.log.lines.Load()
	r.sent, r.slowest = g.senders.sent, g.senders.slowest
	t.Logf("%s: %s: memory %s, sockets %s, disk %s, log %s in %d lines, %d good sends, slowest %s; %v in all", r.Tried, r.Outcome,
		r.Memory(), r.Sockets(), r.Disk(), mebibytes(r.logged), r.lines, r.sent, r.Slowest(), time.Since(begun).Round(time.Second))
	if r.memory > maxMemory {
		t.Errorf("peak memory is %s", r.Memory())
	}
	return r
}

// A row has the figures of a scenario.
type row struct {
	Name, Tried, Outcome string

	cgroup                               bool
	memory, sockets, disk, logged, lines int64
	sent                                 int
	slowest                              time.Duration
}

func (r row) Memory() string  { return mebibytes(r.memory) }
func (r row) Sockets() string { return thousands(int(r.sockets)) }
func (r row) Disk() string    { return mebibytes(r.disk) }
func (r row) Log() string     { return thousands(int(r.lines)) }
func (r row) Sent() string    { return thousands(r.sent) }
func (r row) Slowest() string { return strconv.FormatFloat(r.slowest.Seconds(), 'f', 2, 64) + " s" }

func mebibytes(n int64) string {
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
}

// thousands writes a number with a comma before every three digits.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// The table is in this page, between the marks.
const (
	document = "../../docs/security.md"
	opening  = "<!-- written by make attack -->\n"
	closing  = "<!-- end of what make attack writes -->\n"
)

// report writes the table with -attack.write.
func report(t *testing.T, rows []row) {
	t.Helper()
	if !*writeDoc || t.Failed() {
		return
	}
	if slices.ContainsFunc(rows, func(r row) bool { return r.Tried == "" }) {
		t.Fatal("write the table with all scenarios")
	}
	if unjudged.Load() {
		t.Fatalf("%s is not written: this machine is too busy, it delayed processes by %v", document, time.Duration(late.Load()))
	}
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), opening)
	_, after, closed := strings.Cut(rest, closing)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", document)
	}
	if err := os.WriteFile(document, []byte(before+opening+table(rows)+closing+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func table(rows []row) string {
	var text strings.Builder
	where := fmt.Sprintf("each service in a memory cgroup of %d MiB", cgroupMemory>>20)
	if slices.ContainsFunc(rows, func(r row) bool { return !r.cgroup }) {
		where = "without a memory cgroup, which could not be made"
	}
	fmt.Fprintf(&text, "\nLast run: %s, %s, %d CPUs, several attacks at once; %s. The peak of memory was %s.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), where,
		slices.MaxFunc(rows, func(a, b row) int { return cmp.Compare(a.memory, b.memory) }).Memory())
	text.WriteString("| Attack | How often | Memory | Sockets | Disk | Log lines | Good sends | Slowest | What became of it |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&text, "| %s |\n", strings.Join([]string{
			r.Name, r.Tried, r.Memory(), r.Sockets(), r.Disk(), r.Log(), r.Sent(), r.Slowest(), r.Outcome,
		}, " | "))
	}
	text.WriteString("\n")
	return text.String()
}

// A tally counts outcomes by name.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[outcome]++
}

func (c *tally) total() (n int) {
	for _, count := range c.counts {
		n += count
	}
	return n
}

// String lists the counts, the largest first.
func (c *tally) String() string {
	var parts []string
	for outcome := range c.counts {
		parts = append(parts, outcome)
	}
	slices.SortFunc(parts, func(a, b string) int {
		return cmp.Or(cmp.Compare(c.counts[b], c.counts[a]), strings.Compare(a, b))
	})
	for i, outcome := range parts {
		parts[i] = outcome + " × " + thousands(c.counts[outcome])
	}
	return strings.Join(parts, ", ")
}

// only fails the test for each outcome that is not wanted.
func (c *tally) only(t *testing.T, what string, want ...string) {
	t.Helper()
	if slices.ContainsFunc(slices.Collect(maps.Keys(c.counts)), func(outcome string) bool { return !slices.Contains(want, outcome) }) {
		t.Errorf("%s: %.2000s, want only %s", what, c, strings.Join(want, " or "))
	}
	if len(c.counts) == 0 {
		t.Errorf("%s: nothing was tried", what)
	}
}

// each calls do for 0 to n-1 with that many callers at once, and returns when all have.
func each(n, callers int, do func(i int)) {
	var running sync.WaitGroup
	queue := make(chan int)
	for range callers {
		running.Go(func() {
			for i := range queue {
				do(i)
			}
		})
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	running.Wait()
}
