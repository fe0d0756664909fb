package sandbox

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"
)

// accounts are the known accounts by their AccessKeyID. They are never changed,
// only replaced as a whole.
type accounts map[string]*account

// An account is an [Account], with its addresses and domains in lower case.
type account struct {
	Account
	senders []sender // empty means any
}

// A sender is an address that exists, in one region or, if that is empty, in all.
type sender struct {
	address string // lower case
	region  string
}

func newAccounts(list []Account) accounts {
	known := accounts{}
	for _, a := range list {
		if a.AccessKeyID == "" || a.AccessKeySecret == "" {
			continue
		}
		var senders []sender
		for _, address := range lowered(a.Senders) {
			senders = append(senders, sender{address, a.Region})
		}
		have, again := known[a.AccessKeyID]
		switch {
		case !again:
			a.Frozen, a.Unverified = lowered(a.Frozen), lowered(a.Unverified)
			known[a.AccessKeyID] = &account{a, senders}
		case len(senders) == 0 || len(have.senders) == 0:
			have.senders = nil
		default:
			have.senders = append(have.senders, senders...)
		}
	}
	return known
}

// owns reports whether the sender address exists for the account in the region; a
// call that names no region is taken to mean all of them.
func (a *account) owns(address, region string) bool {
	if len(a.senders) == 0 {
		return isAddress(address)
	}
	return slices.Contains(a.in(region), strings.ToLower(address))
}

// in are the account's senders in the region, each once.
func (a *account) in(region string) []string {
	var list []string
	for _, s := range a.senders {
		here := region == "" || s.region == "" || s.region == region
		if here && !slices.Contains(list, s.address) {
			list = append(list, s.address)
		}
	}
	return list
}

func (a *account) froze(sender string) bool {
	return slices.Contains(a.Frozen, strings.ToLower(sender))
}

// verified reports whether the domain of the address, or the domain itself, is.
func (a *account) verified(name string) bool {
	return !slices.Contains(a.Unverified, strings.ToLower(name[strings.IndexByte(name, '@')+1:]))
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// chinaTime is the zone whose midnight resets the daily quota.
var chinaTime = time.FixedZone("CST", 8*60*60)

// quotas hold each account to its rate and its daily quota.
type quotas struct {
	rate  int // calls in any second; negative: no limit
	quota int // recipients a day; 0: no limit

	mu      sync.Mutex
	byKeyID map[string]*usage
}

type usage struct {
	calls []time.Time // the last calls let through, a ring of rate places
	next  int         // the place of the oldest
	day   string
	used  int // recipients on that day
}

// keep forgets the accounts that are not known any more.
func (q *quotas) keep(known accounts) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range q.byKeyID {
		if known[id] == nil {
			delete(q.byKeyID, id)
		}
	}
}

// of is the account's usage. The caller holds the lock.
func (q *quotas) of(keyID string) *usage {
	if q.byKeyID[keyID] == nil {
		q.byKeyID[keyID] = &usage{calls: make([]time.Time, max(q.rate, 0))}
	}
	return q.byKeyID[keyID]
}

// call counts a call and reports whether it is within the rate: whether fewer
// than rate calls were let through in the second before it.
func (q *quotas) call(keyID string, now time.Time) bool {
	if q.rate < 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.of(keyID)
	if oldest := a.calls[a.next]; !oldest.IsZero() && now.Sub(oldest) < time.Second {
		return false
	}
	a.calls[a.next] = now
	a.next = (a.next + 1) % len(a.calls)
	return true
}

// spend takes recipients from the day's quota and reports whether they fit.
func (q *quotas) spend(keyID string, recipients int, now time.Time) bool {
	if q.quota <= 0 {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.of(keyID)
	if day := now.In(chinaTime).Format(time.DateOnly); day != a.day {
		a.day, a.used = day, 0
	}
	if a.used+recipients > q.quota {
		return false
	}
	a.used += recipients
	return true
}

const (
	// nonceMemory is how long a nonce is remembered. Aliyun has named 15 and 31
	// minutes; a call may be signed up to 15 minutes ahead, so that only the
	// longer one keeps every replay out.
	nonceMemory = 31 * time.Minute

	// maxNonces bounds the memory. Aliyun's own 100 calls a second make 186,000
	// nonces in 31 minutes.
	maxNonces = 1 << 18
)

// nonces remembers the nonces that were used, and forgets the oldest first.
type nonces struct {
	max int

	mu    sync.Mutex
	known map[nonce]struct{}
	queue []usedNonce // oldest at first
	first int
}

// A nonce is the hash of a key's id and a nonce of its calls.
type nonce [16]byte

type usedNonce struct {
	nonce nonce
	at    time.Time
}

func newNonces(limit int) *nonces {
	return &nonces{max: limit, known: map[nonce]struct{}{}}
}

// use remembers the nonce and reports whether it was new for the key.
func (n *nonces) use(keyID, value string, now time.Time) bool {
	sum := sha256.Sum256([]byte(keyID + "\x00" + value))
	id := nonce(sum[:16])
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.known) > 0 && now.Sub(n.queue[n.first].at) >= nonceMemory {
		n.forgetOldest()
	}
	if _, used := n.known[id]; used {
		return false
	}
	if len(n.known) >= n.max {
		n.forgetOldest()
	}
	n.known[id] = struct{}{}
	n.queue = append(n.queue, usedNonce{id, now})
	return true
}

// forgetOldest drops the oldest nonce. The caller holds the lock.
func (n *nonces) forgetOldest() {
	delete(n.known, n.queue[n.first].nonce)
	n.first++
	if n.first > len(n.queue)/2 { // move the rest down, amortised over as many calls
		n.queue = append(n.queue[:0], n.queue[n.first:]...)
		n.first = 0
	}
}
