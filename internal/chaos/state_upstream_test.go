//go:build unix

package chaos_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"dmconnector/aliyundm/sandbox"
)

// An upstream is a sandbox that answers slowly, throttles a share of the calls, and
// records when each call began and ended.
type upstream struct {
	url     string
	sandbox *sandbox.Sandbox

	mu    sync.Mutex
	busy  float64                  // the share of calls to throttle
	held  map[string]chan struct{} // by code, for answers to hold
	calls []*call
}

// A call is one call of SingleSendMail.
type call struct {
	code     string
	html     string
	span     // ended is zero while it is in flight
	accepted bool
}

// A span is a period of time.
type span struct{ begun, ended time.Time }

func newUpstream(t *testing.T, busy float64) *upstream {
	t.Helper()
	box, server := newSandbox(t, 0)
	u := &upstream{sandbox: box, busy: busy, held: map[string]chan struct{}{}}
	front := httptest.NewServer(u)
	t.Cleanup(func() { front.CloseClientConnections(); front.Close(); server.Close() })
	u.url = front.URL
	return u
}

const throttled = `{"RequestId":"5D7B6D5F-0D2A-5C7F-9F6C-2F1B7C3D4E5F","HostId":"dm.aliyuncs.com","Code":"Throttling.User","Message":"Request was denied due to user flow control."}`

// ServeHTTP accepts a mail that has arrived, even if its sender is gone.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it has not arrived completely
	}
	c, throttle, held := u.begin(body)
	pause(20*ms + rand.N(40*ms))
	if throttle {
		u.end(c, false)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, throttled)
		return
	}
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	u.sandbox.ServeHTTP(answer, r)
	if held != nil {
		<-held
	}
	u.end(c, answer.Code == http.StatusOK)
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (u *upstream) begin(body []byte) (c *call, throttle bool, held chan struct{}) {
	form, _ := url.ParseQuery(string(body))
	c = &call{code: form.Get("Subject"), html: form.Get("HtmlBody"), span: span{begun: time.Now()}}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls = append(u.calls, c)
	return c, rand.Float64() < u.busy, u.held[c.code]
}

func (u *upstream) end(c *call, accepted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c.accepted, c.ended = accepted, time.Now()
}

// setBusy changes the share of calls to throttle.
func (u *upstream) setBusy(share float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy = share
}

// hold delays the answer to the mail with that code until release is called. The mail
// is accepted.
func (u *upstream) hold(code string) (release func()) {
	gate := make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held[code] = gate
	return sync.OnceFunc(func() { close(gate) })
}

// history returns a copy of all calls.
func (u *upstream) history() []call {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make([]call, len(u.calls))
	for i, c := range u.calls {
		list[i] = *c
	}
	return list
}

// received reports whether a mail with that code has arrived.
func (u *upstream) received(code string) bool {
	for _, c := range u.history() {
		if c.code == code {
			return true
		}
	}
	return false
}

// accepted returns how often each code was accepted, and when first, by the sandbox's
// mails.
func (u *upstream) accepted() (times map[string]int, first map[string]time.Time) {
	times, first = map[string]int{}, map[string]time.Time{}
	for _, m := range u.sandbox.Mails() {
		times[m.Subject]++
		if at, ok := first[m.Subject]; !ok || m.ReceivedAt.Before(at) {
			first[m.Subject] = m.ReceivedAt
		}
	}
	return times, first
}
