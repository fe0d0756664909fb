package delivery

import (
	"sync"
	"time"
)

// A breaker keeps an account that Aliyun refuses as a whole, for its key or its
// quota, from being hammered: after some refusals in a row it answers as the
// last of them, and lets one message through now and then to see.
type breaker struct {
	mu        sync.Mutex
	refusals  int       // in a row
	last      *Error    // the last of them
	nextProbe time.Time // while open
}

const (
	breakAfter = 5 // one bad template is not the account
	probeEvery = 30 * time.Second
)

// refusal returns what to answer instead of sending, or nil to send.
func (b *breaker) refusal(now time.Time, incident string) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusals < breakAfter {
		return nil
	}
	if !now.Before(b.nextProbe) {
		b.nextProbe = now.Add(probeEvery)
		return nil
	}
	answer := *b.last
	answer.Incident, answer.untried = incident, true
	answer.Detail = "not sent, as Aliyun has refused the last ones: " + answer.Detail
	answer.RetryAfter = b.nextProbe.Sub(now)
	return &answer
}

// open reports whether it keeps messages back.
func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusals >= breakAfter
}

// note learns from a message's end.
func (b *breaker) note(now time.Time, failure *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case failure != nil && (failure.Code == ProviderRejected || failure.Code == QuotaExhausted):
		b.refusals++
		b.last = failure
		if b.refusals == breakAfter {
			b.nextProbe = now.Add(probeEvery)
		}
	case failure == nil || failure.Code == RecipientRejected || failure.Code == ContentRejected:
		b.refusals = 0 // the account is in order
	}
}
