package main

import (
	"math"
	"os"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	ofCgroup := int64(math.MaxInt64)
	if limit, err := memlimit.FromCgroup(); err == nil {
		ofCgroup = int64(float64(min(limit, math.MaxInt64)) * 0.65)
	}
	const given = 77 << 20
	tests := map[string]struct {
		variable, value string
		want            int64
		wrong           bool
	}{
		"of the cgroup":         {"LANG", "", ofCgroup, false},
		"GOMEMLIMIT goes first": {"GOMEMLIMIT", "77MiB", given, false},
		"off":                   {"AUTOMEMLIMIT", "off", given, false},
		"no number":             {"AUTOMEMLIMIT", "80%", given, true},
		"a percentage":          {"AUTOMEMLIMIT", "80", given, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"GOMEMLIMIT", "AUTOMEMLIMIT"} {
				t.Setenv(variable, "") // so that it is restored
				os.Unsetenv(variable)
			}
			t.Setenv(tt.variable, tt.value)
			debug.SetMemoryLimit(given)
			err := limitMemory()
			if got := debug.SetMemoryLimit(-1); got != tt.want || (err != nil) != tt.wrong {
				t.Errorf("%d, want %d, %v", got, tt.want, err)
			}
		})
	}
}
