//go:build unix

package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dmconnector/internal/delivery"
	"dmconnector/internal/postgrestest"
	"dmconnector/internal/seal"
)

// BenchmarkSend is what a direct send needs of the state: acceptance within a limit,
// and the outcome.
func BenchmarkSend(b *testing.B) {
	for _, kind := range []Kind{Memory, SQLite, Postgres} {
		b.Run(string(kind), func(b *testing.B) {
			address := map[Kind]string{Memory: "memory", SQLite: "sqlite:" + filepath.Join(b.TempDir(), "state.db")}[kind]
			if kind == Postgres {
				address = postgrestest.Database(b)
			}
			ring, err := seal.NewRing(seal.NewKey())
			if err != nil {
				b.Fatal(err)
			}
			s, err := Open(b.Context(), Options{State: address, Ring: ring})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					e := s.testEntry(order{})
					e.Charges = []delivery.Charge{s.limit("recipient", e.ID, 10)}
					if _, err := s.Accept(context.Background(), e); err != nil {
						b.Error(err)
					}
					if _, err := s.Complete(context.Background(), delivery.Outcome{ID: e.ID, Attempt: 1, State: delivery.StateSent, Steps: e.Steps}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkMillion counts 1,000,000 messages of 24 hours in 200 buckets, those of 3
// connectors and 4 types, on SQLite; and lists what is rare among them.
func BenchmarkMillion(b *testing.B) {
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(b.Context(), Options{State: "sqlite:" + filepath.Join(b.TempDir(), "state.db"), Ring: ring})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const messages, day = 1_000_000, 24 * time.Hour
	begin := time.Now().Add(-day)
	insertMany(b, s, messages, begin, day/messages)

	until := begin.Add(day)
	b.Run("statistics", func(b *testing.B) {
		for b.Loop() {
			got, err := s.Statistics(b.Context(), delivery.StatisticsQuery{Since: begin, Until: until, Step: day / 200})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for _, series := range got.Series {
				for _, count := range series.Counts {
					n += count
				}
			}
			if n != messages {
				b.Fatalf("%d are counted", n)
			}
		}
	})
	address := delivery.Hash{1}
	for name, f := range map[string]delivery.Filter{
		"all":                  {},
		"sent":                 {States: []delivery.State{delivery.StateSent}},
		"not sent":             {States: []delivery.State{"queued", "sending", "failed", "dead", "expired", "unknown"}},
		"dead among 50,000":    {States: []delivery.State{"dead"}},
		"connector":            {Connector: "c1"},
		"connector and type":   {Connector: "c1", Type: "SignIn"},
		"connector, rare type": {Connector: "c1", Type: "MfaVerification"},
		"type":                 {Type: "SignIn"},
		"rare type":            {Type: "MfaVerification"},
		"unknown connector":    {Connector: "none"},
		"address":              {Address: &address},
		"incident":             {Incident: "12345678"},
	} {
		f.Limit = 51
		b.Run("list "+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Messages(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// insertMany inserts messages that were created one after the other. One of 20 failed.
func insertMany(b *testing.B, s *Store, n int, begin time.Time, every time.Duration) {
	b.Helper()
	steps := `{"detail":"` + strings.Repeat("x", 500) + `"}`
	for first := 0; first < n; first += 10_000 {
		err := s.engine.write(b.Context(), func(x *tx) error {
			for i := first; i < min(first+10_000, n); i++ {
				created := begin.Add(time.Duration(i) * every)
				state := delivery.StateSent
				if i%20 == 7 {
					state = delivery.StateFailed
				}
				address := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
				_, err := x.exec(`
INSERT INTO message (id, connector, type, mode, state, code, detail, recipient, address, body, superseded, hold,
	attempts, owner, due_at, expires_at, created_at, updated_at, charges, steps)
VALUES ($1, $2, $3, 'direct', $4, '', '', 'u***@example.com', $5, $5, 0, 0, 1, $6, 0, 0, $7, $8, '[]', $9)`,
					leastID(created)[:24]+delivery.NewID()[24:], fmt.Sprint("c", i%3), []string{"SignIn", "Register", "ForgotPassword", "Generic"}[i%4], string(state),
					address[:], s.self, micros(created), micros(created.Add(time.Duration(i%1999)*time.Millisecond)), steps)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
