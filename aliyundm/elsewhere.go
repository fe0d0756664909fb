package aliyundm

import "net/url"

// Region returns the id of the region that the client's calls name.
func (c *Client) Region() string { return c.region }

// Host returns the endpoint's host, with its port if it names one.
func (c *Client) Host() string {
	u, err := url.Parse(c.url)
	if err != nil {
		return ""
	}
	return u.Host
}

// In returns a client with the same key for another region. It calls the region's
// own endpoint, unless this client's is none of Direct Mail's: what stands in for
// all of Direct Mail, as a sandbox does, is asked about the other region too, and
// the key goes to nobody else.
func (c *Client) In(region Region) *Client {
	other := *c
	other.region = region.ID
	if isOfficial(c.Host()) {
		other.url = "https://" + region.Endpoint + "/"
	}
	return &other
}

func isOfficial(host string) bool {
	for _, region := range Regions() {
		if host == region.Endpoint || host == region.VPCEndpoint {
			return true
		}
	}
	return false
}
