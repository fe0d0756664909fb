package aliyundm

import "time"

// Form lets tests and benchmarks see the signed call without sending it.
func (c *Client) Form(m *Mail) ([]byte, error) { return c.form(newSendRequest(m), c.provider) }

// Scrub lets the fuzzer reach scrub without a server.
var Scrub = scrub

// SetClock puts a test's clock in the place of the machine's.
func (r *Role) SetClock(now func() time.Time) { r.now = now }

// KeyEnds is when the role's key ends.
func (r *Role) KeyEnds() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.key.expires
}
