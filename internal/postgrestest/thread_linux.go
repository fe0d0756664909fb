package postgrestest

import (
	"os/exec"
	"syscall"
)

// endWithThread lets the process end with the thread that starts it, also when
// the tests end in a panic. SIGQUIT ends PostgreSQL and its children.
func endWithThread(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT }
