package delivery

import (
	"context"
	"sync"
	"time"
)

// unsettled has outcomes that could not be remembered, and has them remembered as
// soon as that is possible.
type unsettled struct {
	keeper  Keeper
	closing context.Context //nolint:containedctx // the Delivery's own life
	running *sync.WaitGroup

	mu   sync.Mutex
	list []Settlement
	busy bool
}

const (
	// maxDoubtful bounds the messages of which only the admission is in doubt.
	maxDoubtful   = 4096
	unsettledTime = 3 * time.Second        // for one
	unsettledRest = 500 * time.Millisecond // after a failure
)

// add adds an outcome. One of a message whose admission is in doubt is not worth
// any price: beyond a bound it is left to the end of its lease.
func (u *unsettled) add(s Settlement, doubtful bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if doubtful && len(u.list) >= maxDoubtful {
		return
	}
	u.list = append(u.list, s)
	if !u.busy {
		u.busy = true
		u.running.Go(u.work)
	}
}

// work has one outcome after the other remembered, until there are none or the
// program ends.
func (u *unsettled) work() {
	for {
		s, ok := u.first()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(u.closing, unsettledTime)
		_, err := u.keeper.Settle(ctx, s)
		cancel()
		if err == nil {
			u.done()
			continue
		}
		timer := time.NewTimer(unsettledRest)
		select {
		case <-timer.C:
		case <-u.closing.Done():
			timer.Stop()
			return
		}
	}
}

func (u *unsettled) first() (Settlement, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list) == 0 {
		u.busy = false
		return Settlement{}, false
	}
	return u.list[0], true
}

func (u *unsettled) done() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = u.list[1:]
}
