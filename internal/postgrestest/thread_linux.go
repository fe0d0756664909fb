package postgrestest

import (
	"os/exec"
	"syscall"
)

// endWithThread ends the process with the thread that starts it, even if the tests
// panic. PostgreSQL ends its children on SIGQUIT.
func endWithThread(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT }
