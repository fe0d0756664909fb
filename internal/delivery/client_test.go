package delivery

import (
	"net/netip"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	t.Parallel()
	const v4, v6 = "203.0.113.5", "2001:db8:1:2::/64"
	tests := map[string]string{
		"":                                 "",
		"203.0.113.5":                      v4,
		" 203.0.113.5\t":                   v4,
		"203.0.113.5:443":                  v4,
		"203.0.113.5, 10.0.0.1":            v4,
		"203.0.113.5,10.0.0.1,10.0.0.2":    v4,
		" 203.0.113.5:443 , unknown":       v4,
		"::ffff:203.0.113.5":               v4,
		"::FFFF:cb00:7105":                 v4,
		"[::ffff:203.0.113.5]:443":         v4,
		"[::ffff:203.0.113.5]":             v4,
		"::ffff:203.0.113.5%eth0":          v4,
		"2001:db8:1:2:3:4:5:6":             v6,
		"2001:DB8:1:2::":                   v6,
		"[2001:db8:1:2::1]":                v6,
		"[2001:db8:1:2::1]:443":            v6,
		"2001:db8:1:2::1%eth0":             v6,
		"[2001:db8:1:2::1%eth0]:443":       v6,
		"[2001:db8:1:2::1]:443, 10.0.0.1":  v6,
		"2001:db8:1:2::1,2001:db8:ffff::1": v6,
		"2001:db8:1:3::1":                  "2001:db8:1:3::/64",
		" ":                                unreadable,
		",":                                unreadable,
		", 203.0.113.5":                    unreadable,
		"unknown":                          unreadable,
		"_hidden":                          unreadable,
		`"203.0.113.5"`:                    unreadable,
		`for="[2001:db8::1]:4711"`:         unreadable,
		"for=203.0.113.5":                  unreadable,
		"203.0.113.5:":                     unreadable,
		"203.0.113.5:99999":                unreadable,
		"203.0.113.5:443:443":              unreadable,
		"203.0.113.05":                     unreadable,
		"203.0.113":                        unreadable,
		"[203.0.113.5":                     unreadable,
		"[203.0.113.5]":                    unreadable,
		"203.0.113.5 10.0.0.1":             unreadable,
		"203.0.113.5/32":                   unreadable,
		"2001:db8:1:2::1]:443":             unreadable,
		"\u00a0203.0.113.5":                v4,
		"\uff12\uff10\uff13.0.113.5":       unreadable,
		"203.0.113.5\x00":                  unreadable,
		"unreadable":                       unreadable,
		"example.com":                      unreadable,
		"http://203.0.113.5":               unreadable,
	}
	tests[strings.Repeat("203.0.113.5 ", 5000)] = unreadable
	tests[strings.Repeat("203.0.113.5, ", 5000)] = v4
	tests["fe80::1%"+strings.Repeat("zone", 1000)] = "fe80::/64"
	for ip, want := range tests {
		if got := client(ip); got != want {
			t.Errorf("client(%.60q) = %q, want %q", ip, got, want)
		}
	}
}

// Whatever a caller writes is a client, and two ways to write an address are one.
func FuzzClient(f *testing.F) {
	for _, ip := range []string{"203.0.113.5", "203.0.113.5:443", "[2001:db8::1%eth0]:443", "::ffff:1.2.3.4, 10.0.0.1", "unknown", " ", ""} {
		f.Add(ip)
	}
	f.Fuzz(func(t *testing.T, ip string) {
		got := client(ip)
		switch {
		case got == "" != (ip == ""):
			t.Fatalf("client(%q) is %q", ip, got)
		case got == "" || got == unreadable:
			return
		}
		prefix, err := netip.ParsePrefix(got)
		if addr, addrErr := netip.ParseAddr(got); addrErr == nil {
			prefix, err = addr.Prefix(32)
			for _, other := range []string{addr.String() + ":1", "[::ffff:" + got + "]:1", " " + got + " , x"} {
				if client(other) != got {
					t.Errorf("client(%q) is %q, not %q", other, client(other), got)
				}
			}
		}
		if err != nil || prefix.Masked() != prefix || prefix.Addr().Zone() != "" || prefix.Addr().Is4In6() || prefix.Bits() != 32 && prefix.Bits() != 64 {
			t.Errorf("client(%q) is %q", ip, got)
		}
	})
}
