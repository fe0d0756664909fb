//go:build unix

package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// An account is who runs the servers: they refuse root.
type account struct {
	credential *syscall.Credential // nil: who runs the test
}

func findAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
			gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
			return &account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, errors.Join(uidErr, gidErr)
		}
	}
	return nil, missing("user besides root to run PostgreSQL")
}

// command is a command of the account, in a group of its own: what a terminal
// sends to the tests is not for it.
func (a *account) command(folder, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) //nolint:noctx,gosec // it lives as long as the test; the system's own binary
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential, Setpgid: true}
	return cmd
}

const folderName = "dmconnector-postgrestest-"

// folder makes a folder of the account. Where [testing.TB.TempDir] makes its
// own, another account may not enter.
func (a *account) folder() (string, error) {
	sweep()
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-*", folderName, os.Getpid()))
	if err != nil || a.credential == nil {
		return folder, err
	}
	return folder, a.own(folder)
}

// own gives a file to the account.
func (a *account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// sweep removes the folders of tests that ended without a chance to do it.
func sweep() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), folderName+"*-*"))
	for _, folder := range folders {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), folderName), "-")
		n, err := strconv.Atoi(pid)
		if err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder)
		}
	}
}
