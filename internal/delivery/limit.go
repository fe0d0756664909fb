package delivery

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"dmconnector/connector"
)

// rates are a connector's, read from its config. A Count of 0 means off.
type rates struct{ recipient, ip, connector connector.Rate }

// The rates of a connector that says nothing: Logto's own number for a
// recipient, Aliyun's for an account.
func ratesOf(cfg *connector.Config) rates {
	given := connector.Limits{}
	if cfg.Limits != nil {
		given = *cfg.Limits
	}
	return rates{
		recipient: rateOf(given.Recipient, connector.Rate{Count: 10, Per: 10 * time.Minute}),
		ip:        rateOf(given.IP, connector.Rate{}),
		connector: rateOf(given.Connector, connector.Rate{Count: 100, Per: time.Second}),
	}
}

func rateOf(text string, standard connector.Rate) connector.Rate {
	if text == "" {
		return standard
	}
	rate, err := connector.ParseRate(text)
	if err != nil {
		return connector.Rate{} // "off": anything else was refused with the config
	}
	return rate
}

// takings are what a message takes of the limits, always in the same order.
func (r rates) takings(keeper Keeper, id string, m connector.Message) []Taking {
	var list []Taking
	if r.recipient.Count > 0 {
		subject := keeper.Hash("recipient", id, strings.ToLower(m.To))
		list = append(list, Taking{"recipient", subject, r.recipient.Count, r.recipient.Per})
	}
	if who := client(m.IP); r.ip.Count > 0 && who != "" {
		list = append(list, Taking{"ip", keeper.Hash("ip", id, who), r.ip.Count, r.ip.Per})
	}
	return list
}

func (t Taking) rate() string { return fmt.Sprintf("%d in %v", t.Count, t.Per) }

// client returns what counts as one client: an IPv4 address however it is
// written, or a /64 of IPv6. Text that is no address is no client.
func client(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}
