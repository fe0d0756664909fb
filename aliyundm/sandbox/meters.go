package sandbox

import (
	"sync"
	"time"
)

// chinaTime is the zone whose midnight resets the daily quota.
var chinaTime = time.FixedZone("CST", 8*60*60)

// meters count what each account used of its rate and its daily quota.
type meters struct {
	rate  int // calls in any second; negative: no limit
	quota int // recipients a day; 0: no limit

	mu      sync.Mutex
	byKeyID map[string]*meter
}

type meter struct {
	calls []time.Time // the last calls let through, a ring of rate places
	next  int         // the place of the oldest
	day   string
	used  int // recipients on that day
}

func newMeters(rate, quota int) *meters {
	return &meters{rate: rate, quota: quota, byKeyID: map[string]*meter{}}
}

// keep forgets the accounts that are not known any more.
func (m *meters) keep(known accounts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.byKeyID {
		if known[id] == nil {
			delete(m.byKeyID, id)
		}
	}
}

// of is the account's meter. The caller holds the lock.
func (m *meters) of(keyID string) *meter {
	if m.byKeyID[keyID] == nil {
		m.byKeyID[keyID] = &meter{calls: make([]time.Time, max(m.rate, 0))}
	}
	return m.byKeyID[keyID]
}

// call counts a call and reports whether it is within the rate: whether fewer
// than rate calls were let through in the second before it.
func (m *meters) call(keyID string, now time.Time) bool {
	if m.rate < 0 {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.of(keyID)
	if oldest := a.calls[a.next]; !oldest.IsZero() && now.Sub(oldest) < time.Second {
		return false
	}
	a.calls[a.next] = now
	a.next = (a.next + 1) % len(a.calls)
	return true
}

// spend takes recipients from the day's quota and reports whether they fit.
func (m *meters) spend(keyID string, recipients int, now time.Time) bool {
	if m.quota <= 0 {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.of(keyID)
	if day := now.In(chinaTime).Format(time.DateOnly); day != a.day {
		a.day, a.used = day, 0
	}
	if a.used+recipients > m.quota {
		return false
	}
	a.used += recipients
	return true
}
