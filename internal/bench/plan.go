package main

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A plan says how much is measured.
type plan struct {
	rounds, connections, warmUp int
	loads                       []load

	rate        int // sends a second
	latencyTime time.Duration
	answerTime  time.Duration // of the upstream

	starts int
}

// A load is a size of the template in bytes, and how many sends are counted a
// round.
type load struct{ templateSize, sends int }

func fullPlan(latencyTime time.Duration) plan {
	return plan{
		rounds: 5, connections: 8, warmUp: 2000,
		loads: []load{{300, 20_000}, {2 << 10, 10_000}, {12 << 10, 5000}},
		rate:  100, latencyTime: latencyTime, answerTime: 200 * time.Millisecond,
		starts: 11,
	}
}

func quickPlan() plan {
	return plan{
		rounds: 1, connections: 8, warmUp: 200,
		loads: []load{{300, 2000}, {2 << 10, 1000}, {12 << 10, 500}},
		rate:  100, latencyTime: time.Second, answerTime: 200 * time.Millisecond,
		starts: 3,
	}
}

// programs makes the commands that are measured.
type programs struct{ binary, dir string }

func (p programs) service(connectors string) program {
	return program{p.binary, []string{
		"serve", "--listen", "127.0.0.1:0", "--connectors", connectors,
		"--state", "memory", "--data", filepath.Join(p.dir, "data"),
	}, p.logPath()}
}

func (p programs) sandbox() program {
	return program{p.binary, []string{
		"serve", "--listen", "127.0.0.1:0", "--sandbox", "--sandbox-listen", "127.0.0.1:0",
	}, p.logPath()}
}

func (p programs) relay(u *upstream) (program, error) {
	self, err := os.Executable()
	return program{self, []string{
		"-relay-to", u.url, "-template-size", strconv.Itoa(u.templateSize),
	}, p.logPath()}, err
}

func (p programs) serviceFor(u *upstream) (program, error) {
	path, err := writeConnector(p.dir, u.url, u.templateSize)
	return p.service(path), err
}

func (p programs) logPath() string { return filepath.Join(p.dir, "log") }
