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

// An account is an [Account] and what it has used.
type account struct {
	Account
	senders []sender // empty means any
	usage   *usage
}

// A sender is an address that exists, in one region or, if that is empty, in all.
type sender struct {
	address string // lower case
	region  string
}

// newAccounts makes the accounts of the list. Those that were known before keep
// their usage.
func newAccounts(list []Account, before accounts) accounts {
	known := accounts{}
	for _, a := range list {
		if a.AccessKeyID == "" || a.AccessKeySecret == "" {
			continue
		}
		var senders []sender
		for _, address := range a.Senders {
			senders = append(senders, sender{strings.ToLower(address), a.Region})
		}
		have, again := known[a.AccessKeyID]
		switch {
		case !again:
			have = &account{a, senders, &usage{}}
			if old := before[a.AccessKeyID]; old != nil {
				have.usage = old.usage
			}
			known[a.AccessKeyID] = have
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
	return contains(a.in(region), address)
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

func (a *account) froze(sender string) bool { return contains(a.Frozen, sender) }

// verified reports whether the domain of the address, or the domain itself, is.
func (a *account) verified(name string) bool {
	return !contains(a.Unverified, name[strings.IndexByte(name, '@')+1:])
}

// contains reports whether the list has the name, whatever its case.
func contains(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// chinaTime is the zone whose midnight resets the daily quota.
var chinaTime = time.FixedZone("CST", 8*60*60)

// A usage is what an account has used of its rate and of its daily quota.
type usage struct {
	mu    sync.Mutex
	calls []time.Time // let through in the last second, oldest first
	day   string
	sent  int // recipients on that day
}

// call counts a call, unless as many as rate were let through in the second before
// it. A negative rate is no limit.
func (u *usage) call(rate int, now time.Time) bool {
	if rate < 0 {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.calls) > 0 && now.Sub(u.calls[0]) >= time.Second {
		u.calls = u.calls[1:]
	}
	if len(u.calls) >= rate {
		return false
	}
	u.calls = append(u.calls, now)
	return true
}

// send takes recipients from the day's quota, if they fit. No quota is no limit.
func (u *usage) send(quota, recipients int, now time.Time) bool {
	if quota <= 0 {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if day := now.In(chinaTime).Format(time.DateOnly); day != u.day {
		u.day, u.sent = day, 0
	}
	if u.sent+recipients > quota {
		return false
	}
	u.sent += recipients
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
	known map[nonce]time.Time // when they were used
	queue []nonce             // oldest first
}

// A nonce is the hash of a key's id and a nonce of its calls.
type nonce [16]byte

func newNonces(limit int) *nonces {
	return &nonces{max: limit, known: map[nonce]time.Time{}}
}

// use remembers the nonce and reports whether it was new for the key.
func (n *nonces) use(keyID, value string, now time.Time) bool {
	sum := sha256.Sum256([]byte(keyID + "\x00" + value))
	id := nonce(sum[:16])
	n.mu.Lock()
	defer n.mu.Unlock()
	forgetOldest := func() {
		delete(n.known, n.queue[0])
		n.queue = n.queue[1:]
	}
	for len(n.queue) > 0 && now.Sub(n.known[n.queue[0]]) >= nonceMemory {
		forgetOldest()
	}
	if _, used := n.known[id]; used {
		return false
	}
	if len(n.queue) >= n.max {
		forgetOldest()
	}
	n.known[id] = now
	n.queue = append(n.queue, id)
	return true
}
