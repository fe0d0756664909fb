package aliyundm

// Form lets tests and benchmarks see the signed call without sending it.
func (c *Client) Form(m *Mail) ([]byte, error) { return c.form(newSendRequest(m)) }

// Scrub lets the fuzzer reach scrub without a server.
var Scrub = scrub
