//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A program is a command that says its address in the first line it prints.
type program struct {
	path    string
	args    []string
	logPath string // what it writes to standard error
}

// A process is a program that runs.
type process struct {
	cmd *exec.Cmd
	url string
}

// start runs the program and waits until it has said its address. All programs
// get the same environment, and as many processors as the bench has itself.
func (p program) start(ctx context.Context) (*process, error) {
	log, err := os.Create(p.logPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()                 // the program has its own handle
	cmd := exec.CommandContext(ctx, p.path, p.args...) //nolint:gosec // it is the bench itself or what it has built
	cmd.Env = environment(runtime.GOMAXPROCS(0))
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	started := &process{cmd: cmd}
	silence := time.AfterFunc(exchangeTime, func() { _ = cmd.Process.Kill() })
	defer silence.Stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		started.stop()
		said, _ := os.ReadFile(p.logPath) // its last words, if any
		return nil, fmt.Errorf("%s did not start: %s", filepath.Base(p.path), said)
	}
	started.url = strings.TrimSpace(line[strings.LastIndex(line, " ")+1:])
	return started, nil
}

// stop ends the process at once, as a crash does: what is to last does.
func (p *process) stop() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.cmd.Wait()
}

// untilHealthy asks for /healthz until the answer is 200.
func (p *process) untilHealthy(ctx context.Context) error {
	client := newLoadClient()
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return ctx.Err()
}

// cpuTime returns the user and system time of all threads so far. It is exact
// to the nanosecond, where /proc/PID/stat counts hundredths of a second.
func (p *process) cpuTime() (time.Duration, error) {
	paths, err := filepath.Glob(p.proc("task/*/schedstat"))
	if err != nil || len(paths) == 0 {
		return 0, errors.New("the kernel tells no thread's CPU time (schedstat)")
	}
	var sum time.Duration
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		onCPU, _, _ := strings.Cut(string(data), " ")
		ns, err := strconv.ParseInt(onCPU, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// peakMemory returns the most memory that was resident so far, in bytes.
func (p *process) peakMemory() (int64, error) {
	status, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return 0, err
	}
	return parsePeak(string(status))
}

func (p *process) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name)
}

// parsePeak reads VmHWM of a /proc/PID/status.
func parsePeak(status string) (int64, error) {
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "VmHWM:" && fields[2] == "kB" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the kernel tells no peak memory (VmHWM)")
}
