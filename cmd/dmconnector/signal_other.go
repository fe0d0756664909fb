//go:build !unix

package main

import "context"

// followSignals does nothing where there is neither SIGHUP nor SIGUSR1.
func (*service) followSignals(context.Context) {}
