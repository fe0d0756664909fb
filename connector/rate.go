package connector

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Rate allows Count at once and refills them evenly over Per.
type Rate struct {
	Count int
	Per   time.Duration
}

// ParseRate reads a rate such as "10/10m". Count is 1 to 1,000,000 and the time
// one second to 24 hours.
func ParseRate(s string) (Rate, error) {
	count, per, ok := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	d, derr := time.ParseDuration(per)
	if !ok || err != nil || derr != nil || n < 1 || n > 1_000_000 || d < time.Second || d > 24*time.Hour {
		return Rate{}, fmt.Errorf("%q is no rate such as 10/10m", s)
	}
	return Rate{Count: n, Per: d}, nil
}

// ParseLifetime reads how long a code is good, one minute to 24 hours, such as
// "10m".
func ParseLifetime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Minute || d > 24*time.Hour {
		return 0, fmt.Errorf("%q is no time from 1m to 24h", s)
	}
	return d, nil
}
