package main

import (
	"math"
	"slices"
	"time"
)

// The targets.
const (
	maxCostRatio = 2.5
	maxAdded     = 10 * time.Millisecond // the 99th percentile
	maxMemory    = 40_000_000            // bytes
	maxStart     = 300 * time.Millisecond
)

// figures are what was measured. Lists of times are in ascending order.
type figures struct {
	plan                           plan
	costs                          []costs
	direct, added                  []time.Duration
	peakMemory                     int64
	sandboxStarts, connectorStarts []time.Duration
}

// costs are the CPU times a send for one load, a value a round.
type costs struct {
	load           load
	relay, service []time.Duration
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
