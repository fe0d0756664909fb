package store

import (
	"context"
	"sync"
	"time"

	"dmconnector/internal/delivery"
)

// A rejectedLog holds messages that were rejected before they were accepted, until they
// are written. Under a flood of them it drops some: it must neither fill the disk nor
// slow others down.
type rejectedLog struct {
	waiting chan rejected
	writing sync.WaitGroup
	stop    func()
}

type rejected struct {
	entry   *delivery.Entry
	outcome delivery.Outcome
}

const (
	maxRejected      = 1024
	rejectedBatch    = 64
	rejectedInterval = 200 * time.Millisecond
	// rejectedCloseTime is how long [Store.Close] waits for those that are left.
	rejectedCloseTime = time.Second
)

// RecordRejected stores a message that was rejected. See [delivery.Store].
func (s *Store) RecordRejected(e *delivery.Entry, o delivery.Outcome) {
	kept := *e
	kept.Idempotency, kept.Supersede, kept.Payload = nil, nil, nil
	select {
	case s.rejected.waiting <- rejected{&kept, o}:
	default:
	}
}

// startRejectedLog writes at most [rejectedBatch] messages in an interval until it is
// stopped, and then what is left, for [rejectedCloseTime].
func (s *Store) startRejectedLog() {
	l := &s.rejected
	l.waiting = make(chan rejected, maxRejected)
	running, stop := context.WithCancel(context.Background())
	writing, giveUp := context.WithCancel(context.Background())
	l.stop = func() {
		stop()
		bound := time.AfterFunc(rejectedCloseTime, giveUp)
		l.writing.Wait()
		bound.Stop()
		giveUp()
	}
	l.writing.Go(func() {
		for running.Err() == nil {
			select {
			case first := <-l.waiting:
				sleep(running, rejectedInterval)
				s.writeRejected(writing, first)
			case <-running.Done():
			}
		}
		for len(l.waiting) > 0 && writing.Err() == nil {
			s.writeRejected(writing, <-l.waiting)
		}
		if left := len(l.waiting); left > 0 {
			s.log.Warn("cannot record rejected messages, the state does not answer", "count", left)
		}
	})
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// writeRejected writes one message and some that wait.
func (s *Store) writeRejected(ctx context.Context, first rejected) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	list := []rejected{first}
	for len(list) < rejectedBatch && len(s.rejected.waiting) > 0 {
		list = append(list, <-s.rejected.waiting)
	}
	now := s.engine.now()
	err := s.write(ctx, func(t *tx) error {
		for _, r := range list {
			row, err := s.messageRow(r.entry, now)
			if err != nil {
				return err
			}
			if _, err := t.exec(insertMessage, row...); err != nil {
				return err
			}
			if _, err := complete(t, r.outcome, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Warn("cannot record rejected messages", "count", len(list), "error", scrub(err))
	}
}
