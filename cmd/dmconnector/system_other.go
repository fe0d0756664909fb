//go:build !unix

package main

import (
	"context"
	"math"
)

func fileLimit() int64 { return math.MaxInt64 }

func keepOwner(string, string) error { return nil }

func (*service) followSignals(context.Context) {} // there is neither SIGHUP nor SIGUSR1
