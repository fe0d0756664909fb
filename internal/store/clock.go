package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"dmconnector/internal/delivery"
)

// A clock follows this process's monotonic clock from one reading on, so that steps of
// the wall clock do not change it.
type clock struct {
	read atomic.Pointer[clockReading]
	wall func() time.Time // nil is the machine's; for tests
}

type clockReading struct{ time, at time.Time } // at has a monotonic reading

func (c *clock) set(now, at time.Time) { c.read.Store(&clockReading{now.Round(0), at}) }

func (c *clock) now() time.Time {
	read := c.read.Load()
	return read.time.Add(time.Since(read.at))
}

// step is how far the wall clock is ahead of another time. It matters from maxStep on.
func (c *clock) step(before time.Time) time.Duration {
	wall := c.wall
	if wall == nil {
		wall = time.Now
	}
	if step := wall().Round(0).Sub(before); step.Abs() >= maxStep {
		return step
	}
	return 0
}

const maxStep = 5 * time.Second

// followClock sets the time of a state of one process by the wall clock after a step.
func (s *Store) followClock(ctx context.Context) error {
	if e, ok := s.engine.(*sqliteEngine); ok {
		ctx, cancel := context.WithTimeout(ctx, time.Second) // others wait for it
		defer cancel()
		return s.moveTimes(ctx, &e.clock, e.now())
	}
	return nil
}

// followClockAtStart does the same after a step back since the state was last written. A
// step forward cannot be told from time without a process.
func (s *Store) followClockAtStart(ctx context.Context) error {
	e, ok := s.engine.(*sqliteEngine)
	if !ok {
		return nil
	}
	last, err := transact(ctx, e.read, func(t *tx) (int64, error) {
		return value[int64](t, `SELECT coalesce(max(updated_at), 0) FROM message WHERE state IN ('queued', 'sending')`)
	})
	if err != nil {
		return err
	}
	if recorded := time.UnixMicro(last); recorded.After(e.now()) {
		return s.moveTimes(ctx, &e.clock, recorded)
	}
	return nil
}

// moveTimes moves the times of what is pending by as much as the wall clock has stepped,
// so that nothing expires, waits or is rejected because of it.
func (s *Store) moveTimes(ctx context.Context, c *clock, before time.Time) error {
	if c.step(before) == 0 {
		return nil
	}
	// What was begun in the old time must be written before, and nothing meanwhile.
	if err := s.times.Acquire(ctx, allTimes); err != nil {
		return err
	}
	defer s.times.Release(allTimes)
	step, at := c.step(before), time.Now()
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`
UPDATE message SET due_at = due_at + $1, expires_at = expires_at + $1, updated_at = updated_at + $1
WHERE payload IS NOT NULL OR state IN ('queued', 'sending')`, step.Microseconds()); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE rate_limit SET full_at = full_at + $1`, step.Microseconds())
		return err
	})
	if err != nil && !errors.Is(err, delivery.ErrInDoubt) {
		return err
	}
	// One in doubt is still being written: the disk is slow, and moving again would move twice.
	c.set(before.Add(step), at)
	s.log.Warn("the clock has changed, moved the times of queued messages and limits", "by", step.Round(time.Millisecond).String())
	return nil
}

const allTimes = 1 << 30

// now returns the state's time for what is written with it before done is called.
func (s *Store) now(ctx context.Context) (now time.Time, done func(), err error) {
	if err := s.times.Acquire(ctx, 1); err != nil {
		return time.Time{}, nil, err
	}
	return s.engine.now(), func() { s.times.Release(1) }, nil
}
