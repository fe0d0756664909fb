package httpapi

import (
	"cmp"
	"crypto/sha256"
	"net/http"
	"path"
	"regexp"
	"strings"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/errcode"
)

// sent is the answer to an accepted send.
type sent struct {
	ID    string         `json:"id"`
	State delivery.State `json:"state"`
}

// maxKey is the maximum length of an Idempotency-Key in bytes.
const maxKey = 255

// respondAsync finds the preference for 202 (RFC 7240, section 4.1).
var respondAsync = regexp.MustCompile(`(?i)(^|,)\s*respond-async\s*(,|;|$)`)

// send takes Logto's request {to, type, payload, ip?}. It answers 200 when Aliyun has
// accepted the mail, and 202 when the message is queued.
func (s *Server) send(r *request) (any, error) {
	target, ok := s.opts.Delivery.Connector(r.id())
	// First of all: the answer must not depend on whether another connector exists.
	if !r.by.sendsThrough(cmp.Or(target.ID, r.id())) {
		return nil, &problem{Code: errcode.Forbidden, Detail: "the token is for another connector"}
	}
	if !ok {
		return nil, &problem{Code: errcode.ConnectorNotFound}
	}
	key, err := r.idempotencyKey()
	if err != nil {
		return nil, err
	}
	message, err := connector.ParseMessage(r.body)
	if err != nil {
		return nil, err
	}
	report, err := s.opts.Delivery.Send(r.Context(), target, delivery.Request{
		Message: message, Arrived: r.arrived, BodySum: sha256.Sum256(r.body), IdempotencyKey: key,
		Queue: respondAsync.MatchString(strings.Join(r.Header.Values("Prefer"), ",")),
	})
	r.incident = report.ID // a failure names its own
	return sent{report.ID, report.State}, err
}

// idempotencyKey returns the request's key, or "" if it has none. An empty key is an
// error: its caller believes that repeating the request is safe.
func (r *request) idempotencyKey() (string, error) {
	given := r.Header.Values("Idempotency-Key")
	detail := ""
	switch {
	case len(given) == 0:
		return "", nil
	case len(given) > 1:
		detail = "give only one Idempotency-Key"
	case given[0] == "":
		detail = "the Idempotency-Key is empty: give a value, or leave the header out"
	case len(given[0]) > maxKey:
		detail = "the Idempotency-Key is longer than 255 bytes"
	default:
		return given[0], nil
	}
	return "", &problem{Code: errcode.InvalidRequest, Detail: detail}
}

// isSend reports whether the request is for a send route, with whatever method. Its
// caller may show errors to anyone.
func isSend(r *http.Request) bool {
	escaped := r.URL.EscapedPath()
	byID, _ := path.Match("/api/connectors/*/send", escaped) // the pattern is valid
	return byID || escaped == "/api/send"
}
