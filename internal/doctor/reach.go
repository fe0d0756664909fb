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
	// maxSkew is what Direct Mail bears.
	maxSkew = 15 * time.Minute
	// smallSkew is what NTP would not leave; the header has full seconds.
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
		s.Detail = fmt.Sprintf("%s is reached through the proxy that the environment names.", r.Host)
	case isAddress(r.Host):
		s.Finding = "name_address"
		s.Detail = r.Host + " is an address: there is no name to look up."
	case address == "":
		s.Detail = r.Host + " is found."
	default:
		s.Values["address"] = address
		s.Detail = fmt.Sprintf("%s is found, at %s.", r.Host, address)
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
		s.Finding, s.Detail = "connection_plain", "The endpoint answers, without TLS, as only one on this machine may."
		return s
	}
	s.Detail = fmt.Sprintf("The endpoint answers, by %s with a valid certificate.", r.TLS)
	if !r.Expires.IsZero() && r.Expires.Sub(r.At) < soonExpired {
		s.Status, s.Finding = Warning, "certificate_expires"
		s.Values["date"] = r.Expires.UTC().Format(time.DateOnly)
		s.Detail = "The endpoint answers, but its certificate expires on " + s.Values["date"] + "."
		s.Cure = "If the endpoint is your own, renew the certificate. One of Aliyun's is renewed by Aliyun."
	}
	return s
}

func clock(r *aliyundm.Reach) Step {
	if r.Date.IsZero() {
		return Step{Check: Clock, Status: Skipped, Finding: "clock_unknown", Detail: "The endpoint does not tell its time, so that the clock cannot be compared."}
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
	s.Cure = "Set this machine's clock, and keep it right with NTP."
	s.Status, s.Finding = Warning, "clock_off"
	s.Detail = fmt.Sprintf("The clock is %v %s Aliyun's.", skew.Abs(), direction)
	if skew.Abs() >= maxSkew {
		s.Status, s.Finding = Problem, "clock_wrong"
		s.Detail = fmt.Sprintf("The clock is %v %s Aliyun's, which refuses calls that are 15 minutes off.", skew.Abs(), direction)
	}
	return s
}

// unreached adds the steps up to the one that failed.
func (e *examination) unreached(r *aliyundm.Reach, failure *aliyundm.Error) {
	values := map[string]string{"host": r.Host, "message": failure.Message}
	if r.Stage == aliyundm.StageName && !r.Proxied {
		e.report.add(Step{
			Check: Name, Status: Problem, Finding: "name_unknown", Values: values,
			Detail: fmt.Sprintf("%s could not be looked up: %s.", r.Host, failure.Message), Cure: nameCure(r.Host),
		})
		return
	}
	e.report.add(named(r))
	s := Step{Check: Connection, Status: Problem, Finding: "unreached", Values: values}
	switch r.Stage {
	case aliyundm.StageTLS:
		s.Finding = "tls_failed"
		s.Detail = fmt.Sprintf("No TLS connection with %s: %s.", r.Host, failure.Message)
		s.Cure = "Check the endpoint's spelling and this machine's clock and root certificates. A firewall or proxy that opens TLS needs its certificate installed here."
	case aliyundm.StageAnswer, aliyundm.StageDone:
		s.Finding = "unanswered"
		s.Detail = fmt.Sprintf("%s takes the connection and does not answer: %s.", r.Host, failure.Message)
		s.Cure = "See whether this is Direct Mail's endpoint, and what stands in between."
	default:
		s.Detail = fmt.Sprintf("No connection to %s: %s.", r.Host, failure.Message)
		s.Cure = "Let this machine reach it on port 443: look at the firewall, the security group, the NAT gateway and HTTPS_PROXY."
		if strings.Contains(r.Host, "-vpc.") {
			s.Cure = "An endpoint with -vpc is reached only from a VPC of the same region. Elsewhere leave endpoint out."
		}
	}
	e.report.add(s)
}

func nameCure(host string) string {
	if strings.Contains(host, "-vpc.") {
		return "An endpoint with -vpc is known only in a VPC of the same region. Elsewhere leave endpoint out."
	}
	return "Check regionId and endpoint, and whether this machine's DNS answers for other names."
}
