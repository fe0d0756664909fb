//go:build unix

package chaos_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// A badCaller is one way for a caller to misbehave.
type badCaller struct {
	name     string
	faults   []sandbox.Fault
	behavior behavior
	parts    func(*request) []part
	want     []string
}

const mebi = 1 << 20

var badCallers = []badCaller{
	{name: "body in pieces over 1.5 s", parts: slowBody(15, 100*ms), want: []string{sent}},
	{name: "body arrives too slowly", parts: slowBody(60, 100*ms), want: []string{invalid}},
	{name: "body never arrives", parts: only(head("Content-Length: 200")), want: []string{invalid}},
	{name: "body never ends", parts: endless(40, 100*ms), want: []string{invalid}},
	{name: "header in pieces over 1.5 s", parts: slowHeader(15, 100*ms), want: []string{sent}},
	{name: "header in pieces over 3 s, upstream hangs", faults: []sandbox.Fault{{Kind: "hang"}}, parts: slowHeader(30, 100*ms), want: []string{invalid, unknown}},
	{name: "100 KiB header", parts: with("X-Filler: " + strings.Repeat("x", 100<<10)), want: []string{"431"}},
	{name: "2 MiB body", parts: filled(2), want: []string{invalid}},
	{name: "20 MiB body", parts: filled(20), want: []string{invalid}},
	{name: "2 MiB body, written before reading", behavior: behavior{writesFirst: true}, parts: filled(2), want: []string{invalid}},
	{name: "20 MiB body, written before reading", behavior: behavior{writesFirst: true}, parts: filled(20), want: []string{invalid}},
	{name: "2 MiB body without a token", behavior: behavior{writesFirst: true}, parts: withoutToken(2), want: []string{unauthorized}},
	{name: "malformed chunks", parts: only(head("Transfer-Encoding: chunked") + "zz\r\n{}\r\n"), want: []string{invalid}},
	{name: "chunk with an excessive length", parts: only(head("Transfer-Encoding: chunked") + "fffffffffffffff\r\n{}\r\n"), want: []string{invalid}},
	{name: "two Content-Length headers", parts: with("Content-Length: 7"), want: []string{"400"}},
	{name: "Content-Length and chunks", parts: with("Transfer-Encoding: chunked"), want: []string{"400", invalid}},
	{name: "garbage after the request", behavior: behavior{closes: true}, parts: followed("\x00\xff garbage \r\n\r\n"), want: []string{sent}},
	{name: "half a request after the request", behavior: behavior{closes: true}, parts: followed(head()[:60]), want: []string{sent}},
	{name: "waits for 100 Continue", parts: with("Expect: 100-continue"), want: []string{sent}},
	{name: "unknown Expect header", parts: with("Expect: the-unexpected"), want: []string{"417"}},
	{name: "HTTP/1.0", parts: replaced("HTTP/1.1", "HTTP/1.0"), want: []string{sent}},
	{name: "HTTP/9.9", parts: replaced("HTTP/1.1", "HTTP/9.9"), want: []string{"400", "505"}},
	{name: "no Host header", parts: replaced("Host: localhost\r\n", ""), want: []string{"400"}},
	{name: "NUL in a header", parts: with("X-Filler: a\x00b"), want: []string{"400"}},
	{name: "header without a name", parts: with(": " + mark), want: []string{"400"}},
	{name: "duplicate JSON key", parts: replaced(`"to":`, `"to":"a@example.com","to":`), want: []string{invalid, "400"}},
	{name: "two Authorization headers", parts: with("Authorization: Bearer " + adminToken), want: []string{unauthorized}},
	{name: "unknown token", parts: replaced(sendToken, sendToken+"x"), want: []string{unauthorized}},
	{name: "admin token on a send route", parts: replaced(sendToken, adminToken), want: []string{forbidden}},
	{name: "half-closes the connection", faults: []sandbox.Fault{{Kind: "delay", Duration: "1s"}}, behavior: behavior{halfCloses: true}, parts: (*request).whole, want: []string{sent, unknown, unavailable}},
	{name: "reads 16 bytes every 2 ms", behavior: behavior{readsEvery: 2 * ms}, parts: (*request).whole, want: []string{sent}},
	{name: "disconnects while sending the body", behavior: behavior{aborts: true}, parts: func(r *request) []part { p := r.whole(); p[0].text = p[0].text[:len(p[0].text)-5]; return p }},
	{name: "disconnects while the mail is sent", faults: []sandbox.Fault{{Kind: "delay", Duration: "1s"}}, behavior: behavior{aborts: true, abortAfter: 300 * ms}, parts: (*request).whole},
}

func only(text string) func(*request) []part {
	return func(*request) []part { return []part{{0, text}} }
}

// with adds a line to the header.
func with(line string) func(*request) []part {
	return func(r *request) []part { body := r.body(); return []part{{0, headFor(body, line) + body}} }
}

func replaced(from, to string) func(*request) []part {
	return func(r *request) []part {
		body := strings.Replace(r.body(), from, to, 1)
		return []part{{0, strings.Replace(headFor(body), from, to, 1) + body}}
	}
}

func followed(text string) func(*request) []part {
	return func(r *request) []part { return append(r.whole(), part{0, text}) }
}

// slowBody writes the body in n pieces.
func slowBody(n int, every time.Duration) func(*request) []part {
	return func(r *request) []part {
		body := r.body()
		return append([]part{{0, headFor(body)}}, pieces(body, n, every)...)
	}
}

func slowHeader(n int, every time.Duration) func(*request) []part {
	return func(r *request) []part {
		body := r.body()
		return append(pieces(headFor(body), n, every), part{0, body})
	}
}

func endless(n int, every time.Duration) func(*request) []part {
	return func(*request) []part {
		return append([]part{{0, head("Transfer-Encoding: chunked")}}, pieces(strings.Repeat("1\r\n \r\n", n), n, every)...)
	}
}

func pieces(text string, n int, every time.Duration) []part {
	var list []part
	size := (len(text) + n - 1) / n
	for ; len(text) > size; text = text[size:] {
		list = append(list, part{every, text[:size]})
	}
	return append(list, part{every, text})
}

// filler is one mebibyte of text.
var filler = strings.Repeat("x", mebi)

// filled returns a request whose body is valid JSON of that many mebibytes.
func filled(size int) func(*request) []part {
	return func(r *request) []part {
		before, after, _ := strings.Cut(r.body(), `en"`)
		length := strconv.Itoa(len(before) + size*mebi + len(`en"`) + len(after))
		parts := []part{{0, head("Content-Length: "+length) + before}}
		parts = append(parts, slices.Repeat([]part{{0, filler}}, size)...)
		return append(parts, part{0, `en"` + after})
	}
}

func withoutToken(size int) func(*request) []part {
	return func(r *request) []part {
		p := filled(size)(r)
		p[0].text = strings.Replace(p[0].text, sendToken, "", 1)
		return p
	}
}

func runCallers(t *testing.T, all *results, list []badCaller) {
	t.Helper()
	for _, b := range list {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			st := newSetup(t, 0, limitsOff)
			if err := st.sandbox.SetFaults(b.faults...); err != nil {
				t.Fatal(err)
			}
			requests := newRequests(times(16))
			for _, r := range requests {
				r.behavior = b.behavior
			}
			probe := st.probe(t)
			fire(st.service.address, requests, 8, b.parts)
			health := probe.end()
			result := count(t, "Caller", b.name, requests, st.end(t), health, st.service.log.String())
			result.allow(t, b.want...)
			all.add(result)
		})
	}
}
