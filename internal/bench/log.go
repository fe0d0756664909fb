//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// logFigures are what a long log costs.
type logFigures struct {
	kind        storage
	reads       []read
	empty, full []cost // of a send, a value a round
}

// A read is a question that the admin asks of the log.
type read struct {
	what  string
	took  []time.Duration // in ascending order
	least int             // messages that are found
	ask   func(n int) question
}

// A question is one request; with a body it is a POST.
type question struct {
	path string
	body []byte
}

func (f *figures) measureLogs(ctx context.Context, p programs) error {
	for _, kind := range []storage{sqlite, postgres} {
		if !p.has(kind) {
			continue
		}
		log := &logFigures{kind: kind}
		if err := f.plan.measureLog(ctx, p, log); err != nil {
			return fmt.Errorf("in %s: %w", kind, err)
		}
		f.logs = append(f.logs, log)
	}
	return nil
}

func (plan plan) measureLog(ctx context.Context, p programs, log *logFigures) error {
	full, err := p.newState(ctx, log.kind)
	if err != nil {
		return err
	}
	onFull := func(_ context.Context, u *upstream) (program, error) { return p.serviceFor(u, full) }
	if _, err := measureRun(ctx, &upstream{}, series{connections: 1, sends: 1}, onFull); err != nil {
		return fmt.Errorf("send the message to copy: %w", err)
	}
	ids, err := fill(ctx, log.kind, full, plan.log.rows)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	if err := log.measureReads(ctx, plan.log.reads, ids, onFull); err != nil {
		return err
	}
	for n := range plan.log.rounds {
		empty, err := measureRun(ctx, &upstream{}, plan.log.sends, p.serviceOn(log.kind))
		if err != nil {
			return fmt.Errorf("sends with an empty log: %w", err)
		}
		// Each round has its own recipients, so that no limit stands in the way.
		sends := plan.log.sends
		sends.first = (n + 1) * 1_000_000
		full, err := measureRun(ctx, &upstream{}, sends, onFull)
		if err != nil {
			return fmt.Errorf("sends with a full log: %w", err)
		}
		log.empty, log.full = append(log.empty, empty), append(log.full, full)
	}
	return nil
}

// reads are the questions, for a log of those ids and more, which are in
// ascending order.
func reads(ids []string) []read {
	list := func(query string) func(int) question {
		return func(int) question { return question{path: "/api/messages" + query} }
	}
	deep := ids[:len(ids)/2]
	address := fmt.Appendf(nil, `{"address":%q}`, recipient(0))
	return []read{
		{what: "first page", least: 50, ask: list("")},
		{what: "page deep in the log", least: 1, ask: func(n int) question {
			return question{path: "/api/messages?before=" + deep[1+n%(len(deep)-1)]}
		}},
		{what: "state dead (1 of 50,000)", least: 1, ask: list("?state=dead")},
		{what: "states failed and unknown", least: 50, ask: list("?state=failed,unknown")},
		{what: "connector (1 of 10)", least: 50, ask: list("?connector=second")},
		{what: "type (1 of 20)", least: 50, ask: list("?type=Generic")},
		{what: "connector, type and state", least: 1, ask: list("?connector=second&type=Generic&state=failed")},
		{what: "connector and type of no message", ask: list("?connector=third&type=SignIn")},
		{what: "connector, type and state of no message", ask: list("?connector=third&type=SignIn&state=failed")},
		{what: "search by address", least: 1, ask: func(int) question { return question{"/api/messages/search", address} }},
		{what: "one message", ask: func(n int) question { return question{path: "/api/messages/" + ids[n%len(ids)]} }},
	}
}

func (log *logFigures) measureReads(ctx context.Context, times int, ids []string, create programFor) error {
	s, err := openStage(ctx, &upstream{}, create)
	if err != nil {
		return err
	}
	defer s.close()
	log.reads = reads(ids)
	for i := range log.reads {
		if err := log.reads[i].measure(ctx, s, times); err != nil {
			return fmt.Errorf("%s: %w", log.reads[i].what, err)
		}
	}
	return nil
}

// readTime is how long one question is asked again and again at most.
const readTime = 5 * time.Second

func (r *read) measure(ctx context.Context, s *stage, times int) error {
	begun := time.Now()
	for n := 0; n < times && time.Since(begun) < readTime; n++ {
		found, took, err := s.ask(ctx, r.ask(n))
		if err != nil {
			return err
		}
		r.took = append(r.took, took)
		if found < r.least {
			return fmt.Errorf("%d messages were found, want %d at least", found, r.least)
		}
	}
	slices.Sort(r.took)
	return nil
}

// ask returns how many messages an answer lists, and how long it took.
func (s *stage) ask(ctx context.Context, q question) (int, time.Duration, error) {
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, s.process.url+q.path, bytes.NewReader(q.body))
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set("Content-Type", "application/json")
	begun := time.Now()
	client := http.Client{Transport: s.route.client.Transport} // with all the time it takes
	resp, err := client.Do(r)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	took := time.Since(begun)
	if err != nil {
		return 0, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("the answer is %d: %s", resp.StatusCode, answer)
	}
	var page struct {
		Messages []json.RawMessage `json:"messages"`
	}
	err = json.Unmarshal(answer, &page)
	return len(page.Messages), took, err
}
