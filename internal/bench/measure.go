package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"
)

// measure takes all the plan's figures, one after the other.
func measure(ctx context.Context, plan plan, p programs) (*figures, error) {
	f := &figures{plan: plan}
	for _, load := range plan.loads {
		costs, err := measureCPU(ctx, plan, load, p)
		if err != nil {
			return nil, fmt.Errorf("CPU a send with %d bytes: %w", load.templateSize, err)
		}
		f.costs = append(f.costs, costs)
	}
	if err := f.measureLatency(ctx, p); err != nil {
		return nil, fmt.Errorf("latency: %w", err)
	}
	connectors, err := writeConnector(p.dir, "http://127.0.0.1:9", 0)
	if err != nil {
		return nil, err
	}
	if f.sandboxStarts, err = measureStarts(ctx, plan.starts, p.sandbox()); err != nil {
		return nil, fmt.Errorf("start with the sandbox: %w", err)
	}
	if f.connectorStarts, err = measureStarts(ctx, plan.starts, p.service(connectors)); err != nil {
		return nil, fmt.Errorf("start with connectors: %w", err)
	}
	return f, nil
}

// measureCPU takes turns: what else the machine does meets both alike.
func measureCPU(ctx context.Context, plan plan, load load, p programs) (costs, error) {
	c := costs{load: load}
	for range plan.rounds {
		relay, err := measureRound(ctx, plan, load, p.relay)
		if err != nil {
			return c, fmt.Errorf("relay: %w", err)
		}
		service, err := measureRound(ctx, plan, load, p.serviceFor)
		if err != nil {
			return c, fmt.Errorf("service: %w", err)
		}
		if err := checkLog(p.logPath(), plan.warmUp+load.sends); err != nil {
			return c, err
		}
		c.relay, c.service = append(c.relay, relay), append(c.service, service)
	}
	return c, nil
}

// measureRound returns the CPU time a send of a program that has just been
// started and warmed up.
func measureRound(ctx context.Context, plan plan, load load, programFor func(*upstream) (program, error)) (time.Duration, error) {
	u := &upstream{templateSize: load.templateSize}
	if err := u.open(ctx); err != nil {
		return 0, err
	}
	defer u.close()
	program, err := programFor(u)
	if err != nil {
		return 0, err
	}
	process, err := program.start(ctx)
	if err != nil {
		return 0, err
	}
	defer process.stop()
	route := sendRoute(process.url)
	defer route.close()

	end := plan.warmUp + load.sends
	if err := route.closedLoop(ctx, plan.connections, 0, plan.warmUp); err != nil {
		return 0, err
	}
	before, err := process.cpuTime()
	if err != nil {
		return 0, err
	}
	if err := route.closedLoop(ctx, plan.connections, plan.warmUp, end); err != nil {
		return 0, err
	}
	after, err := process.cpuTime()
	if err != nil {
		return 0, err
	}
	if got := len(u.times()); got != end {
		return 0, fmt.Errorf("%d mails arrived for %d requests", got, end)
	}
	return (after - before) / time.Duration(load.sends), nil
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
	program, err := p.serviceFor(u)
	if err != nil {
		return err
	}
	process, err := program.start(ctx)
	if err != nil {
		return err
	}
	defer process.stop()
	if f.added, err = addedLatency(ctx, f.plan, u, sendRoute(process.url), f.plan.latencyTime); err != nil {
		return err
	}
	f.peakMemory, err = process.peakMemory()
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

// measureStarts returns, in ascending order, the times from the program's start
// to its first answer.
func measureStarts(ctx context.Context, times int, p program) ([]time.Duration, error) {
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
