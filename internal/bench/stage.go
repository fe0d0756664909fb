//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"
)

// programFor makes the program that sends to an upstream.
type programFor func(context.Context, *upstream) (program, error)

// A stage is a program that has just been started, before its upstream.
type stage struct {
	upstream *upstream
	process  *process
	route    target
}

func openStage(ctx context.Context, u *upstream, create programFor) (*stage, error) {
	if err := u.open(ctx); err != nil {
		return nil, err
	}
	program, err := create(ctx, u)
	if err != nil {
		u.close()
		return nil, err
	}
	process, err := program.start(ctx)
	if err != nil {
		u.close()
		return nil, err
	}
	return &stage{u, process, sendRoute(process.url)}, nil
}

func (s *stage) close() {
	s.route.close()
	s.process.stop()
	s.upstream.close()
}

// A cost is what a send costs: CPU time of the program, and time of the clock
// until all had their answers and until all mails had arrived.
type cost struct{ cpu, answered, delivered time.Duration }

// A series is a number of sends on connections that are always busy, of which the
// first ones only warm up.
type series struct {
	connections, warmUp, sends int
	first                      int // recipient
	queued                     bool
}

// cost makes the sends of a series, and returns what one costs.
func (s *stage) cost(ctx context.Context, r series) (cost, error) {
	var c cost
	route, warm, end := s.route, r.first+r.warmUp, r.first+r.warmUp+r.sends
	route.queued = r.queued
	if err := route.closedLoop(ctx, r.connections, r.first, warm); err != nil {
		return c, err
	}
	if err := s.upstream.until(ctx, r.warmUp); err != nil {
		return c, err
	}
	before, err := s.process.cpuTime()
	if err != nil {
		return c, err
	}
	begun := time.Now()
	if err := route.closedLoop(ctx, r.connections, warm, end); err != nil {
		return c, err
	}
	c.answered = time.Since(begun) / time.Duration(r.sends)
	if err := s.upstream.until(ctx, r.warmUp+r.sends); err != nil {
		return c, err
	}
	c.delivered = time.Since(begun) / time.Duration(r.sends)
	after, err := s.process.cpuTime()
	c.cpu = (after - before) / time.Duration(r.sends)
	return c, err
}

// measureRun returns what a send costs a program that has just been started.
func measureRun(ctx context.Context, u *upstream, r series, create programFor) (cost, error) {
	s, err := openStage(ctx, u, create)
	if err != nil {
		return cost{}, err
	}
	defer s.close()
	return s.cost(ctx, r)
}

// checkLog makes sure that the service has logged while it was measured.
func checkLog(path string, sends int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if got := bytes.Count(data, []byte(`"msg":"mail sent"`)); got != sends {
		return fmt.Errorf("the log has %d mails of %d", got, sends)
	}
	return nil
}
