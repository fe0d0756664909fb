package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machineFacts says what of this machine bears on the figures.
func machineFacts(others float64) string {
	return fmt.Sprintf("%s on %s/%s, %d CPUs (%s). Other programs used %.2f CPUs meanwhile.",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel(), others)
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // not every architecture names its CPU there
	for line := range strings.Lines(string(info)) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "model unknown"
}

// A cpuUse is what has been used of the machine's CPUs, in hundredths of a
// second, at one time.
type cpuUse struct {
	all, ours int64 // ours with our children that have ended
	at        time.Time
}

func readCPUUse() (cpuUse, error) {
	machine, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuUse{}, err
	}
	self, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return cpuUse{}, err
	}
	return parseCPUUse(string(machine), string(self))
}

// parseCPUUse reads /proc/stat and /proc/PID/stat (see proc_stat(5) and
// proc_pid_stat(5)).
func parseCPUUse(machine, self string) (cpuUse, error) {
	total, _, _ := strings.Cut(machine, "\n")
	fields := strings.Fields(total)
	// The program's name, in brackets, may have anything in it.
	own := strings.Fields(self[strings.LastIndexByte(self, ')')+1:])
	if len(fields) < 8 || len(own) < 15 {
		return cpuUse{}, errors.New("the kernel's stat files are too short")
	}
	use := cpuUse{at: time.Now()}
	for _, i := range []int{1, 2, 3, 6, 7} { // user, nice, system, irq, softirq
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return cpuUse{}, err
		}
		use.all += n
	}
	for _, field := range own[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return cpuUse{}, err
		}
		use.ours += n
	}
	return use, nil
}

// others returns how many CPUs other programs used since before, on average.
func (u cpuUse) others(before cpuUse) float64 {
	const ticks = 100 // a second, on all of Linux's architectures
	theirs := float64(u.all-before.all-u.ours+before.ours) / ticks
	return max(0, theirs/u.at.Sub(before.at).Seconds())
}
