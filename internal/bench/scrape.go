//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// scrapeEvery is how often Prometheus asks, unless it is told otherwise.
	scrapeEvery = 15 * time.Second
	scrapes     = 200
)

// scrapeFigures are the CPU times that one scrape and one send cost.
type scrapeFigures struct{ scrape, send time.Duration }

// share is the part of the CPU time under a load that goes into scrapes.
func (s scrapeFigures) share(rate int) float64 {
	load := float64(s.send) * float64(rate) * scrapeEvery.Seconds()
	return float64(s.scrape) / (load + float64(s.scrape))
}

// measureScrapes measures scrapes of a service that has just sent. It does so by
// themselves, as they cost less than a load differs from another.
func (f *figures) measureScrapes(ctx context.Context, p programs) error {
	s, err := openStage(ctx, &upstream{}, p.serviceOn(memory))
	if err != nil {
		return err
	}
	defer s.close()
	c, err := s.cost(ctx, series{connections: f.plan.connections, warmUp: f.plan.warmUp, sends: f.plan.log.sends.sends})
	if err != nil {
		return err
	}
	before, err := s.process.cpuTime()
	if err != nil {
		return err
	}
	for range scrapes {
		if err := s.scrape(ctx); err != nil {
			return err
		}
	}
	after, err := s.process.cpuTime()
	f.scrapes = scrapeFigures{(after - before) / scrapes, c.cpu}
	return err
}

// scrape asks for the metrics as Prometheus does.
func (s *stage) scrape(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.process.url+"/metrics", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := s.route.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip" {
		return fmt.Errorf("a scrape was answered %d, encoded as %q", resp.StatusCode, resp.Header.Get("Content-Encoding"))
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (f *figures) scrapeTarget() []string {
	share := f.scrapes.share(f.plan.rate)
	return []string{
		fmt.Sprintf("CPU time that goes into scrapes, one in %v, at %d sends a second", scrapeEvery, f.plan.rate),
		"≤ " + percent(maxScrapes), fmt.Sprintf("%s (%s each)", percent(share), microseconds(f.scrapes.scrape)), met(share <= maxScrapes),
	}
}
