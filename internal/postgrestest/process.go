//go:build unix

package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// A server that was killed recovers first.
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
	folderPrefix = "dmconnector-postgrestest-"
)

// A process is a program with its children, in a folder of its own. It can be started
// again after its end.
type process struct {
	folder     string
	credential *syscall.Credential // nil: that of the tests

	cmd   *exec.Cmd
	ended chan struct{} // closed while it does not run
}

func newProcess() (*process, error) {
	removeAbandonedFolders()
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-*", folderPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	p := &process{folder: folder, ended: make(chan struct{})}
	close(p.ended)
	if os.Geteuid() == 0 {
		err = p.leaveRoot()
	}
	if err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

// leaveRoot chooses another account: PostgreSQL refuses to run as root.
func (p *process) leaveRoot() error {
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return MissingError("user besides root to run PostgreSQL")
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	p.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return errors.Join(uidErr, gidErr, os.Chown(p.folder, int(uid), int(gid)))
}

// removeAbandonedFolders removes the folders of test processes that were killed.
func removeAbandonedFolders() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*-*"))
	for _, folder := range folders {
		var pid int
		_, err := fmt.Sscanf(filepath.Base(folder), folderPrefix+"%d-", &pid)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder)
		}
	}
}

// command returns a command of the process's account, in a process group of its own so
// that an interrupt from the terminal does not reach it.
func (p *process) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) //nolint:noctx,gosec // it lives as long as the test; the system's own binary
	cmd.Dir = p.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential, Setpgid: true}
	return cmd
}

// start runs a command, and waits until its database answers.
func (p *process) start(cmd *exec.Cmd, dsn string) error {
	logPath := filepath.Join(p.folder, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the process has its own copy
	cmd.Stdout, cmd.Stderr = log, log
	endWithThread(cmd)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The thread that starts the process must live as long as the tests.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log has the reason
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	p.cmd, p.ended = cmd, ended
	if err := p.await(dsn); err != nil {
		text, _ := os.ReadFile(logPath)
		return fmt.Errorf("start %s: %w: %s", cmd.Path, err, text[max(0, len(text)-2000):])
	}
	return nil
}

func (p *process) await(dsn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		err := execute(ctx, dsn, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return errors.Join(err, p.end(syscall.SIGQUIT))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// execute runs statements on a new connection.
func execute(ctx context.Context, dsn, statements string) error {
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statements count
	_, err = conn.Exec(ctx, statements).ReadAll()
	return err
}

// signalAll sends a signal to the process and its children, which have process groups
// of their own.
func (p *process) signalAll(sig syscall.Signal) error {
	pid := p.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	// The second time reaches a child that was made just before the process stopped.
	for range 2 {
		err := exec.Command("pkill", fmt.Sprintf("-%d", sig), "-P", strconv.Itoa(pid)).Run() //nolint:noctx,gosec // it does not wait
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) {
			return fmt.Errorf("signal the children: %w", err) // 1: there are none
		}
	}
	return syscall.Kill(pid, sig)
}

// end ends the process with a signal that it handles, and kills it if that fails.
func (p *process) end(sig syscall.Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	_ = p.signalAll(syscall.SIGCONT) // it may be paused
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTimeout):
		_ = p.signalAll(syscall.SIGKILL)
		<-p.ended
		return fmt.Errorf("still running %v after the signal %v", stopTimeout, sig)
	}
}

// remove ends the process, and removes its folder.
func (p *process) remove() {
	_ = p.end(syscall.SIGQUIT)
	_ = os.RemoveAll(p.folder)
}

// find returns the path of a program, the newest if Debian has several versions.
func find(program, debian string) (string, error) {
	// Debian keeps servers out of the usual PATH.
	if found, _ := filepath.Glob(debian); len(found) > 0 {
		return found[len(found)-1], nil
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return "", MissingError(program)
	}
	return found, nil
}

// onFreePort calls start with a free port, and with others if it fails: another program
// may have taken the port first.
func onFreePort(start func(port int) error) error {
	var failed error
	for range 5 {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
		if err != nil {
			return err
		}
		port := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		if failed = start(port); failed == nil {
			return nil
		}
	}
	return failed
}
