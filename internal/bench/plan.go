//go:build linux

package main

import "time"

// A plan says how much is measured.
type plan struct {
	rounds, connections, warmUp int
	loads                       []load

	rate        int // sends a second
	latencyTime time.Duration
	answerTime  time.Duration // of the upstream

	ceiling       series // of sends as fast as it goes
	ceilingRounds int

	log logPlan

	starts int
}

// A load is a size of the template in bytes, and how many sends are counted a
// round.
type load struct{ templateSize, sends int }

// A logPlan says how long the log is, how often each question is asked of it,
// and which sends are compared with those on an empty log.
type logPlan struct {
	rows, reads, rounds int
	sends               series // a round
}

func fullPlan(latencyTime time.Duration) plan {
	return plan{
		rounds: 5, connections: 8, warmUp: 2000,
		loads: []load{{300, 15_000}, {2 << 10, 8000}, {12 << 10, 4000}},
		rate:  100, latencyTime: latencyTime, answerTime: 200 * time.Millisecond,
		ceiling: series{connections: 64, warmUp: 2000, sends: 15_000}, ceilingRounds: 3,
		log:    logPlan{rows: 1_000_000, reads: 200, rounds: 5, sends: series{connections: 8, warmUp: 500, sends: 3000}},
		starts: 11,
	}
}

func quickPlan() plan {
	return plan{
		rounds: 1, connections: 8, warmUp: 200,
		loads: []load{{300, 1000}, {2 << 10, 500}, {12 << 10, 300}},
		rate:  100, latencyTime: time.Second, answerTime: 200 * time.Millisecond,
		ceiling: series{connections: 64, warmUp: 100, sends: 1000}, ceilingRounds: 1,
		log:    logPlan{rows: 10_000, reads: 10, rounds: 1, sends: series{connections: 8, warmUp: 50, sends: 300}},
		starts: 3,
	}
}

// sqliteShare is the part of a load's sends that is counted on SQLite, where each
// waits for the disk.
const sqliteShare = 4
