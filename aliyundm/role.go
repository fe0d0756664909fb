package aliyundm

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

const (
	// renewAhead is how long before a key's end a new one is fetched, at the most: a
	// third of the key's life, if that is less.
	renewAhead = 10 * time.Minute
	// lastUse is how long before its end a key is used for the last time: a call
	// takes some time on its way.
	lastUse = 10 * time.Second
	// fetchTimeout bounds the fetching of one key, in all its steps.
	fetchTimeout = 5 * time.Second
	// doubtAfter is how old a key must be for Direct Mail's refusal to have a new one
	// fetched: a young one would be refused as well.
	doubtAfter = 10 * time.Second
)

// After a failure the next fetch waits, first so long and then doubled up to the
// longest, so that an outage of the key's source is not made worse.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

// A Role fetches temporary keys of a RAM role, and a new one in good time before
// the last one ends: see [NewECSRole] and [NewOIDCRole]. It fetches when it is
// used, in the background and one key at a time, while calls go on with the key it
// has; only where that has ended do calls wait. It needs no closing and may be used
// by many goroutines and clients at once.
//
// The SDK's own providers are not used: they hold no lock, know no context, read
// answers without a limit, and fail calls while their key is still good.
type Role struct {
	fetch    func(context.Context) (credentials.Credentials, time.Time, *Error)
	onFailed func(error)
	now      func() time.Time

	mu      sync.Mutex
	key     roleKey
	renewAt time.Time // when the key is to be replaced
	flight  *flight   // nil if nothing is being fetched
	failed  *Error    // of the last fetch, if that failed
	pause   time.Duration
	retryAt time.Time // not before, after a failure
}

// A roleKey is one key. It is held in a provider, which shows nothing when printed.
type roleKey struct {
	provider provider // nil if there was no key yet
	fetched  time.Time
	expires  time.Time
}

func (k roleKey) good(now time.Time) bool {
	return k.provider != nil && now.Before(k.expires.Add(-lastUse))
}

// A flight is one fetch on its way. What came of it may be read when landed is
// closed.
type flight struct {
	landed chan struct{}
	key    roleKey
	failed *Error
}

func newRole(onFailed func(error), fetch func(context.Context) (credentials.Credentials, time.Time, *Error)) *Role {
	return &Role{fetch: fetch, onFailed: onFailed, now: time.Now}
}

// provide returns a key that is good now, and waits for one until ctx ends if there
// is none.
func (r *Role) provide(ctx context.Context) (roleKey, *Error) {
	key, f, failed := r.look()
	if f == nil {
		return key, failed
	}
	select {
	case <-f.landed:
		return f.key, f.failed
	case <-ctx.Done():
		_, cause := reason(ctx, Retry, ctx.Err())
		return roleKey{}, &Error{Class: Retry, Message: "the role's key did not come in time", Err: cause}
	}
}

// look returns a good key, or the flight that is to bring one, or why there is
// neither. It has a key fetched if it is time for that.
func (r *Role) look() (roleKey, *flight, *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	good := r.key.good(now)
	due := !good || !now.Before(r.renewAt)
	if due && r.flight == nil && !now.Before(r.retryAt) {
		r.flight = &flight{landed: make(chan struct{})}
		go r.fly(r.flight)
	}
	switch {
	case good:
		return r.key, nil, nil
	case r.flight != nil:
		return roleKey{}, r.flight, nil
	default:
		return roleKey{}, nil, r.failed
	}
}

// fly fetches one key. It belongs to no caller: all who wait share it.
func (r *Role) fly(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	key, expires, failed := r.fetch(ctx)
	now := r.now()
	if failed == nil && !now.Before(expires.Add(-lastUse)) {
		failed = &Error{Class: Operator, Message: "the role's key had ended already when it came: the clock of this machine is wrong, or its source is"}
	}
	r.mu.Lock()
	r.flight, r.failed = nil, failed
	if failed == nil {
		r.key = roleKey{provider: func() *credentials.Credentials { return &key }, fetched: now, expires: expires}
		r.renewAt = expires.Add(-min(renewAhead, expires.Sub(now)/3))
		r.pause, r.retryAt = 0, time.Time{}
		f.key = r.key
	} else {
		r.pause = min(max(2*r.pause, firstPause), longestPause)
		r.retryAt = now.Add(r.pause)
		f.failed = failed
	}
	r.mu.Unlock()
	close(f.landed)
	if failed != nil && r.onFailed != nil {
		r.onFailed(failed)
	}
}

// doubt has the key replaced if Direct Mail does not take it any more, as when a
// role was changed, or when a clock is wrong.
func (r *Role) doubt(key roleKey, answer *Error) {
	if !strings.HasPrefix(answer.Code, "InvalidSecurityToken") && !strings.HasPrefix(answer.Code, "InvalidAccessKeyId") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); r.key.fetched.Equal(key.fetched) && now.Sub(key.fetched) >= doubtAfter {
		r.renewAt = now
	}
}

// A temporary is a key as the metadata service and STS give it.
type temporary struct {
	AccessKeyID     string `json:"AccessKeyId"`
	AccessKeySecret string `json:"AccessKeySecret"`
	SecurityToken   string `json:"SecurityToken"`
	Expiration      string `json:"Expiration"` // RFC 3339
}

var errNoKey = errors.New("the answer holds no temporary key")

func (t temporary) read() (credentials.Credentials, time.Time, error) {
	expires, err := time.Parse(time.RFC3339, t.Expiration)
	if err != nil || t.AccessKeyID == "" || t.AccessKeySecret == "" || t.SecurityToken == "" {
		return credentials.Credentials{}, time.Time{}, errNoKey
	}
	key := credentials.Credentials{AccessKeyId: t.AccessKeyID, AccessKeySecret: t.AccessKeySecret, SecurityToken: t.SecurityToken}
	return key, expires, nil
}

// exchange makes one of the calls that fetch a key. source names whom it asks.
func exchange(client *http.Client, r *http.Request, source string) (int, []byte, *Error) {
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", "dmconnector")
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, unfetched(r.Context(), source, err)
	}
	defer resp.Body.Close()
	body, err := readAtMost(resp.Body, maxKeyAnswer)
	if err != nil {
		return 0, nil, unfetched(r.Context(), source, err)
	}
	return resp.StatusCode, body, nil
}

// unfetched is the error for a key's source that does not answer. No mail has left,
// so that it may be tried again.
func unfetched(ctx context.Context, source string, err error) *Error {
	message, cause := reason(ctx, Retry, err)
	return &Error{Class: Retry, Message: "no key for the role: " + source + " did not answer: " + message, Err: cause}
}
