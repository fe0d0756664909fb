package connector

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"

	"dmconnector/aliyundm"
)

const defaultRegion = "cn-hangzhou"

// checkEndpoint checks where mail goes: a region that Direct Mail is known to
// have, or an endpoint at a host that may be trusted with the key and the codes.
func checkEndpoint(cfg *Config, allowed []string, report *Report) {
	id := cmp.Or(cfg.RegionID, defaultRegion)
	region, known := aliyundm.FindRegion(id)
	switch {
	case report.covers("/regionId"):
	case known && region.Closed:
		report.warnf("/regionId", "%s is closed: Direct Mail no longer takes mail there; use one of %s", id, openRegions())
	case !known && cfg.Endpoint == "":
		report.errorf("/regionId", "is not a region of Direct Mail: use one of %s, or give the endpoint as well", openRegions())
	case !known:
		report.warnf("/regionId", "is not a known region of Direct Mail; mail goes to the endpoint")
	}
	if cfg.Endpoint != "" && !report.covers("/endpoint") {
		if complaint := endpointComplaint(cfg.Endpoint, allowed); complaint != "" {
			report.errorf("/endpoint", "%s", complaint)
		}
	}
}

func openRegions() string {
	var ids []string
	for _, region := range aliyundm.Regions() {
		if !region.Closed {
			ids = append(ids, region.ID)
		}
	}
	return strings.Join(ids, ", ")
}

func endpointComplaint(endpoint string, allowed []string) string {
	u, err := aliyundm.ParseEndpoint(endpoint)
	if err != nil {
		return err.Error()
	}
	if !mayReceive(u, allowed) {
		return "must be a host of aliyuncs.com, or one that the operator allowed by --allow-endpoint"
	}
	return ""
}

func mayReceive(u *url.URL, allowed []string) bool {
	host := strings.ToLower(u.Hostname())
	return strings.HasSuffix(host, ".aliyuncs.com") || isLoopback(host) || slices.ContainsFunc(allowed, func(name string) bool { return strings.EqualFold(name, host) })
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
