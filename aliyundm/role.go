package aliyundm

import (
	"context"
	"strings"
	"sync"
	"time"
)

const (
	// renewAhead is how long before a key's end a new one is fetched at most: a third
	// of the key's life, if that is less.
	renewAhead = 10 * time.Minute
	// lastUse is how long before its end a key is used for the last time: a call
	// takes some time on its way.
	lastUse = 10 * time.Second
	// fetchTimeout bounds the fetching of one key, in all its steps.
	fetchTimeout = 5 * time.Second
	// replaceAfter is how old a key must be for Direct Mail's refusal to have a new
	// one fetched: a young one would be refused as well.
	replaceAfter = 10 * time.Second

	// After a failure the next fetch waits for firstPause, and then for twice as long
	// each time up to longestPause.
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

// A role holds the temporary key of a RAM role. It fetches when it is used, in the
// background and one key at a time, while calls go on with the key there is; only
// once that has expired do calls wait.
//
// Aliyun's own providers are not used: docs/credentials.md says why.
type role struct {
	fetch   keySource
	onError func(error)
	now     func() time.Time

	mu               sync.Mutex
	key              func() Credentials // nil before the first; a function, because printing one shows no secret
	fetched, expires time.Time
	renewAt          time.Time
	fetching         chan struct{} // closed when the fetch has ended; nil if there is none
	failure          *Error        // of the last fetch, if that failed
	pause            time.Duration
	retryAt          time.Time // after a failure, not before
}

// credentials returns a valid key. If there is none it waits for one until ctx ends.
func (r *role) credentials(ctx context.Context) (Credentials, *Error) {
	r.mu.Lock()
	now := r.now()
	valid := now.Before(r.expires.Add(-lastUse))
	due := !valid || !now.Before(r.renewAt)
	if due && r.fetching == nil && !now.Before(r.retryAt) {
		r.fetching = make(chan struct{})
		go r.renew(r.fetching) //nolint:gosec // on a context of its own, as all who wait share it
	}
	key, fetching, failure := r.key, r.fetching, r.failure
	r.mu.Unlock()
	switch {
	case valid:
		return key(), nil
	case fetching == nil:
		return Credentials{}, failure
	}
	select {
	case <-fetching:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failure != nil {
			return Credentials{}, r.failure
		}
		return r.key(), nil
	case <-ctx.Done():
		_, cause := reason(ctx, Retry, ctx.Err())
		return Credentials{}, &Error{Class: Retry, Message: "the role's key did not come in time", Err: cause}
	}
}

// renew fetches one key.
func (r *role) renew(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	got, failure := r.fetch(ctx)
	now := r.now()
	if failure == nil && !now.Before(got.Expiration.Add(-lastUse)) {
		failure = noKey(Operator, 0, "it had already expired when it came; check the clock of this machine")
	}
	r.mu.Lock()
	r.fetching, r.failure = nil, failure
	if failure == nil {
		key := Credentials{AccessKeyID: got.AccessKeyID, AccessKeySecret: got.AccessKeySecret, SecurityToken: got.SecurityToken}
		r.key, r.fetched, r.expires = func() Credentials { return key }, now, got.Expiration
		r.renewAt = got.Expiration.Add(-min(renewAhead, got.Expiration.Sub(now)/3))
		r.pause, r.retryAt = 0, time.Time{}
	} else {
		r.pause = min(max(2*r.pause, firstPause), longestPause)
		r.retryAt = now.Add(r.pause)
	}
	r.mu.Unlock()
	if failure != nil && r.onError != nil {
		r.onError(failure)
	}
	close(done)
}

// refused has the key replaced if Direct Mail's error code says that it no longer
// takes it, for example because the role was changed.
func (r *role) refused(key Credentials, code string) {
	if !strings.HasPrefix(code, "InvalidSecurityToken") && !strings.HasPrefix(code, "InvalidAccessKeyId") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); key == r.key() && now.Sub(r.fetched) >= replaceAfter {
		r.renewAt = now
	}
}
