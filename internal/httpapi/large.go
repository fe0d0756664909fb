package httpapi

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"

	"dmconnector/internal/errcode"
)

const (
	// smallBody is what a body may have, in bytes, without waiting for others. Logto's
	// have well under 10 kB.
	smallBody = 16 << 10
	// largeSends is what the larger bodies of sends may have together, and largeBodies
	// those of admins. One beyond that is alone: a connector takes many times the memory
	// of its JSON.
	largeSends  = 16 << 20
	largeBodies = 2 << 20
)

// A room is memory for bodies that are read and worked on at once.
type room struct {
	*semaphore.Weighted
	bytes int64
}

func newRoom(bytes int64) room { return room{semaphore.NewWeighted(bytes), bytes} }

// limitLarge lets large bodies wait for room. They are served in order.
func (s *Server) limitLarge(room room, limit bodyLimit, wait time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return s.handle(func(w http.ResponseWriter, r *request) error {
			size := min(r.ContentLength, int64(limit.bytes), room.bytes)
			if r.ContentLength < 0 {
				size = min(int64(limit.bytes), room.bytes)
			}
			if size > smallBody {
				ctx, cancel := context.WithTimeout(r.Context(), wait)
				defer cancel()
				if room.Acquire(ctx, size) != nil {
					return &problem{Code: errcode.Overloaded, Detail: "other large requests are in progress", retryAfter: time.Second}
				}
				defer room.Release(size)
			}
			next.ServeHTTP(w, r.Request)
			return nil
		})
	}
}
