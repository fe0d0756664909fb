package sandbox

import (
	"crypto/sha256"
	"sync"
	"time"
)

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
