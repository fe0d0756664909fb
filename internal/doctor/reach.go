package doctor

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"dmconnector/aliyundm"
)

const (
	// maxSkew is the skew from which Direct Mail rejects calls.
	maxSkew = 15 * time.Minute
	// smallSkew is more than a clock set by NTP has; the header has full seconds.
	smallSkew = time.Minute
	// soonExpired is when a certificate should have been renewed.
	soonExpired = 7 * 24 * time.Hour
)

// reach makes the checks of the way to the endpoint, and reports whether the
// endpoint was reached.
func (e *examination) reach(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reach, err := e.Client.Reach(ctx)
	if failure := refusal(err); failure != nil {
		e.unreached(reach, failure)
		return false
	}
	e.report.add(named(reach))
	e.report.add(connected(reach))
	e.report.add(clock(reach))
	return true
}

func named(r *aliyundm.Reach) Step {
	s := Step{Check: Name, Status: Good, Finding: "name_good", Values: map[string]string{"host": r.Host}}
	address, _, _ := net.SplitHostPort(r.Address)
	switch {
	case r.Proxied:
		s.Finding = "name_proxied"
		s.Detail = fmt.Sprintf("%s is reached through the proxy of the environment.", r.Host)
	case isAddress(r.Host):
		s.Finding = "name_address"
		s.Detail = r.Host + " is an IP address: no name to look up."
	case address == "":
		s.Detail = r.Host + " resolves."
	default:
		s.Values["address"] = address
		s.Detail = fmt.Sprintf("%s resolves to %s.", r.Host, address)
	}
	return s
}

func isAddress(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return net.ParseIP(strings.Trim(host, "[]")) != nil
}

func connected(r *aliyundm.Reach) Step {
	s := Step{Check: Connection, Status: Good, Finding: "connection_good", Values: map[string]string{"ms": fmt.Sprint(r.Took.Milliseconds()), "tls": r.TLS}}
	if r.Plain {
		s.Finding, s.Detail = "connection_plain", "Reachable without TLS (allowed for local endpoints only)."
		return s
	}
	s.Detail = fmt.Sprintf("Reachable with %s and a valid certificate.", r.TLS)
	if !r.Expires.IsZero() && r.Expires.Sub(r.At) < soonExpired {
		s.Status, s.Finding = Warning, "certificate_expires"
		s.Values["date"] = r.Expires.UTC().Format(time.DateOnly)
		s.Detail = "Reachable, but the certificate expires on " + s.Values["date"] + "."
		s.Cure = "Renew the certificate if the endpoint is yours. Aliyun renews its own."
	}
	return s
}

func clock(r *aliyundm.Reach) Step {
	if r.Date.IsZero() {
		return Step{Check: Clock, Status: Skipped, Finding: "clock_unknown", Detail: "The endpoint sends no time to compare the clock with."}
	}
	// The header is cut down to the second.
	skew := r.At.Sub(r.Date.Add(time.Second / 2)).Round(time.Second)
	s := Step{Check: Clock, Status: Good, Finding: "clock_good", Detail: "The clock agrees with Aliyun's."}
	if skew.Abs() <= smallSkew {
		return s
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	s.Values = map[string]string{"skew": skew.String()}
	s.Cure = "Set this machine's clock, and keep it synchronized with NTP."
	s.Status, s.Finding = Warning, "clock_off"
	s.Detail = fmt.Sprintf("The clock is %v %s Aliyun's.", skew.Abs(), direction)
	if skew.Abs() >= maxSkew {
		s.Status, s.Finding = Problem, "clock_wrong"
		s.Detail = fmt.Sprintf("The clock is %v %s Aliyun's. Aliyun rejects calls that are 15 minutes off.", skew.Abs(), direction)
	}
	return s
}

// unreached adds the steps up to the one that failed.
func (e *examination) unreached(r *aliyundm.Reach, failure *aliyundm.Error) {
	values := map[string]string{"host": r.Host, "message": failure.Message}
	if r.Stage == aliyundm.StageName && !r.Proxied {
		e.report.add(Step{
			Check: Name, Status: Problem, Finding: "name_unknown", Values: values,
			Detail: fmt.Sprintf("%s cannot be resolved: %s.", r.Host, failure.Message), Cure: nameCure(r.Host),
		})
		return
	}
	e.report.add(named(r))
	s := Step{Check: Connection, Status: Problem, Finding: "unreached", Values: values}
	switch r.Stage {
	case aliyundm.StageTLS:
		s.Finding = "tls_failed"
		s.Detail = fmt.Sprintf("No TLS connection with %s: %s.", r.Host, failure.Message)
		s.Cure = "Check the endpoint's spelling, this machine's clock and its root certificates. If a firewall or proxy decrypts TLS, install its certificate here."
	case aliyundm.StageAnswer, aliyundm.StageDone:
		s.Finding = "unanswered"
		s.Detail = fmt.Sprintf("%s accepts the connection but does not answer: %s.", r.Host, failure.Message)
		s.Cure = "Check that this is Direct Mail's endpoint, and look for a proxy in between."
	default:
		s.Detail = fmt.Sprintf("No connection to %s: %s.", r.Host, failure.Message)
		s.Cure = "Allow this machine to reach it on port 443: check the firewall, the security group, the NAT gateway and HTTPS_PROXY."
		if strings.Contains(r.Host, "-vpc.") {
			s.Cure = "Endpoints with -vpc are reachable only from a VPC of the same region. Elsewhere, remove endpoint."
		}
	}
	e.report.add(s)
}

func nameCure(host string) string {
	if strings.Contains(host, "-vpc.") {
		return "Endpoints with -vpc resolve only in a VPC of the same region. Elsewhere, remove endpoint."
	}
	return "Check regionId and endpoint, and whether this machine's DNS resolves other names."
}
