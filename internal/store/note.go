package store

import (
	"context"
	"sync"
	"time"

	"dmconnector/internal/delivery"
)

// A note is a message that was refused before it asked for admission.
type note struct {
	entry      *delivery.Entry
	settlement delivery.Outcome
}

const (
	// maxNotes wait to be written. Under a flood of refusals the others are in the
	// log only: it must not fill the disk, nor slow those who are served.
	maxNotes      = 1024
	notesATime    = 64
	notesInterval = 200 * time.Millisecond
	// lastNotes is how long the end waits for those that are left.
	lastNotes = time.Second
)

// Note remembers a message that was refused. See [delivery.Store].
func (s *Store) RecordRejected(e *delivery.Entry, settlement delivery.Outcome) {
	select {
	case s.notes <- note{e, settlement}:
	default:
	}
}

// startNotes writes notes, at most [notesATime] in an interval, until it is stopped,
// and then what is left, for [lastNotes].
func (s *Store) startNotes() {
	ctx, stop := context.WithCancel(context.Background())
	writing, giveUp := context.WithCancel(context.Background())
	s.stopNotes = func() {
		stop()
		bound := time.AfterFunc(lastNotes, giveUp)
		s.noted.Wait()
		bound.Stop()
		giveUp()
	}
	s.noted.Go(func() {
		for ctx.Err() == nil {
			select {
			case first := <-s.notes:
				rest(ctx, notesInterval)
				s.writeNotes(writing, first)
			case <-ctx.Done():
			}
		}
		for len(s.notes) > 0 && writing.Err() == nil {
			s.writeNotes(writing, <-s.notes)
		}
		if left := len(s.notes); left > 0 {
			s.log.Warn("refused messages could not be remembered", "count", left, "error", "the state hangs")
		}
	})
}

// rest lets time go by.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// writeNotes writes a note, and some that wait.
func (s *Store) writeNotes(ctx context.Context, first note) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	list := []note{first}
	for len(list) < notesATime && len(s.notes) > 0 {
		list = append(list, <-s.notes)
	}
	now := s.engine.now()
	err := s.write(ctx, func(t *tx) error {
		for _, n := range list {
			if err := s.insertNote(t, n, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.log.Warn("refused messages could not be remembered", "count", len(list), "error", scrub(err))
	}
}

func (s *Store) insertNote(t *tx, n note, now time.Time) error {
	entry := *n.entry
	entry.Idempotency, entry.Supersede = nil, nil
	row, err := s.messageRow(&entry, now)
	if err != nil {
		return err
	}
	if _, err := t.exec(insertMessage, row...); err != nil {
		return err
	}
	_, err = settle(t, n.settlement, now)
	return err
}

// refusals remembers for a moment which limits are used up.
type refusals struct {
	mu    sync.Mutex
	until map[delivery.Hash]refusal
}

type refusal struct {
	from time.Time
	wait time.Duration
}

const (
	// refusalLifetime bounds what another process's giving back can cost.
	refusalLifetime = time.Second
	maxRefusals     = 4096
)

func (r *refusals) find(now time.Time, takings []delivery.Charge) (*delivery.Charge, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range takings {
		known, ok := r.until[takings[i].Subject]
		if !ok {
			continue
		}
		if since := now.Sub(known.from); since < min(known.wait, refusalLifetime) {
			return &takings[i], known.wait - since
		}
		delete(r.until, takings[i].Subject)
	}
	return nil, 0
}

func (r *refusals) add(now time.Time, taking delivery.Charge, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil || len(r.until) >= maxRefusals {
		r.until = make(map[delivery.Hash]refusal)
	}
	r.until[taking.Subject] = refusal{now, wait}
}

func (r *refusals) forget(takings []delivery.Charge) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range takings {
		delete(r.until, takings[i].Subject)
	}
}
