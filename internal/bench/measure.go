//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"text/template"
	"time"

	"github.com/prometheus/procfs"
	vegeta "github.com/tsenart/vegeta/v12/lib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// A plan says how much to measure.
type plan struct {
	Rounds, ThroughputRounds, Starts, Scrapes, Reads       int
	WarmUp, Sends, ThroughputSends, LogSends, LatencySends int   // in a round
	Connections, ThroughputConnections, Rate, Rows         int   // Rate: sends per second; Rows: of the delivery log
	TemplateSizes                                          []int // in bytes
	AnswerTime, ScrapeEvery, ReadTime, HangTime            time.Duration
	Rejected                                               int // requests of each kind
}

func newPlan(quick bool) plan {
	p := plan{
		Rounds: 5, ThroughputRounds: 3, Starts: 11, Scrapes: 200, Reads: 200,
		WarmUp: 2000, Sends: 6000, ThroughputSends: 15_000, LogSends: 3000, LatencySends: 4500,
		Connections: 8, ThroughputConnections: 64, Rate: 100, Rows: 1_000_000, TemplateSizes: []int{300, 2 << 10, 12 << 10},
		AnswerTime: 200 * time.Millisecond, ScrapeEvery: 15 * time.Second, ReadTime: 5 * time.Second, HangTime: 7 * time.Second,
		Rejected: 20_000,
	}
	if quick {
		p.Rounds, p.ThroughputRounds, p.Starts, p.Reads, p.Rows = 1, 1, 3, 10, 10_000
		p.WarmUp, p.Sends, p.ThroughputSends, p.LogSends, p.LatencySends, p.Rejected = 100, 300, 1000, 300, 100, 2000
	}
	return p
}

// A load is a number of requests.
type load struct {
	request      func(n int) vegeta.Target // the nth; its URL is a path
	first, count int                       // of n
	rate         int                       // requests per second; 0: each connection makes its next when it has its answer
	connections  int                       // at most
	status       int                       // of every answer; 0: 200; with 202, queued sends are asked for
	last         int                       // the status of an answer that ends the load; 0: none does
	atMost       time.Duration             // the load then ends early; 0: it does not
}

// attack makes the requests. An answer with another status is an error.
func (s *instance) attack(ctx context.Context, l load) (results []*vegeta.Result) {
	var made atomic.Int64
	targets := func(t *vegeta.Target) error {
		n := int(made.Add(1)) - 1
		if n >= l.count {
			return vegeta.ErrNoTargets
		}
		*t = l.request(l.first + n)
		t.URL = s.url + t.URL
		if l.status == http.StatusAccepted {
			t.Header.Set("Prefer", "respond-async")
		}
		return nil
	}
	attacker := vegeta.NewAttacker(vegeta.Client(s.client), vegeta.MaxWorkers(uint64(l.connections))) //nolint:gosec // it is not negative
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	for r := range attacker.Attack(targets, vegeta.Rate{Freq: l.rate, Per: time.Second}, l.atMost, "") {
		if r.Error == vegeta.ErrNoTargets.Error() {
			continue // all requests were made
		}
		if l.last > 0 && int(r.Code) == l.last {
			attacker.Stop()
			continue
		}
		if int(r.Code) != max(l.status, http.StatusOK) {
			attacker.Stop()
			check(fmt.Errorf("%s %s was answered %d: %s %s", r.Method, r.URL, r.Code, r.Error, r.Body))
		}
		results = append(results, r)
	}
	check(ctx.Err())
	return results
}

// recipient returns the nth address. Each request has its own, so that no limit
// slows the load down.
func recipient(n int) string { return fmt.Sprintf("user-%d@example.com", n) }

// send returns the nth send request, as Logto makes it. The recipient is also the
// URL's fragment, which is not sent but kept in the result.
func send(n int) vegeta.Target {
	return vegeta.Target{
		Method: http.MethodPost, URL: "/api/send#" + recipient(n),
		Header: http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}},
		Body: fmt.Appendf(nil, `{"to":%q,"type":"SignIn","payload":{"code":"%06d","locale":"en",`+
			`"application":{"id":"u7s9rg093bdktvkskbkba","name":"Example"}},"ip":"203.0.113.7"}`, recipient(n), n%1_000_000),
	}
}

// round measures what a send costs a program that has just been started, and ends it.
// The samples are its CPU time, and the time until all sends have their answers and
// until all mails have arrived. The sends that warm the program up do not count.
func (b *bench) round(ctx context.Context, name string, s *instance, sends load) {
	warm, count := sends, time.Duration(sends.count)
	warm.count, sends.first = b.Plan.WarmUp, sends.first+b.Plan.WarmUp
	s.attack(ctx, warm)
	s.waitFor(ctx, warm.count)
	begun, before := time.Now(), cpuTime(s.process)
	s.attack(ctx, sends)
	b.add("answered "+name, time.Since(begun)/count)
	s.waitFor(ctx, warm.count+sends.count)
	b.add("delivered "+name, time.Since(begun)/count)
	b.add("CPU "+name, (cpuTime(s.process)-before)/count)
	s.close()
}

// measureCPU takes turns, so that whatever else the machine does affects all alike.
func (b *bench) measureCPU(ctx context.Context) {
	for _, size := range b.Plan.TemplateSizes {
		b.begin("measure CPU time per send, template of %d bytes", size)
		for range b.Plan.Rounds {
			sends := load{request: send, count: b.Plan.Sends, connections: b.Plan.Connections}
			u := newUpstream(size, 0)
			b.round(ctx, fmt.Sprintf("relay %d", size), b.start(ctx, u, "/proc/self/exe", "-relay-to", u.URL, "-template-size", strconv.Itoa(size)), sends)
			for _, kind := range []string{memory, sqlite} {
				b.round(ctx, fmt.Sprintf("%s %d", kind, size), b.service(ctx, newUpstream(size, 0), b.newState(ctx, kind)), sends)
				log, _ := os.ReadFile(b.path("log")) // no log has no lines
				if lines := bytes.Count(log, []byte("\n")); lines < b.Plan.Sends {
					check(fmt.Errorf("the service has logged %d lines only", lines))
				}
			}
		}
	}
}

// measureLatency makes sends at a constant rate, first to the upstream itself.
func (b *bench) measureLatency(ctx context.Context) {
	b.begin("measure latency")
	u := newUpstream(0, b.Plan.AnswerTime)
	defer u.Close()
	b.addLatency(ctx, "upstream", &instance{upstream: u, url: u.URL, client: newClient()}, func(n int) vegeta.Target {
		return vegeta.Target{Method: http.MethodPost, URL: "/?ToAddress=" + recipient(n) + "#" + recipient(n)}
	})
	for _, kind := range b.Kinds {
		s := b.service(ctx, newUpstream(0, b.Plan.AnswerTime), b.newState(ctx, kind))
		b.addLatency(ctx, kind, s, send)
		b.PeakMemory[kind] = s.peakMemory()
		s.close()
	}
}

// peakMemory returns the most memory that was resident in the process so far, in MB.
func (s *instance) peakMemory() float64 {
	process, err := procfs.NewProc(s.process.Process.Pid)
	check(err)
	status, err := process.NewStatus()
	check(err)
	return float64(status.VmHWM) / 1e6
}

// addLatency makes requests at a constant rate. The samples are the times from when
// each was due to its answer, less the time that the upstream had its mail.
func (b *bench) addLatency(ctx context.Context, name string, s *instance, request func(int) vegeta.Target) {
	begun := time.Now()
	for _, r := range s.attack(ctx, load{request: request, count: b.Plan.LatencySends, rate: b.Plan.Rate, connections: 1000}) {
		_, to, _ := strings.Cut(r.URL, "#")
		upstreamTime, _ := s.mails.Load(to)
		due := begun.Add(time.Duration(r.Seq+1) * time.Second / time.Duration(b.Plan.Rate)) //nolint:gosec // it is small
		b.add("latency "+name, r.End().Sub(due)-upstreamTime.(time.Duration))
	}
}

// measureThroughput makes sends as fast as the service takes them.
func (b *bench) measureThroughput(ctx context.Context) {
	b.begin("measure throughput")
	for range b.Plan.ThroughputRounds {
		sends := load{request: send, count: b.Plan.ThroughputSends, connections: b.Plan.ThroughputConnections}
		b.round(ctx, "direct", b.service(ctx, newUpstream(0, 0), b.newState(ctx, sqlite)), sends)
		sends.status = http.StatusAccepted
		b.round(ctx, "queued", b.service(ctx, newUpstream(0, 0), b.newState(ctx, sqlite)), sends)
	}
}

// measureScrapes measures scrapes by themselves, after some sends: they cost less
// than one round of sends differs from another.
func (b *bench) measureScrapes(ctx context.Context) {
	b.begin("measure scrapes")
	s := b.service(ctx, newUpstream(0, 0), b.newState(ctx, memory))
	begun := cpuTime(s.process)
	s.attack(ctx, load{request: send, count: b.Plan.LogSends, connections: b.Plan.Connections})
	sent := cpuTime(s.process)
	results := s.attack(ctx, load{count: b.Plan.Scrapes, connections: 1, request: func(int) vegeta.Target {
		return vegeta.Target{Method: http.MethodGet, URL: "/metrics", Header: http.Header{"Accept-Encoding": {"gzip"}}} // as Prometheus does
	}})
	b.add("CPU scrape", (cpuTime(s.process)-sent)/time.Duration(b.Plan.Scrapes))
	b.add("CPU before scrapes", (sent-begun)/time.Duration(b.Plan.LogSends))
	if encoding := results[0].Headers.Get("Content-Encoding"); encoding != "gzip" {
		check(fmt.Errorf("a scrape is encoded as %q", encoding))
	}
	s.close()
}

// A read is a question that an admin asks of the delivery log.
type read struct {
	What    string
	results int    // at least, in each answer
	path    string // below that of messages; "$id" is a message's id
	method  string // "" is GET
	body    string
}

// Reads are all questions.
func (*bench) Reads() []read {
	return []read{
		{What: "first page", results: 50},
		{What: "page deep in the log", results: 1, path: "?before=$id"},
		{What: "state dead (1 of 50,000)", results: 1, path: "?state=dead"},
		{What: "states failed and unknown", results: 50, path: "?state=failed,unknown"},
		{What: "connector (1 of 10)", results: 50, path: "?connector=second"},
		{What: "type (1 of 20)", results: 50, path: "?type=Generic"},
		{What: "connector, type and state", results: 1, path: "?connector=second&type=Generic&state=failed"},
		{What: "connector and type of no message", path: "?connector=third&type=SignIn"},
		{What: "connector, type and state of no message", path: "?connector=third&type=SignIn&state=failed"},
		{What: "search by address", results: 1, method: http.MethodPost, path: "/search", body: fmt.Sprintf(`{"address":%q}`, recipient(0))},
		{What: "one message", path: "/$id"},
	}
}

// measureLog measures reads of a long delivery log, and sends with it and without.
func (b *bench) measureLog(ctx context.Context, kind string) {
	b.begin("measure a delivery log of %d messages in %s", b.Plan.Rows, kind)
	state := b.newState(ctx, kind)
	s := b.service(ctx, newUpstream(0, 0), state)
	s.attack(ctx, load{request: send, count: 1, connections: 1})
	s.close()
	ids := fill(ctx, kind, state, b.Plan.Rows)
	s = b.service(ctx, newUpstream(0, 0), state)
	for _, r := range b.Reads() {
		b.ask(ctx, s, kind, r, ids)
	}
	s.close()
	for n := range b.Plan.Rounds {
		// Each round has its own recipients, so that no limit slows it down.
		sends := load{request: send, first: (n + 1) * 1_000_000, count: b.Plan.LogSends, connections: b.Plan.Connections}
		b.round(ctx, "empty "+kind, b.service(ctx, newUpstream(0, 0), b.newState(ctx, kind)), sends)
		b.round(ctx, "full "+kind, b.service(ctx, newUpstream(0, 0), state), sends)
	}
}

// ask asks the question again and again, about other messages where it has an id.
func (b *bench) ask(ctx context.Context, s *instance, kind string, r read, ids []string) {
	question := func(n int) vegeta.Target {
		return vegeta.Target{
			Method: cmp.Or(r.method, http.MethodGet), URL: "/api/messages" + strings.Replace(r.path, "$id", ids[n%len(ids)], 1), Body: []byte(r.body),
			Header: http.Header{"Authorization": {"Bearer " + adminToken}, "Content-Type": {"application/json"}},
		}
	}
	for _, answer := range s.attack(ctx, load{request: question, count: b.Plan.Reads, connections: 1, atMost: b.Plan.ReadTime}) {
		var page struct {
			Messages []json.RawMessage `json:"messages"`
		}
		check(json.Unmarshal(answer.Body, &page))
		if len(page.Messages) < r.results {
			check(fmt.Errorf("%s has %d messages, must have %d", r.What, len(page.Messages), r.results))
		}
		b.add(kind+" "+r.What, answer.Latency)
	}
	b.add("read "+kind, b.P(50, kind+" "+r.What))
}

//go:embed fill.sql
var fillSQL string

// fill copies the one message of a state, whose service is stopped, into a long
// delivery log of the last 29 days. It returns ids of the older half.
func fill(ctx context.Context, kind, state string, rows int) (ids []string) {
	// A server of that age would have vacuumed, and the copies need not survive a power cut.
	driver, address, finish := "pgx", state, "VACUUM ANALYZE message"
	if kind == sqlite {
		driver, address = "sqlite", "file:"+strings.TrimPrefix(state, "sqlite:")+"?_pragma=synchronous(OFF)&_pragma=cache_size(-400000)"
		finish = "PRAGMA wal_checkpoint(TRUNCATE)"
	}
	const logTime = 29 * 24 * time.Hour // less than the service keeps
	begin, step := time.Now().Add(-logTime), (logTime / time.Duration(rows)).Truncate(time.Microsecond)
	var statements strings.Builder
	check(template.Must(template.New("fill").Parse(fillSQL)).Execute(&statements, map[string]any{
		"SQLite": kind == sqlite, "Rows": rows, "Begin": begin.UnixMicro(), "Step": step.Microseconds(),
	}))
	db, err := sql.Open(driver, address)
	check(err)
	defer db.Close() //nolint:errcheck // the statements count
	for _, statement := range []string{statements.String(), finish} {
		_, err := db.ExecContext(ctx, statement)
		check(err)
	}
	for n := 1; n < rows/2; n += rows / 1000 {
		at := begin.Add(step * time.Duration(n)).UnixMilli()
		ids = append(ids, fmt.Sprintf("%08x-%04x-7000-8000-%012x", at>>16, at&0xffff, n)) // as fill.sql has it
	}
	return ids
}

// measureGrowth measures what callers can make the log, the state and the memory grow by:
// without a token, with many Idempotency-Keys over a limit, and by filling the queue.
func (b *bench) measureGrowth(ctx context.Context) {
	b.begin("measure what callers can make grow")
	state := b.newState(ctx, sqlite)
	s := b.service(ctx, newUpstream(0, b.Plan.HangTime), state)
	changed := func(n, recipientOf int, header, value, text string) vegeta.Target {
		r := send(recipientOf)
		r.Header.Set(header, value)
		// Without an application none supersedes another.
		r.Body = bytes.Replace(r.Body, []byte(`"application"`), fmt.Appendf(nil, `"n":"%d%s","other"`, n, text), 1)
		return r
	}
	size := func(names ...string) (megabytes float64) {
		for _, name := range names {
			if file, err := os.Stat(name); err == nil {
				megabytes += float64(file.Size()) / 1e6
			}
		}
		return megabytes
	}
	keyed := load{connections: b.Plan.Connections, count: 10, request: func(n int) vegeta.Target { return changed(n, 0, "Idempotency-Key", strconv.Itoa(n), "") }}
	s.attack(ctx, keyed)
	before := size(b.path("log"))
	s.attack(ctx, load{connections: b.Plan.Connections, count: b.Plan.Rejected, status: http.StatusUnauthorized, request: func(n int) vegeta.Target {
		return changed(n, n, "Authorization", "Bearer another-token-0123456789", "")
	}})
	keyed.first, keyed.count, keyed.status = 10, b.Plan.Rejected, http.StatusTooManyRequests
	s.attack(ctx, keyed)
	b.Growth["log"] = size(b.path("log")) - before
	var text strings.Builder
	for n := range 14 {
		fmt.Fprintf(&text, `","text%d":"%s`, n, strings.Repeat("x", 4000))
	}
	queued := s.attack(ctx, load{connections: b.Plan.Connections, count: 1_000_000, status: http.StatusAccepted, last: http.StatusServiceUnavailable, request: func(n int) vegeta.Target {
		return changed(n, n+1, "Prefer", "respond-async", text.String())
	}})
	path := strings.TrimPrefix(state, "sqlite:")
	b.Growth["queued"], b.Growth["state"] = float64(len(queued)), size(path, path+"-wal")
	b.Growth["memory"] = s.peakMemory()
	s.close()
}

// measureStarts measures the time from a command's start to its first answer.
func (b *bench) measureStarts(ctx context.Context) {
	b.begin("measure start-up time")
	health := load{count: 1, connections: 1, request: func(int) vegeta.Target { return vegeta.Target{Method: http.MethodGet, URL: "/healthz"} }}
	measure := func(name string, start func(*upstream) *instance) {
		u, begun := newUpstream(0, 0), time.Now()
		s := start(u)
		s.attack(ctx, health)
		b.add("start "+name, time.Since(begun))
		s.close()
	}
	state := b.newState(ctx, sqlite)
	for range b.Plan.Starts {
		measure("--sandbox", func(u *upstream) *instance {
			return b.start(ctx, u, b.path("dmconnector"), "serve", "--listen", "127.0.0.1:0", "--sandbox", "--sandbox-listen", "127.0.0.1:0")
		})
		measure("--connectors", func(u *upstream) *instance { return b.service(ctx, u, state) })
	}
}
