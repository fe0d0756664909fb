package delivery

import (
	"net/netip"
	"strings"
)

// unreadable is the client of every request whose ip cannot be read: they share one
// limit, so that no text makes a request unlimited.
const unreadable = "unreadable"

// client returns what counts as one client: an IPv4 address, however it is written, or
// a /64 of IPv6. Proxies write an address with or without a port, or a list whose first
// entry is the client's. Without an ip, the client is empty.
func client(ip string) string {
	if ip == "" {
		return ""
	}
	first, _, _ := strings.Cut(ip, ",")
	first = strings.TrimSpace(first)
	addr, err := netip.ParseAddr(first)
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(first)
		if portErr != nil {
			withPort, portErr = netip.ParseAddrPort(first + ":0") // an IPv6 address in brackets
		}
		if portErr != nil {
			return unreadable
		}
		addr = withPort.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}
