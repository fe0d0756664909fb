//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machineFacts says what of this machine bears on the figures.
func machineFacts(d disk, others float64) string {
	return fmt.Sprintf("%s on %s/%s, %d CPUs (%s). Its disk took %s (median; p99 %s) for a write of 4 KiB until it was durable. Other programs used %.2f CPUs meanwhile.",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpuModel(),
		milliseconds(percentile(d.writes, 50)), milliseconds(percentile(d.writes, 99)), others)
}

// A disk is what durable writes wait for.
type disk struct {
	inMemory bool            // it is none: nothing there is durable
	writes   []time.Duration // in ascending order
}

// probeDisk writes to a file in a folder, as a state does when it commits.
func probeDisk(folder string) (disk, error) {
	const tmpfs = 0x01021994 // see statfs(2)
	var system syscall.Statfs_t
	if err := syscall.Statfs(folder, &system); err != nil {
		return disk{}, fmt.Errorf("look at the file system of %s: %w", folder, err)
	}
	f, err := os.Create(filepath.Join(folder, "probe"))
	if err != nil {
		return disk{}, err
	}
	defer f.Close() //nolint:errcheck // it is of no use any more
	d := disk{inMemory: system.Type == tmpfs, writes: make([]time.Duration, 200)}
	for i := range d.writes {
		begun := time.Now()
		if _, err := f.Write(make([]byte, 4<<10)); err != nil {
			return d, err
		}
		if err := f.Sync(); err != nil {
			return d, err
		}
		d.writes[i] = time.Since(begun)
	}
	d.writes = sorted(d.writes)
	return d, nil
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
