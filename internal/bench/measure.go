//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// measure takes all the plan's figures, one after the other.
func measure(ctx context.Context, plan plan, p programs) (*figures, error) {
	f := &figures{plan: plan}
	for _, step := range []struct {
		what    string
		measure func(context.Context, programs) error
	}{
		{"CPU a send", f.measureCPU},
		{"latency", f.measureLatency},
		{"ceiling", f.measureCeiling},
		{"scrapes", f.measureScrapes},
		{"log", f.measureLogs},
		{"start", f.measureStarts},
	} {
		if err := step.measure(ctx, p); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return f, nil
}

// measureCPU takes turns: what else the machine does meets all alike.
func (f *figures) measureCPU(ctx context.Context, p programs) error {
	for _, load := range f.plan.loads {
		onMemory, onSQLite := costs{load: load, kind: memory}, costs{load: load, kind: sqlite}
		onSQLite.load.sends /= sqliteShare
		for range f.plan.rounds {
			relay, err := f.cpuRound(ctx, load, p.relay)
			if err != nil {
				return fmt.Errorf("relay with %d bytes: %w", load.templateSize, err)
			}
			for _, c := range []*costs{&onMemory, &onSQLite} {
				service, err := f.serviceRound(ctx, p, c)
				if err != nil {
					return fmt.Errorf("service on %s with %d bytes: %w", c.kind, load.templateSize, err)
				}
				c.relay, c.service = append(c.relay, relay), append(c.service, service)
			}
		}
		f.costs = append(f.costs, onMemory, onSQLite)
	}
	return nil
}

func (f *figures) serviceRound(ctx context.Context, p programs, c *costs) (time.Duration, error) {
	cpu, err := f.cpuRound(ctx, c.load, p.serviceOn(c.kind))
	if err != nil {
		return 0, err
	}
	return cpu, checkLog(p.logPath(), f.plan.warmUp+c.load.sends)
}

func (f *figures) cpuRound(ctx context.Context, load load, create programFor) (time.Duration, error) {
	r := series{connections: f.plan.connections, warmUp: f.plan.warmUp, sends: load.sends}
	cost, err := measureRun(ctx, &upstream{templateSize: load.templateSize}, r, create)
	return cost.cpu, err
}

// measureLatency loads the service at a constant rate, and for comparison the
// upstream itself.
func (f *figures) measureLatency(ctx context.Context, p programs) error {
	u := &upstream{delay: f.plan.answerTime}
	if err := u.open(ctx); err != nil {
		return err
	}
	defer u.close()
	var err error
	if f.direct, err = addedLatency(ctx, f.plan, u, directly(u), f.plan.latencyTime/4); err != nil {
		return fmt.Errorf("the upstream itself: %w", err)
	}
	for _, kind := range []storage{memory, sqlite, postgres} {
		l := latency{kind: kind}
		if p.has(kind) {
			if err := f.measureLatencyOn(ctx, p, &l); err != nil {
				return fmt.Errorf("on %s: %w", kind, err)
			}
		}
		f.latencies = append(f.latencies, l)
	}
	return nil
}

func (f *figures) measureLatencyOn(ctx context.Context, p programs, l *latency) error {
	s, err := openStage(ctx, &upstream{delay: f.plan.answerTime}, p.serviceOn(l.kind))
	if err != nil {
		return err
	}
	defer s.close()
	if l.added, err = addedLatency(ctx, f.plan, s.upstream, s.route, f.plan.latencyTime); err != nil {
		return err
	}
	l.peakMemory, err = s.process.peakMemory()
	return err
}

// addedLatency returns, in ascending order, what each answer took beyond the
// time that the upstream had its mail.
func addedLatency(ctx context.Context, plan plan, u *upstream, t target, lasting time.Duration) ([]time.Duration, error) {
	defer t.close()
	interval := time.Second / time.Duration(plan.rate)
	added, err := t.openLoop(ctx, interval, max(1, int(lasting/interval)))
	if err != nil {
		return nil, err
	}
	upstreamTimes := u.times()
	for n := range added {
		added[n] -= upstreamTimes[recipient(n)]
	}
	return sorted(added), nil
}

// measureCeiling makes sends as fast as the service takes them.
func (f *figures) measureCeiling(ctx context.Context, p programs) error {
	direct := f.plan.ceiling
	queued := direct
	queued.queued = true
	for range f.plan.ceilingRounds {
		for _, side := range []struct {
			sends series
			costs *[]cost
		}{{direct, &f.ceilingDirect}, {queued, &f.ceilingQueued}} {
			c, err := measureRun(ctx, &upstream{}, side.sends, p.serviceOn(sqlite))
			if err != nil {
				return err
			}
			*side.costs = append(*side.costs, c)
		}
	}
	return nil
}

func (f *figures) measureStarts(ctx context.Context, p programs) error {
	connectors, err := writeConnector(p.dir, "http://127.0.0.1:9", 0)
	if err != nil {
		return err
	}
	if f.sandboxStarts, err = startTimes(ctx, f.plan.starts, p.sandbox()); err != nil {
		return fmt.Errorf("with the sandbox: %w", err)
	}
	state, err := p.newState(ctx, sqlite)
	if err != nil {
		return err
	}
	if f.connectorStarts, err = startTimes(ctx, f.plan.starts, p.service(connectors, state)); err != nil {
		return fmt.Errorf("with connectors: %w", err)
	}
	return nil
}

// startTimes returns, in ascending order, the times from the program's start to
// its first answer.
func startTimes(ctx context.Context, times int, p program) ([]time.Duration, error) {
	took := make([]time.Duration, times)
	for i := range took {
		var err error
		if took[i], err = timeToAnswer(ctx, p); err != nil {
			return nil, err
		}
	}
	return sorted(took), nil
}

func timeToAnswer(ctx context.Context, p program) (time.Duration, error) {
	begun := time.Now()
	process, err := p.start(ctx)
	if err != nil {
		return 0, err
	}
	defer process.stop()
	err = process.untilHealthy(ctx)
	return time.Since(begun), err
}
