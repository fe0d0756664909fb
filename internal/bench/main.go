//go:build linux

// Command bench measures the service against the project's targets: CPU a send,
// added latency, the most sends a second, a long log, memory and start. It runs the service as users run it, next to
// a bare relay for comparison, with an upstream and a load of its own on
// loopback, and writes the figures down. It needs Linux, for /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// timeLimit ends a bench that hangs, and with it all its children.
const timeLimit = 20 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	err := run(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	quick       bool
	out, binary string
	latencyTime time.Duration

	// Of the relay, which is this program in another process.
	relayTo      string
	templateSize int
}

func run(ctx context.Context, args []string) error {
	var opts options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&opts.quick, "quick", false, "take a few seconds to see that everything runs; write no file")
	flags.StringVar(&opts.out, "out", filepath.Join("docs", "benchmarks.md"), "write the figures to this `file`")
	flags.StringVar(&opts.binary, "binary", "", "measure this dmconnector `file` instead of building one")
	flags.DurationVar(&opts.latencyTime, "latency-time", 45*time.Second, "how long latency is measured, a kind of state")
	flags.StringVar(&opts.relayTo, "relay-to", "", "be the bare relay to this `URL` (the bench starts itself so)")
	flags.IntVar(&opts.templateSize, "template-size", 300, "the size of its template in `bytes`")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if opts.relayTo != "" {
		return relay(ctx, opts.relayTo, opts.templateSize)
	}
	return bench(ctx, opts)
}

// bench measures, prints the figures and writes them down.
func bench(ctx context.Context, opts options) error {
	dir, err := os.MkdirTemp("", "dmconnector-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the folder for such things
	if opts.binary == "" {
		opts.binary = filepath.Join(dir, "dmconnector")
		if err := build(ctx, opts.binary); err != nil {
			return err
		}
	}
	plan := fullPlan(opts.latencyTime)
	if opts.quick {
		plan = quickPlan()
	}
	disk, err := probeDisk(dir)
	if err != nil {
		return err
	}
	if disk.inMemory && !opts.quick {
		return fmt.Errorf("%s is in memory: set TMPDIR to a folder on a disk", os.TempDir())
	}
	before, err := readCPUUse()
	if err != nil {
		return err
	}
	figures, err := measureAll(ctx, plan, programs{binary: opts.binary, dir: dir})
	if err != nil {
		return err
	}
	after, err := readCPUUse()
	if err != nil {
		return err
	}
	machine := machineFacts(disk, after.others(before))
	fmt.Printf("%s\n%s\n%s\n", figures.summary(), figures.details(), machine)
	if opts.quick {
		return nil
	}
	document, err := figures.document(machine, time.Now())
	if err != nil {
		return err
	}
	return os.WriteFile(opts.out, []byte(document), 0o644) //nolint:gosec // documentation is for everybody
}

// measureAll measures with a PostgreSQL where there is one. That has ended when it
// returns, and counts among the bench's own children.
func measureAll(ctx context.Context, plan plan, p programs) (*figures, error) {
	server, err := startPostgres()
	if err != nil {
		return nil, err
	}
	if server != nil {
		defer server.Close()
	}
	p.server = server
	return measure(ctx, plan, p)
}

func build(ctx context.Context, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, "dmconnector/cmd/dmconnector") //nolint:gosec // out is a folder of ours
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build dmconnector: %w", err)
	}
	return nil
}
