//go:build linux

package main

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	exchangeTime = 10 * time.Second
	receiptJSON  = `{"EnvId":"600000000000000001","RequestId":"0F6A7C0E-4F0B-5C1D-9A51-6D1D2C3B4A59"}`
)

// An upstream stands in for Direct Mail. It checks no signature, so that it
// takes as little of the machine as possible.
type upstream struct {
	templateSize int           // of the template that the mails are made of; 0 for any
	delay        time.Duration // before the answer

	server   *http.Server
	url      string
	mu       sync.Mutex
	answered map[string]time.Duration // by recipient: from the header's arrival to the answer
}

// open starts the upstream on a free port.
func (u *upstream) open(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	u.answered = make(map[string]time.Duration)
	u.url = "http://" + listener.Addr().String()
	u.server = &http.Server{Handler: u, ReadHeaderTimeout: exchangeTime}
	go u.server.Serve(listener) //nolint:errcheck // it ends with close
	return nil
}

func (u *upstream) close() { _ = u.server.Close() }

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	to, html := r.PostFormValue("ToAddress"), r.PostFormValue("HtmlBody")
	if to == "" || u.templateSize > 0 && len(html) != u.templateSize-len(placeholder)+codeLength {
		http.Error(w, "this is not the bench's mail", http.StatusTeapot)
		return
	}
	if u.delay > 0 && !wait(r.Context(), u.delay) {
		return
	}
	_, _ = io.WriteString(w, receiptJSON) // a caller that has gone is missed elsewhere
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answered[to] = time.Since(begun)
}

// times returns how long each recipient's mail took here.
func (u *upstream) times() map[string]time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.answered)
}

// until waits until that many mails have arrived.
func (u *upstream) until(ctx context.Context, mails int) error {
	for u.count() < mails {
		if !wait(ctx, time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.answered)
}

// wait reports whether the time passed before the context ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
