package delivery

import (
	"slices"
	"sync"
)

// workers is how many queued messages a process sends at once.
const workers = 32

// share is how many seats one connector may have: half of what the others leave, so
// that several accounts that hang do not hold up the rest. Alone it has 16, which at
// Aliyun's usual speed are enough for 100 sends a second.
func share(others int) int { return (workers - others + 1) / 2 }

// seats are the workers', by the connectors whose messages they send.
type seats struct {
	freed chan struct{} // signalled when a worker has ended

	mu    sync.Mutex
	taken map[string]int
}

func newSeats() *seats {
	return &seats{freed: make(chan struct{}, 1), taken: make(map[string]int)}
}

// free returns the connectors that have all the seats that one may have, and how
// many messages of others there are seats for. What comes may all be of one of
// them, so that the one with the least room says how many.
func (s *seats) free() (n int, full []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, taken := range s.taken {
		total += taken
	}
	n = share(total) // of one that has none yet
	for id, taken := range s.taken {
		if most := share(total - taken); taken < most {
			n = min(n, most-taken)
		} else {
			full = append(full, id)
		}
	}
	slices.Sort(full)
	return min(workers-total, n), full
}

func (s *seats) take(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[id]++
}

func (s *seats) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[id]--
	if s.taken[id] == 0 {
		delete(s.taken, id)
	}
	select {
	case s.freed <- struct{}{}:
	default:
	}
}
