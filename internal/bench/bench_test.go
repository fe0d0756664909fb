//go:build linux

package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
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

// missed has every figure a little beyond its target.
func missed() *figures {
	ms := func(n ...float64) []time.Duration {
		times := make([]time.Duration, len(n))
		for i := range n {
			times[i] = time.Duration(n[i] * float64(time.Millisecond))
		}
		return times
	}
	slow := func(kind storage) *logFigures {
		return &logFigures{
			kind:  kind,
			reads: []read{{what: "quick", took: ms(1)}, {what: "slow", took: ms(1, 20.1, 50)}, {what: "rarely slow", took: ms(1, 2, 900)}},
			empty: []cost{{cpu: 1000, answered: 1000}}, full: []cost{{cpu: 1201, answered: 1300}},
		}
	}
	return &figures{
		plan: fullPlan(30 * time.Second),
		costs: []costs{
			{load: load{300, 1000}, kind: memory, relay: []time.Duration{100}, service: []time.Duration{251}},
			{load: load{300, 250}, kind: sqlite, relay: []time.Duration{100}, service: []time.Duration{999}},
		},
		direct: ms(1),
		latencies: []latency{
			{kind: memory, added: ms(99), peakMemory: 99_000_000},
			{kind: sqlite, added: ms(11), peakMemory: 40_000_001},
			{kind: postgres, added: ms(26), peakMemory: 1},
		},
		ceilingDirect:   []cost{{answered: time.Second / 1499, delivered: time.Second}},
		ceilingQueued:   []cost{{answered: time.Second / 3000, delivered: time.Second / 2000}},
		scrapes:         scrapeFigures{scrape: 3100 * time.Microsecond, send: 100 * time.Microsecond},
		logs:            []*logFigures{slow(sqlite), slow(postgres)},
		sandboxStarts:   ms(1, 301, 1000),
		connectorStarts: ms(1, 301, 1000),
	}
}

// lastColumn returns the last cell of each of a table's rows below the head.
func lastColumn(table string) []string {
	var cells []string
	for line := range strings.Lines(table) {
		row := strings.Split(line, "|")
		cells = append(cells, strings.TrimSpace(row[len(row)-2]))
	}
	return cells[2:]
}

func TestSummarySaysWhatIsNotMet(t *testing.T) {
	f := missed()
	want := slices.Repeat([]string{"**no**"}, 14)
	if diff := cmp.Diff(want, lastColumn(f.summary())); diff != "" {
		t.Errorf("the last column (-want +got):\n%s", diff)
	}

	// Each is met now, by as little.
	f.costs[0].service[0] = 250
	f.latencies[1] = latency{kind: sqlite, added: []time.Duration{10 * time.Millisecond}, peakMemory: 40_000_000}
	f.latencies[2].added[0] = 25 * time.Millisecond
	f.ceilingDirect[0].answered = time.Second / 1501
	f.scrapes.scrape = 3 * time.Millisecond
	for _, log := range f.logs {
		log.reads[1].took[1] = 20 * time.Millisecond
		log.full[0] = cost{cpu: 1200, answered: 1200}
	}
	f.sandboxStarts[1], f.connectorStarts[1] = 300*time.Millisecond, 300*time.Millisecond
	for i := range want {
		want[i] = "yes"
	}
	if diff := cmp.Diff(want, lastColumn(f.summary())); diff != "" {
		t.Errorf("the last column of what is met (-want +got):\n%s", diff)
	}

	f.logs[0].full[0] = cost{cpu: 1201, answered: 1200}
	f.logs[1].full[0] = cost{cpu: 1200, answered: 1201}
	want[7], want[11] = "**no**", "**no**"
	if diff := cmp.Diff(want, lastColumn(f.summary())); diff != "" {
		t.Errorf("the last column with a full log that costs more CPU or time (-want +got):\n%s", diff)
	}
}

func TestWhatIsNotMeasuredIsNeitherMetNorMissed(t *testing.T) {
	f := missed()
	f.latencies[2] = latency{kind: postgres}
	f.logs = f.logs[:1]
	for _, text := range []string{f.summary(), f.details()} {
		found := false
		for line := range strings.Lines(text) {
			found = found || strings.Contains(line, "PostgreSQL") && strings.Contains(line, notMeasured) && !strings.Contains(line, "no**")
		}
		if !found {
			t.Errorf("it is not said that nothing was measured on PostgreSQL:\n%s", text)
		}
	}
}

func TestDocumentIsComplete(t *testing.T) {
	f := missed()
	got, err := f.document("a machine.", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		f.summary(), f.details(), "2030-01-02, a machine.", "for 30 s", "waits 200 ms", "20 sends under way", "1,000,000 messages", "64 connections",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the document lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "<no value>") {
		t.Errorf("the document has a gap:\n%s", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 10_000: "10,000", 1_234_567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestRowsOfTheLog(t *testing.T) {
	const rows = 100_000
	columns := []string{"id", "connector", "type", "state", "code", "address", "body", "created_at", "updated_at", "due_at", "expires_at", "report"}
	values := []any{"the sample", "c", "t", "s", "", []byte("its address"), []byte("b"), int64(1), int64(1), int64(1), int64(1), "{}"}
	now := time.Now()
	s, err := newSample(columns, values, rows, now)
	if err != nil {
		t.Fatal(err)
	}
	last, states, toSample, together := "", map[any]int{}, 0, 0
	for n := range rows {
		row := s.row(n)
		id := row[0].(string)
		if id <= last && n > 0 && id[:13] != last[:13] {
			t.Fatalf("row %d has the id %s after %s", n, id, last)
		}
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 {
			t.Fatalf("row %d has the id %s, which is no UUID of version 7", n, id)
		}
		at := time.UnixMicro(row[7].(int64))
		if got, want := id[:8]+id[9:13], fmt.Sprintf("%012x", at.UnixMilli()); got != want {
			t.Fatalf("row %d has the id of %s, want %s", n, got, want)
		}
		if at.Before(now.Add(-logTime-time.Second)) || !at.Before(now) {
			t.Fatalf("row %d is of %v", n, at)
		}
		if bytes.Equal(row[5].([]byte), values[5].([]byte)) {
			toSample++
		}
		if row[1] == "third" && row[2] == "SignIn" {
			together++
		}
		states[row[3]]++
		last = id
	}
	if toSample != 5 || together != 0 || states["dead"] != 2 {
		t.Errorf("%d rows are to the sample's address, want 5; %d are of third and SignIn, want 0; the states are %v, want 2 dead", toSample, together, states)
	}
	if states["sent"] < rows*97/100 || states["failed"] < rows/100 || len(states) != 5 {
		t.Errorf("the states are %v", states)
	}
	if values[0] != "the sample" || len(s.ids) != someIDs || !slices.IsSorted(s.ids) {
		t.Errorf("the sample is %v, and %d ids are known, want %d in order", values[0], len(s.ids), someIDs)
	}
}

func TestSampleMustHaveTheColumns(t *testing.T) {
	if _, err := newSample([]string{"id", "state"}, []any{"", ""}, 1, time.Now()); err == nil || !strings.Contains(err.Error(), "connector") {
		t.Errorf("a table without columns: %v", err)
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

func TestQueuedSendsAskForIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer") == "respond-async" {
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	defer server.Close()
	route := sendRoute(server.URL)
	defer route.close()
	if err := route.send(t.Context(), 1); err != nil {
		t.Error("direct:", err)
	}
	route.queued = true
	if err := route.send(t.Context(), 1); err != nil {
		t.Error("queued:", err)
	}
	server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	if err := route.send(t.Context(), 1); err == nil {
		t.Error("a queued send that was answered 200 counts")
	}
}

func TestFillSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const rows = chunk + 1
	_, err = db.Exec(`CREATE TABLE message (id TEXT PRIMARY KEY, connector, type, state, code, address, body, created_at, updated_at, due_at, expires_at, report)`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fill(t.Context(), sqlite, "sqlite:"+path, rows); err == nil {
		t.Error("a log without a message was filled")
	}
	if _, err := db.Exec(`INSERT INTO message VALUES ('sample', 'c', 't', 's', '', x'01', x'02', 1, 1, 1, 1, 'its report')`); err != nil {
		t.Fatal(err)
	}
	ids, err := fill(t.Context(), sqlite, "sqlite:"+path, rows)
	if err != nil {
		t.Fatal(err)
	}
	var all, copies, known int
	row := db.QueryRow(`SELECT count(*), sum(report = 'its report'), sum(id = $1) FROM message`, ids[len(ids)/2])
	if err := row.Scan(&all, &copies, &known); err != nil {
		t.Fatal(err)
	}
	if all != rows+1 || copies != rows+1 || known != 1 {
		t.Errorf("the log has %d messages, %d of them with the report, and %d of one of the ids", all, copies, known)
	}
}

func TestQuestions(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		fmt.Fprint(w, `{"messages":[{"id":"1"},{"id":"2"}]}`)
	}))
	defer server.Close()
	s := &stage{process: &process{url: server.URL}, route: sendRoute(server.URL)}
	defer s.route.close()

	r := read{least: 2, ask: func(n int) question {
		return []question{{path: "/api/messages?limit=2"}, {"/api/messages/search", []byte(`{}`)}}[n]
	}}
	if err := r.measure(t.Context(), s, 2); err != nil || len(r.took) != 2 {
		t.Errorf("%d answers, %v", len(r.took), err)
	}
	if diff := cmp.Diff([]string{"GET /api/messages?limit=2 ", "POST /api/messages/search {}"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	r.least = 3
	if err := r.measure(t.Context(), s, 1); err == nil {
		t.Error("an answer with too few messages counts")
	}
}
