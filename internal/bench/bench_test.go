package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	tests := map[string]struct {
		ascending []time.Duration
		p         float64
		want      time.Duration
	}{
		"least":                 {hundred, 0, 1},
		"median":                {hundred, 50, 50},
		"99th":                  {hundred, 99, 99},
		"most":                  {hundred, 100, 100},
		"median of an odd list": {[]time.Duration{1, 5, 9}, 50, 5},
		"99th of a short list":  {[]time.Duration{1, 5, 9}, 99, 9},
		"one value":             {[]time.Duration{7}, 50, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := percentile(tt.ascending, tt.p); got != tt.want {
				t.Errorf("percentile %v = %d, want %d", tt.p, got, tt.want)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	c := costs{relay: []time.Duration{100, 110, 90}, service: []time.Duration{300, 220, 200}}
	median, least, most := c.ratio()
	want := []float64{2.2, 2, 3}
	if diff := cmp.Diff(want, []float64{median, least, most}); diff != "" {
		t.Errorf("median, least, most (-want +got):\n%s", diff)
	}
}

func TestTemplateHasItsSize(t *testing.T) {
	for _, size := range []int{300, 301, 2 << 10, 12 << 10} {
		template := templateOfSize(size)
		if len(template) != size || strings.Count(template, placeholder) != 1 {
			t.Errorf("the template of %d bytes has %d, and %d places for a code", size, len(template), strings.Count(template, placeholder))
		}
	}
}

func TestPeakMemory(t *testing.T) {
	got, err := parsePeak("Name:\tdmconnector\nVmPeak:\t  99 kB\nVmHWM:\t   25000 kB\nVmRSS:\t   20000 kB\n")
	if want := int64(25_600_000); got != want || err != nil {
		t.Errorf("peak = %d, %v, want %d", got, err, want)
	}
	if _, err := parsePeak("Name:\tdmconnector\n"); err == nil {
		t.Error("a status without VmHWM has a peak")
	}
}

func TestOtherPrograms(t *testing.T) {
	use := func(machine, self string, second int) cpuUse {
		u, err := parseCPUUse(machine, self)
		if err != nil {
			t.Fatal(err)
		}
		u.at = time.Unix(int64(second), 0)
		return u
	}
	// Of the machine's fields idle and iowait, 4 and 5, do not count.
	before := use("cpu 100 0 50 9000 9000 0 0 0 0 0\ncpu0 1 1\n", "7 (go (x)) S 1 1 1 0 -1 0 0 0 0 0 10 10 5 5 20", 0)
	after := use("cpu 700 10 260 99000 99000 10 20 0 0 0\n", "7 (go (x)) S 1 1 1 0 -1 0 0 0 0 0 110 60 155 55 20", 10)
	// 850 ticks by all, 350 of them ours: 5 s in 10.
	if got := after.others(before); got != 0.5 {
		t.Errorf("other programs used %v CPUs, want 0.5", got)
	}
}

func TestTable(t *testing.T) {
	got := table([]string{"What", "Took"}, []string{"a `send`", "≤ 5 µs"})
	want := `
| What     | Took   |
| -------- | ------ |
| a ` + "`send`" + ` | ≤ 5 µs |
`
	if diff := cmp.Diff(want, "\n"+got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestSummarySaysWhatIsNotMet(t *testing.T) {
	f := &figures{
		costs:           []costs{{load: load{templateSize: 300}, relay: []time.Duration{100}, service: []time.Duration{251}}},
		added:           []time.Duration{11 * time.Millisecond},
		peakMemory:      40_000_001,
		sandboxStarts:   []time.Duration{time.Millisecond, 301 * time.Millisecond, time.Second},
		connectorStarts: []time.Duration{time.Millisecond, 300 * time.Millisecond, time.Second},
	}
	var got []string
	for line := range strings.Lines(f.summary()) {
		cells := strings.Split(line, "|")
		got = append(got, strings.TrimSpace(cells[len(cells)-2]))
	}
	want := []string{"Met", "----", "**no**", "**no**", "**no**", "**no**", "yes"}
	want[1] = strings.Repeat("-", len("**no**"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the last column (-want +got):\n%s", diff)
	}
}

func TestDocumentIsComplete(t *testing.T) {
	ms := []time.Duration{time.Millisecond}
	f := &figures{
		plan:  fullPlan(30 * time.Second),
		costs: []costs{{load: load{300, 1000}, relay: ms, service: ms}},
		added: ms, direct: ms, sandboxStarts: ms, connectorStarts: ms,
	}
	got, err := f.document("a machine.", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{f.summary(), f.details(), "2030-01-02, a machine.", "for 30 s", "waits 200 ms", "20 sends under way"} {
		if !strings.Contains(got, want) {
			t.Errorf("the document lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "<no value>") {
		t.Errorf("the document has a gap:\n%s", got)
	}
}

// The relay in this process, under the load and before the upstream of a
// measurement.
func TestLoadOfTheRelay(t *testing.T) {
	u := &upstream{templateSize: 300}
	if err := u.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer u.close()
	relay := httptest.NewServer(relayHandler{newLoadClient(), u.url, templateOfSize(300)})
	defer relay.Close()
	route := sendRoute(relay.URL)
	defer route.close()

	if err := route.closedLoop(t.Context(), 3, 0, 20); err != nil {
		t.Error("closed loop:", err)
	}
	took, err := route.openLoop(t.Context(), time.Millisecond, 25)
	if err != nil {
		t.Error("open loop:", err)
	}
	for n, d := range took {
		if d < u.times()[recipient(n)] {
			t.Errorf("request %d took %v, and its mail %v", n, d, u.times()[recipient(n)])
		}
	}
	if got := len(u.times()); got != 25 {
		t.Errorf("mails to %d recipients arrived, want 25", got)
	}

	u.templateSize = 301
	if err := route.closedLoop(t.Context(), 3, 0, 20); err == nil || !strings.Contains(err.Error(), "answered 502") {
		t.Errorf("mails of the wrong size: %v", err)
	}
}
