//go:build unix

package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A process is a running program, with its children.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // how it ended; after ended
}

// launch starts a command whose output is added to a file.
func launch(cmd *exec.Cmd, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the process has it as well
	cmd.Stdout, cmd.Stderr = log, log
	endWithThread(cmd)
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go p.follow(started)
	return p, <-started
}

// follow starts the process and waits for its end, on one thread: the process
// is to end with the tests, and what the system knows of them is the thread.
func (p *process) follow(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.ended)
}

// ready waits until the process answers. One that does not is ended.
func (p *process) ready(ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended: %w", p.err)
		case <-ctx.Done():
			return errors.Join(err, p.end(syscall.SIGQUIT))
		case <-tick.C:
		}
	}
}

// end ends the process with a signal that it understands. A paused one goes on
// for that.
func (p *process) end(sig syscall.Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	err := p.signal(syscall.SIGCONT)
	if killErr := syscall.Kill(p.cmd.Process.Pid, sig); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
		return errors.Join(err, killErr)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTime):
		err = errors.Join(p.signal(syscall.SIGKILL), fmt.Errorf("it has not ended within %v of %v", stopTime, sig))
		<-p.ended
		return err
	}
}

// signal sends a signal to the process and its children, which have groups of
// their own. The process is stopped before, so that it makes no more of them.
func (p *process) signal(sig syscall.Signal) error {
	pid := p.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	sent, err := []int{}, error(nil)
	for again := true; again && err == nil; {
		var children []int
		children, err = childrenOf(pid)
		again = false
		for _, child := range children {
			if !slices.Contains(sent, child) {
				_ = syscall.Kill(child, sig) // it may have ended
				sent, again = append(sent, child), true
			}
		}
	}
	return errors.Join(err, syscall.Kill(pid, sig))
}

// childrenOf lists the children of a process.
func childrenOf(pid int) ([]int, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output() //nolint:noctx // it does not wait
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var children []int
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			children = append(children, child)
		}
	}
	return children, nil
}
