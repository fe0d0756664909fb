//go:build unix

package store

import (
	"context"
	"path/filepath"
	"testing"

	"dmconnector/internal/delivery"
	"dmconnector/internal/postgrestest"
	"dmconnector/internal/seal"
)

// BenchmarkSend is what a direct send needs of the state: admission within a limit,
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
