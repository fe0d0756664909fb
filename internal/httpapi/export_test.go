package httpapi

import (
	"time"

	"github.com/go-chi/chi/v5"
)

// Routes are all routes that there are.
func (s *Server) Routes() chi.Routes { return s.all.(chi.Routes) }

// SetTimes sets how long connections are kept: idle, with an answer that makes no
// progress, and after the last answer. 0 is the default.
func (c *Connections) SetTimes(reuse, write, linger time.Duration) {
	c.times = connectionTimes{reuse, write, linger}
}

// Silence is for tests of what the kernel tells of connections.
var Silence = silence
