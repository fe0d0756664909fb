package delivery

import (
	"slices"
	"sync"
)

const (
	// workers is how many queued messages a process sends at once.
	workers = 32
	// workersOfOne is how many of them may be one connector's: an account that hangs
	// must not hold up the others. At Aliyun's usual speed it is enough for 100 sends
	// a second.
	workersOfOne = workers / 2
)

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
// them, so that the fullest says how many.
func (s *seats) free() (n int, full []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total, most := 0, 0
	for id, taken := range s.taken {
		total += taken
		if taken < workersOfOne {
			most = max(most, taken)
		} else {
			full = append(full, id)
		}
	}
	slices.Sort(full)
	return min(workers-total, workersOfOne-most), full
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
