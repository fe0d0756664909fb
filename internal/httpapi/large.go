package httpapi

import (
	"context"
	"net/http"
	"time"

	"dmconnector/internal/errcode"
)

const (
	// largeBody is what a body may have, in bytes, without waiting for others.
	largeBody = 64 << 10
	// largeBodies is what larger ones may have together. One beyond that is alone: a
	// connector takes many times the memory of its JSON.
	largeBodies = 2 << 20
)

// limitLarge bounds the large bodies that are read and worked on at once. Those that
// wait are served in order.
func (s *Server) limitLarge(wait time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return s.handle(func(w http.ResponseWriter, r *request) error {
			size := r.ContentLength
			if size < 0 || size > largeBodies {
				size = largeBodies
			}
			if size > largeBody {
				ctx, cancel := context.WithTimeout(r.Context(), wait)
				defer cancel()
				if s.large.Acquire(ctx, size) != nil {
					return &problem{Code: errcode.Overloaded, Detail: "other large requests are in progress", retryAfter: time.Second}
				}
				defer s.large.Release(size)
			}
			next.ServeHTTP(w, r.Request)
			return nil
		})
	}
}
