package delivery

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"strings"
	"sync"
	"time"

	"dmconnector/connector"
)

// A limitKey names who is limited without telling: a keyed hash.
type limitKey [sha256.Size]byte

// A limit is one rate that a message must keep.
type limit struct {
	name string // for the operator
	key  limitKey
	rate connector.Rate
}

// limiter keeps rates by the generic cell rate algorithm: Count at once, refilled
// evenly over Per. It is exact under concurrency.
type limiter struct {
	secret []byte // of the keys

	mu    sync.Mutex
	full  map[limitKey]time.Time // when a key's allowance is whole again
	sweep int                    // at this size, keys whose allowance is whole are forgotten
}

const firstSweep = 1024

func newLimiter() *limiter {
	secret := make([]byte, sha256.Size)
	rand.Read(secret) // never fails
	return &limiter{secret: secret, full: make(map[limitKey]time.Time), sweep: firstSweep}
}

// hash returns the key of a subject: a kind of limit, a connector and a value.
func (l *limiter) hash(parts ...string) limitKey {
	mac := hmac.New(sha256.New, l.secret)
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return limitKey(mac.Sum(nil))
}

// take takes one from every limit, or nothing from any. If one of them is used
// up, it returns that one and how long to wait.
func (l *limiter) take(now time.Time, limits []limit) (refusing *limit, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, limit := range limits {
		if after := l.after(now, limit); after.Sub(now) > limit.rate.Per {
			return &limits[i], after.Sub(now) - limit.rate.Per
		}
	}
	for _, limit := range limits {
		l.full[limit.key] = l.after(now, limit)
	}
	l.forget(now)
	return nil, 0
}

// giveBack undoes a take.
func (l *limiter) giveBack(limits []limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, limit := range limits {
		if full, ok := l.full[limit.key]; ok {
			l.full[limit.key] = full.Add(-interval(limit.rate))
		}
	}
}

// after is when the allowance would be whole again if one more were taken now.
func (l *limiter) after(now time.Time, limit limit) time.Time {
	full := l.full[limit.key]
	if full.Before(now) {
		full = now
	}
	return full.Add(interval(limit.rate))
}

func (l *limiter) forget(now time.Time) {
	if len(l.full) < l.sweep {
		return
	}
	for key, full := range l.full {
		if !full.After(now) {
			delete(l.full, key)
		}
	}
	l.sweep = max(firstSweep, 2*len(l.full))
}

func interval(rate connector.Rate) time.Duration { return rate.Per / time.Duration(rate.Count) }

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

// limitsOf returns the limits that a message to this recipient must keep.
func (l *limiter) limitsOf(id string, r rates, recipient, ip string) []limit {
	var list []limit
	if r.recipient.Count > 0 {
		list = append(list, limit{"recipient", l.hash("recipient", id, strings.ToLower(recipient)), r.recipient})
	}
	if who := client(ip); r.ip.Count > 0 && who != "" {
		list = append(list, limit{"ip", l.hash("ip", id, who), r.ip})
	}
	return list
}

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
