//go:build linux

package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The targets.
const (
	maxCostRatio     = 2.5                   // on memory
	maxAddedSQLite   = 10 * time.Millisecond // the 99th percentile
	maxAddedPostgres = 25 * time.Millisecond
	minCeiling       = 1500.0 // sends a second
	maxRead          = 20 * time.Millisecond
	maxGrowth        = 0.2        // of the cost of a send, with a full log
	maxMemory        = 40_000_000 // bytes
	maxStart         = 300 * time.Millisecond
	maxScrapes       = 0.02 // of the CPU time
)

// figures are what was measured. Lists of times are in ascending order.
type figures struct {
	plan                           plan
	costs                          []costs
	direct                         []time.Duration // added, without the service
	latencies                      []latency
	ceilingDirect, ceilingQueued   []cost
	scrapes                        scrapeFigures
	logs                           []*logFigures
	sandboxStarts, connectorStarts []time.Duration
}

// costs are the CPU times a send for one load, a value a round.
type costs struct {
	load           load
	kind           storage
	relay, service []time.Duration
}

// A latency is what the service adds on one kind of state, or nothing where it
// was not measured.
type latency struct {
	kind       storage
	added      []time.Duration
	peakMemory int64
}

// medianCost returns the medians of the rounds.
func medianCost(rounds []cost) cost {
	var cpu, answered, delivered []time.Duration
	for _, c := range rounds {
		cpu, answered, delivered = append(cpu, c.cpu), append(answered, c.answered), append(delivered, c.delivered)
	}
	return cost{middle(cpu), middle(answered), middle(delivered)}
}

// perSecond returns how many things are done in a second of which one takes that
// long.
func perSecond(each time.Duration) float64 { return float64(time.Second) / float64(each) }

// growth returns by which part a send costs more with a full log: CPU time, and
// time of the clock.
func (log *logFigures) growth() (cpu, clock float64) {
	empty, full := medianCost(log.empty), medianCost(log.full)
	return float64(full.cpu)/float64(empty.cpu) - 1, float64(full.answered)/float64(empty.answered) - 1
}

// slowest returns the read with the greatest median.
func (log *logFigures) slowest() read {
	return slices.MaxFunc(log.reads, func(a, b read) int { return cmp.Compare(percentile(a.took, 50), percentile(b.took, 50)) })
}

// ratio returns what the service costs in terms of the relay: by the medians,
// and the least and the most of a single round.
func (c costs) ratio() (median, least, most float64) {
	least = math.Inf(1)
	for i := range c.relay {
		round := float64(c.service[i]) / float64(c.relay[i])
		least, most = min(least, round), max(most, round)
	}
	return float64(middle(c.service)) / float64(middle(c.relay)), least, most
}

func sorted(times []time.Duration) []time.Duration { return slices.Sorted(slices.Values(times)) }

// middle returns the median of times in any order.
func middle(times []time.Duration) time.Duration { return percentile(sorted(times), 50) }

// percentile returns the least time that p percent of the times, which are in
// ascending order, do not exceed.
func percentile(ascending []time.Duration, p float64) time.Duration {
	rank := int(math.Ceil(p / 100 * float64(len(ascending))))
	return ascending[max(rank, 1)-1]
}
