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

// A badCaller is a way in which a caller misbehaves.
type badCaller struct {
	name   string
	faults []sandbox.Fault
	manner manner
	parts  func(*request) []part
	want   []string
}

const (
	invalid = "invalid_request"
	mebi    = 1 << 20
)

var badCallers = []badCaller{
	{name: "a body in pieces, for 1.5 s", parts: slowBody(15, 100*ms), want: []string{sent}},
	{name: "a body that comes too slowly", parts: slowBody(60, 100*ms), want: []string{invalid}},
	{name: "a body that does not come", parts: only(head("Content-Length: 200")), want: []string{invalid}},
	{name: "a body that does not end", parts: endless(40, 100*ms), want: []string{invalid}},
	{name: "a header in pieces, for 1.5 s", parts: slowHeader(15, 100*ms), want: []string{sent}},
	{name: "a header in pieces, for 3 s, upstream hangs", faults: []sandbox.Fault{{Kind: "hang"}}, parts: slowHeader(30, 100*ms), want: []string{invalid, unknown}},
	{name: "a header of 100 KiB", parts: with("X-Filler: " + strings.Repeat("x", 100<<10)), want: []string{"431"}},
	{name: "a body of 2 MiB", parts: filled(2), want: []string{invalid}},
	{name: "a body of 20 MiB", parts: filled(20), want: []string{invalid}},
	{name: "a body of 2 MiB, written before anything is read", manner: manner{writesOn: true}, parts: filled(2), want: []string{invalid}},
	{name: "a body of 20 MiB, written before anything is read", manner: manner{writesOn: true}, parts: filled(20), want: []string{invalid}},
	{name: "2 MiB without a token", manner: manner{writesOn: true}, parts: withoutToken(2), want: []string{"unauthorized"}},
	{name: "chunks that are none", parts: only(head("Transfer-Encoding: chunked") + "zz\r\n{}\r\n"), want: []string{invalid}},
	{name: "a chunk of no end", parts: only(head("Transfer-Encoding: chunked") + "fffffffffffffff\r\n{}\r\n"), want: []string{invalid}},
	{name: "two lengths", parts: with("Content-Length: 7"), want: []string{"400"}},
	{name: "a length and chunks", parts: with("Transfer-Encoding: chunked"), want: []string{"400", invalid}},
	{name: "garbage after the request", manner: manner{leaves: true}, parts: followed("\x00\xff garbage \r\n\r\n"), want: []string{sent}},
	{name: "half a request after the request", manner: manner{leaves: true}, parts: followed(head()[:60]), want: []string{sent}},
	{name: "waits for 100 Continue", parts: with("Expect: 100-continue"), want: []string{sent}},
	{name: "expects what nobody knows", parts: with("Expect: the-unexpected"), want: []string{"417"}},
	{name: "HTTP/1.0", parts: replaced("HTTP/1.1", "HTTP/1.0"), want: []string{sent}},
	{name: "HTTP/9.9", parts: replaced("HTTP/1.1", "HTTP/9.9"), want: []string{"400", "505"}},
	{name: "no host", parts: replaced("Host: localhost\r\n", ""), want: []string{"400"}},
	{name: "a NUL in a header", parts: with("X-Filler: a\x00b"), want: []string{"400"}},
	{name: "a header without a name", parts: with(": " + mark), want: []string{"400"}},
	{name: "a key twice", parts: replaced(`"to":`, `"to":"a@example.com","to":`), want: []string{invalid, "400"}},
	{name: "two tokens", parts: with("Authorization: Bearer " + adminToken), want: []string{"unauthorized"}},
	{name: "an unknown token", parts: replaced(sendToken, sendToken+"x"), want: []string{"unauthorized"}},
	{name: "a token for something else", parts: replaced(sendToken, adminToken), want: []string{"forbidden"}},
	{name: "closes its side of the connection", faults: []sandbox.Fault{{Kind: "delay", Duration: "1s"}}, manner: manner{halfCloses: true}, parts: (*request).whole, want: []string{sent, unknown, "unavailable"}},
	{name: "reads 16 bytes every 2 ms", manner: manner{readsEvery: 2 * ms}, parts: (*request).whole, want: []string{sent}},
	{name: "goes while the body comes", manner: manner{aborts: true}, parts: func(r *request) []part { p := r.whole(); p[0].text = p[0].text[:len(p[0].text)-5]; return p }},
	{name: "goes when the mail is written", faults: []sandbox.Fault{{Kind: "delay", Duration: "1s"}}, manner: manner{aborts: true, abortAfter: 300 * ms}, parts: (*request).whole},
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

// filler is a mebibyte of text.
var filler = strings.Repeat("x", mebi)

// filled is a request with a body of so many mebibytes, which is good JSON.
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

func runCallers(t *testing.T, book *ledger, list []badCaller) {
	t.Helper()
	for _, b := range list {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			st := newStage(t, 0, limitsOff)
			if err := st.sandbox.SetFaults(b.faults...); err != nil {
				t.Fatal(err)
			}
			requests := newRequests(times(16))
			for _, r := range requests {
				r.manner = b.manner
			}
			probe := st.probe(t)
			fire(st.service.address, requests, 8, b.parts)
			health := probe.end()
			result := count(t, "Caller", b.name, requests, st.end(t), health, st.service.log.String())
			result.allow(t, b.want...)
			book.add(result)
		})
	}
}
