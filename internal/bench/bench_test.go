//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"dmconnector/internal/postgrestest"
)

func newBench(samples map[string][]time.Duration) *bench {
	b := &bench{Plan: newPlan(false), Kinds: []string{memory, sqlite, postgres}, Samples: samples, PeakMemory: make(map[string]float64), Growth: make(map[string]float64)}
	if samples == nil {
		b.Samples = make(map[string][]time.Duration)
	}
	return b
}

// failureOf returns the error with which f fails a check.
func failureOf(f func()) (err error) {
	defer func() {
		if p, ok := recover().(failure); ok {
			err = p.error
		}
	}()
	f()
	return nil
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	tests := map[string]struct {
		samples []time.Duration
		percent float64
		want    time.Duration
	}{
		"least":                 {hundred, 0, 1},
		"median":                {hundred, 50, 50},
		"99th":                  {hundred, 99, 99},
		"greatest":              {hundred, 100, 100},
		"median of an odd list": {[]time.Duration{9, 1, 5}, 50, 5},
		"99th of a short list":  {[]time.Duration{9, 1, 5}, 99, 9},
		"one value":             {[]time.Duration{7}, 50, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(map[string][]time.Duration{"x": tt.samples})
			if got := b.P(tt.percent, "x"); got != tt.want {
				t.Errorf("percentile %v = %d, want %d", tt.percent, got, tt.want)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	b := newBench(map[string][]time.Duration{"relay": {100, 110, 90}, "service": {300, 220, 200}})
	if got := b.Ratio("service", "relay"); got != 2.2 {
		t.Errorf("ratio = %v, want 2.2", got)
	}
	if got := b.Ratios("service", "relay"); got != "2.00 to 3.00" {
		t.Errorf("ratios = %q", got)
	}
}

func TestScrapeShare(t *testing.T) {
	// 1500 sends of 1 ms between two scrapes of 500 ms: a quarter of 2 s.
	b := newBench(map[string][]time.Duration{"CPU before scrapes": {time.Millisecond}, "CPU scrape": {500 * time.Millisecond}})
	if got := b.ScrapeShare(); math.Abs(got-25) > 1e-9 {
		t.Errorf("share = %v %%, want 25", got)
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

// The CPU time of this process is what getrusage says, and does not count as that of
// other programs.
func TestCPUTime(t *testing.T) {
	process, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	self := &exec.Cmd{Process: process}
	used := func() time.Duration {
		var usage unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
			t.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	const burn, tick = 300 * time.Millisecond, 10 * time.Millisecond
	machine, others, begun := machineCPU(t), cpuOfOthers(), used()
	for used() < begun+burn {
	}
	least := used()
	got := cpuTime(self)
	if most := used(); got < least-tick || got > most+tick {
		t.Errorf("CPU time = %v, and getrusage said %v before and %v after", got, least, most)
	}
	others = cpuOfOthers() - others
	machine = machineCPU(t) - machine
	if most := machine - burn.Seconds() + 5*tick.Seconds(); others > most {
		t.Errorf("others used %v s of the machine's %v s, with %v of our own", others, machine, burn)
	}
}

// machineCPU returns the seconds that all CPUs were busy, from /proc/stat.
func machineCPU(t *testing.T) float64 {
	t.Helper()
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	var user, nice, system, idle, wait, irq, softIRQ float64
	if _, err := fmt.Sscanf(string(data), "cpu %g %g %g %g %g %g %g", &user, &nice, &system, &idle, &wait, &irq, &softIRQ); err != nil {
		t.Fatal(err)
	}
	return (user + nice + system + irq + softIRQ) / 100
}

// missed has every figure a little beyond its target.
func missed() *bench {
	ms := func(n ...float64) []time.Duration {
		times := make([]time.Duration, len(n))
		for i := range n {
			times[i] = time.Duration(n[i] * float64(time.Millisecond))
		}
		return times
	}
	b := newBench(map[string][]time.Duration{
		"durable write": ms(1), "latency memory": ms(99), "latency SQLite": ms(10.1), "latency PostgreSQL": ms(25.1), "latency upstream": ms(1),
		"answered direct": {time.Second / 1499}, "CPU direct": ms(1),
		"answered queued": ms(1), "delivered queued": ms(2), "CPU queued": ms(1),
		"CPU before scrapes": {100 * time.Microsecond}, "CPU scrape": {3100 * time.Microsecond},
		"start --sandbox": ms(1000, 1, 301), "start --connectors": ms(1000, 1, 301),
	})
	for _, size := range b.Plan.TemplateSizes {
		b.Samples[fmt.Sprintf("CPU relay %d", size)] = ms(100)
		b.Samples[fmt.Sprintf("CPU memory %d", size)] = ms(251)
		b.Samples[fmt.Sprintf("CPU SQLite %d", size)] = ms(999)
	}
	for _, kind := range []string{sqlite, postgres} {
		for _, r := range b.Reads() {
			b.Samples[kind+" "+r.What] = ms(1)
		}
		b.Samples["read "+kind] = ms(1, 20.1, 1)
		b.Samples["CPU empty "+kind], b.Samples["CPU full "+kind] = ms(100), ms(121)
		b.Samples["answered empty "+kind], b.Samples["answered full "+kind] = ms(100), ms(121)
	}
	b.PeakMemory[sqlite] = 40.1
	b.Growth["state"], b.Growth["log"], b.Growth["memory"], b.Growth["queued"] = 403.6, 0.1006, 200.1, 4500
	return b
}

func document(t *testing.T, b *bench) string {
	t.Helper()
	text, err := b.document()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// verdicts returns the last cell of each row of the first table.
func verdicts(document string) (cells []string) {
	_, table, _ := strings.Cut(document, "|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table + "\n") {
		row := strings.Split(line, "|")
		cells = append(cells, strings.TrimSpace(row[len(row)-2]))
	}
	return cells
}

func TestDocumentSaysWhatIsNotMet(t *testing.T) {
	b := missed()
	want := slices.Repeat([]string{"**no**"}, 17)
	if diff := cmp.Diff(want, verdicts(document(t, b))); diff != "" {
		t.Errorf("the last column (-want +got):\n%s", diff)
	}

	// Each is met now, by as little.
	b.Samples["CPU memory 300"][0] = 250 * time.Millisecond
	b.Samples["latency SQLite"][0] = 10 * time.Millisecond
	b.Samples["latency PostgreSQL"][0] = 25 * time.Millisecond
	b.PeakMemory[sqlite] = 40
	b.Growth["state"], b.Growth["log"], b.Growth["memory"] = 403, 0.1, 200
	b.Samples["answered direct"][0] = time.Second / 1501
	b.Samples["CPU scrape"][0] = 3 * time.Millisecond
	for _, kind := range []string{sqlite, postgres} {
		b.Samples["read "+kind][1] = 20 * time.Millisecond
		b.Samples["CPU full "+kind][0] = 120 * time.Millisecond
		b.Samples["answered full "+kind][0] = 120 * time.Millisecond
	}
	b.Samples["start --sandbox"][2], b.Samples["start --connectors"][2] = 300*time.Millisecond, 300*time.Millisecond
	for i := range want {
		want[i] = "yes"
	}
	if diff := cmp.Diff(want, verdicts(document(t, b))); diff != "" {
		t.Errorf("the last column of what is met (-want +got):\n%s", diff)
	}
}

func TestDocumentWithoutPostgres(t *testing.T) {
	b := missed()
	b.Kinds = b.Kinds[:2]
	text := document(t, b)
	if got := len(verdicts(text)); got != 13 {
		t.Errorf("%d targets, want 13 without the four on PostgreSQL:\n%s", got, text)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") && strings.Contains(line, postgres) {
			t.Errorf("a row on PostgreSQL: %s", line)
		}
	}
}

func TestDocumentIsComplete(t *testing.T) {
	got := document(t, missed())
	for _, want := range []string{
		"Last run: " + time.Now().UTC().Format("2006-"), "4500 sends at a constant rate of 100 per second", "waits 200 ms", "as 1,000,000 messages", "64 connections that",
		"| 12288 bytes | SQLite | 6000 | 100000.0 µs | 999000.0 µs | 9.99 | 9.99 to 9.99 |",
		"| through the service, on SQLite | 1 | 10.1 ms | 10.1 ms | 10.1 ms | 10.1 ms | 40.1 MB |",
		"| queued sends, delivered | 15000 | 500 | 500 to 500 | 1000.0 µs |",
		"| connector and type of no message | 1 | 1.0 ms | 1.0 ms |",
		"| 1,000,000 messages | PostgreSQL | 3000 | 121000.0 µs | 121000.0 µs |",
		"after 4500 of them it is full",
		"| `serve --sandbox` | 11 | 1.0 ms | 301.0 ms | 1000.0 ms |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the document lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "<no value>") {
		t.Errorf("the document has a gap:\n%s", got)
	}
}

func TestDocumentNeedsEveryFigure(t *testing.T) {
	b := missed()
	delete(b.Samples, "CPU queued")
	if text, err := b.document(); err == nil {
		t.Errorf("a document without one of its figures:\n%s", text)
	}
}

const messageTable = `
CREATE TABLE message (id TEXT PRIMARY KEY, connector TEXT, type TEXT, state TEXT, code TEXT, address %[1]s, created_at BIGINT, updated_at BIGINT, report TEXT);
INSERT INTO message VALUES ('sample', 'c', 't', 's', '', CAST('its address' AS %[1]s), 1, 1, 'its report')`

func open(t *testing.T, driver, address, statements string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestFillSQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, "sqlite", "file:"+path, fmt.Sprintf(messageTable, "BLOB"))
	testFill(t, db, sqlite, "sqlite:"+path)
}

func TestFillPostgres(t *testing.T) {
	address := postgrestest.Start(t).Database(t)
	db := open(t, "pgx", address, fmt.Sprintf(messageTable, "BYTEA"))
	testFill(t, db, postgres, address)
}

func testFill(t *testing.T, db *sql.DB, kind, state string) {
	const rows = 25_000
	begun := time.Now()
	ids := fill(t.Context(), kind, state, rows)

	found, err := db.Query(`SELECT id, connector, type, state, code, address, created_at, updated_at, report FROM message WHERE id <> 'sample' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var all, toSample, together, last int64
	states, codes, known := map[string]int{}, map[string]string{}, 0
	for found.Next() {
		var id, connector, usageType, state, code, report string
		var address []byte
		var created, updated int64
		if err := found.Scan(&id, &connector, &usageType, &state, &code, &address, &created, &updated, &report); err != nil {
			t.Fatal(err)
		}
		at := time.UnixMicro(created)
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 || id[:8]+id[9:13] != fmt.Sprintf("%012x", at.UnixMilli()) {
			t.Fatalf("a message of %v has the id %s, want a UUID of version 7 of that time", at, id)
		}
		if created <= last || updated != created || at.Before(begun.Add(-30*24*time.Hour)) || at.After(time.Now()) || report != "its report" {
			t.Fatalf("message %s after one of %d: created %d, updated %d, report %q", id, last, created, updated, report)
		}
		last = created
		all++
		states[state]++
		codes[state] = code
		if string(address) == "its address" {
			toSample++
		} else if len(address) != 32 {
			t.Fatalf("an address's hash is %x", address)
		}
		if connector == "third" && usageType == "SignIn" {
			together++
		}
		if slices.Contains(ids, id) {
			if known++; all > rows/2 {
				t.Errorf("the id %s is not of the older half", id)
			}
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	if all != rows || toSample != 2 || together != 0 || known != len(ids) || known != 500 {
		t.Errorf("%d messages, want %d; %d to the sample's address, want 2; %d of third and SignIn, want none; %d of %d ids, want 500", all, rows, toSample, together, known, len(ids))
	}
	if states["dead"] != 1 || states["sent"] < rows*97/100 || states["failed"] < rows*2/100 || len(states) != 5 {
		t.Errorf("the states are %v", states)
	}
	want := map[string]string{"sent": "", "expired": "", "failed": "recipient_rejected", "dead": "provider_rejected", "unknown": "outcome_unknown"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestFillNeedsTheColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, "sqlite", "file:"+path, `CREATE TABLE message (id TEXT PRIMARY KEY, state TEXT); INSERT INTO message VALUES ('sample', 's')`)
	err := failureOf(func() { fill(t.Context(), sqlite, "sqlite:"+path, 1000) })
	if err == nil || !strings.Contains(err.Error(), "connector") {
		t.Errorf("a table without columns: %v", err)
	}
}

// The relay in this process, under the load and before the upstream of a measurement.
func TestLoadOfTheRelay(t *testing.T) {
	u := newUpstream(300, 0)
	defer u.Close()
	relay := httptest.NewServer(relayHandler(u.URL, 300))
	defer relay.Close()
	s := &instance{upstream: u, url: relay.URL, client: newClient()}

	results := s.attack(t.Context(), load{request: send, first: 100, count: 20, connections: 3})
	u.waitFor(t.Context(), 20)
	for n := 100; n < 120; n++ {
		if _, ok := u.mails.Load(recipient(n)); !ok {
			t.Errorf("no mail to %s has arrived", recipient(n))
		}
	}
	if len(results) != 20 || u.count.Load() != 20 {
		t.Errorf("%d results and %d mails, want 20", len(results), u.count.Load())
	}

	b := newBench(nil)
	b.Plan.Rate, b.Plan.LatencySends = 1000, 25
	b.addLatency(t.Context(), "relay", s, send)
	if added := b.Samples["latency relay"]; len(added) != 25 || b.P(0, "latency relay") <= 0 {
		t.Errorf("the added latencies are %v", added)
	}

	u.templateSize = 301
	err := failureOf(func() { s.attack(t.Context(), load{request: send, count: 20, connections: 3}) })
	if err == nil || !strings.Contains(err.Error(), "/api/send") {
		t.Errorf("mails of the wrong size: %v", err)
	}
}

// What the upstream takes is not latency of the service.
func TestAddedLatency(t *testing.T) {
	u := newUpstream(0, 200*time.Millisecond)
	defer u.Close()
	relay := httptest.NewServer(relayHandler(u.URL, 300))
	defer relay.Close()
	b := newBench(nil)
	b.Plan.Rate, b.Plan.LatencySends = 100, 1
	begun := time.Now()
	b.addLatency(t.Context(), "relay", &instance{upstream: u, url: relay.URL, client: newClient()}, send)
	if all, added := time.Since(begun), b.P(50, "latency relay"); added <= 0 || added > all-200*time.Millisecond {
		t.Errorf("added = %v of %v with 200 ms at the upstream", added, all)
	}
}

func TestQueuedSendsAskForIt(t *testing.T) {
	status := map[bool]int{false: http.StatusOK, true: http.StatusAccepted}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status[r.Header.Get("Prefer") == "respond-async"])
	}))
	defer server.Close()
	s := &instance{url: server.URL, client: newClient()}
	direct, queued := load{request: send, count: 5, connections: 2}, load{request: send, count: 5, connections: 2, status: http.StatusAccepted}
	if err := failureOf(func() { s.attack(t.Context(), direct) }); err != nil {
		t.Error("direct:", err)
	}
	if err := failureOf(func() { s.attack(t.Context(), queued) }); err != nil {
		t.Error("queued:", err)
	}
	server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	if err := failureOf(func() { s.attack(t.Context(), queued) }); err == nil || !strings.Contains(err.Error(), "answered 200") {
		t.Errorf("queued sends that are answered 200: %v", err)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	defer server.Close()
	s := &instance{url: server.URL, client: newClient()}
	err := failureOf(func() { s.attack(ctx, load{request: send, count: math.MaxInt, connections: 1}) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a load whose context has ended: %v", err)
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
	s := &instance{url: server.URL, client: newClient()}
	b := newBench(nil)
	b.Plan.Reads = 3

	b.ask(t.Context(), s, sqlite, read{What: "page", results: 2, path: "?before=$id"}, []string{"a", "b"})
	b.ask(t.Context(), s, sqlite, read{What: "search", method: http.MethodPost, path: "/search", body: "{}"}, []string{"a"})
	want := []string{
		"GET /api/messages?before=a ", "GET /api/messages?before=b ", "GET /api/messages?before=a ",
		"POST /api/messages/search {}", "POST /api/messages/search {}", "POST /api/messages/search {}",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if page, medians := b.Samples["SQLite page"], b.Samples["read SQLite"]; len(page) != 3 || len(medians) != 2 || medians[0] != b.P(50, "SQLite page") {
		t.Errorf("%d answers, and the medians %v", len(page), medians)
	}
	err := failureOf(func() { b.ask(t.Context(), s, sqlite, read{What: "page", results: 3}, []string{"a"}) })
	if err == nil || !strings.Contains(err.Error(), "must have 3") {
		t.Errorf("an answer with too few messages: %v", err)
	}
}

// Every request has its own recipient, which its result names.
func TestSendRequest(t *testing.T) {
	target := send(7)
	request, err := target.Request()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	if request.URL.Fragment != recipient(7) || !strings.Contains(string(body), `"to":"`+recipient(7)+`"`) {
		t.Errorf("the request to %s is %s", request.URL, body)
	}
	if got := request.URL.RequestURI(); got != "/api/send" {
		t.Errorf("what is sent asks for %s", got)
	}
}
