//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// A target is what the load goes to.
type target struct {
	url, contentType string
	body             func(n int) []byte
	client           *http.Client
	queued           bool // asks for a queued send
}

// sendRoute is the route that Logto calls, of the service or of the relay.
func sendRoute(baseURL string) target {
	return target{url: baseURL + "/api/send", contentType: "application/json", body: sendRequest, client: newLoadClient()}
}

// directly calls the upstream itself.
func directly(u *upstream) target {
	form := func(n int) []byte { return []byte("ToAddress=" + url.QueryEscape(recipient(n))) }
	return target{url: u.url, contentType: "application/x-www-form-urlencoded", body: form, client: newLoadClient()}
}

func newLoadClient() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	return &http.Client{Transport: transport, Timeout: exchangeTime}
}

func (t target) close() { t.client.CloseIdleConnections() }

// send makes the nth request. Every answer but that to an accepted send is an
// error.
func (t target) send(ctx context.Context, n int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(t.body(n)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", t.contentType)
	want := http.StatusOK
	if t.queued {
		r.Header.Set("Prefer", "respond-async")
		want = http.StatusAccepted
	}
	resp, err := t.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("request %d was answered %d: %s", n, resp.StatusCode, answer)
	}
	return nil
}

// closedLoop makes the requests from first to before end on so many
// connections, each of which makes its next request when it has its answer.
func (t target) closedLoop(ctx context.Context, connections, first, end int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next    atomic.Int64
		workers sync.WaitGroup
	)
	next.Store(int64(first))
	for range connections {
		workers.Go(func() {
			for n := int(next.Add(1)) - 1; n < end && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				if err := t.send(ctx, n); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// openLoop makes count requests, one every interval whether or not the ones
// before have their answers. It returns how long each took from the moment at
// which it was due.
func (t target) openLoop(ctx context.Context, interval time.Duration, count int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, count)
	var calls sync.WaitGroup
	begun := time.Now()
	for n := range count {
		due := begun.Add(time.Duration(n) * interval)
		if !wait(ctx, time.Until(due)) {
			break
		}
		calls.Go(func() {
			if err := t.send(ctx, n); err != nil {
				cancel(err)
			}
			took[n] = time.Since(due)
		})
	}
	calls.Wait()
	return took, context.Cause(ctx)
}
