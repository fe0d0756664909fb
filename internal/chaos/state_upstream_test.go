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

// An upstream is a sandbox that takes its time, is busy now and then, and keeps
// a book of what was inside it when.
type upstream struct {
	url     string
	sandbox *sandbox.Sandbox

	mu     sync.Mutex
	busy   float64                  // the share that it throttles
	held   map[string]chan struct{} // codes whose answers wait
	visits []*visit
}

// A visit is one mail inside the upstream.
type visit struct {
	code     string
	html     string
	span     // ended is zero while it is inside
	accepted bool
}

// A span is a time in which something was so.
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

// ServeHTTP accepts a mail that was written to it, whatever becomes of the writer.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was not written whole
	}
	v, refused, held := u.enter(body)
	pause(20*ms + rand.N(40*ms))
	if refused {
		u.leave(v, false)
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
	u.leave(v, answer.Code == http.StatusOK)
	w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (u *upstream) enter(body []byte) (v *visit, refused bool, held chan struct{}) {
	form, _ := url.ParseQuery(string(body))
	v = &visit{code: form.Get("Subject"), html: form.Get("HtmlBody"), span: span{begun: time.Now()}}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.visits = append(u.visits, v)
	return v, rand.Float64() < u.busy, u.held[v.code]
}

func (u *upstream) leave(v *visit, accepted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	v.accepted, v.ended = accepted, time.Now()
}

// setBusy has it throttle another share.
func (u *upstream) setBusy(share float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy = share
}

// hold keeps back the answer to the mail with that code, which is accepted.
func (u *upstream) hold(code string) (release func()) {
	gate := make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	u.held[code] = gate
	return sync.OnceFunc(func() { close(gate) })
}

// book returns a copy of all visits.
func (u *upstream) book() []visit {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := make([]visit, len(u.visits))
	for i, v := range u.visits {
		list[i] = *v
	}
	return list
}

// visited reports whether a mail with that code has come.
func (u *upstream) visited(code string) bool {
	for _, v := range u.book() {
		if v.code == code {
			return true
		}
	}
	return false
}

// accepted returns how often each code was accepted, and when first. It counts
// the sandbox's mails.
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
