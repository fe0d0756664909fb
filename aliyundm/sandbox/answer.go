package sandbox

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// receipt is the answer to a mail that was accepted.
type receipt struct {
	XMLName   xml.Name `json:"-" xml:"SingleSendMailResponse"`
	EnvID     string   `json:"EnvId" xml:"EnvId"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
}

// errorAnswer is the answer to a call that was refused.
type errorAnswer struct {
	XMLName   xml.Name `json:"-" xml:"Error"`
	RequestID string   `json:"RequestId" xml:"RequestId"`
	Message   string   `json:"Message" xml:"Message"`
	Recommend string   `json:"Recommend" xml:"Recommend"`
	HostID    string   `json:"HostId" xml:"HostId"`
	Code      string   `json:"Code" xml:"Code"`
}

// A refusal is an error answer of Direct Mail.
type refusal struct {
	status  int
	code    string
	message string
}

//go:embed codes.tsv
var codesTable string

// refusals has the codes a SingleSendMail can be answered with, save those that name
// a parameter.
var refusals = readRefusals(codesTable)

func readRefusals(table string) map[string]refusal {
	known := map[string]refusal{}
	for line := range strings.Lines(table) {
		if cells := strings.Split(strings.TrimSpace(line), "\t"); len(cells) == 3 {
			status, _ := strconv.Atoi(cells[1])
			known[cells[0]] = refusal{status, cells[0], cells[2]}
		}
	}
	return known
}

// refuse is the refusal with the code, which must be one of refusals. For a signature
// it has the string to sign as the server made it, which holds the whole mail and is
// for the answer alone.
func (c *call) refuse(code string) *refusal {
	r := refusals[code]
	switch {
	case code == "SignatureDoesNotMatch" && c.sign.acs3:
		r.message = "Specified signature does not match our calculation. server StringToSign is [" + c.sign.toSign +
			"]server CanonicalRequest is [" + c.sign.canonical + "]"
	case code == "SignatureDoesNotMatch", code == "IncompleteSignature":
		r.message += c.sign.toSign
	}
	return &r
}

// missing refuses a call without a parameter that is mandatory.
func missing(name string) *refusal {
	return &refusal{http.StatusBadRequest, "Missing" + name, name + " is mandatory for this action."}
}

// invalid refuses a parameter's value.
func invalid(name string) *refusal {
	return &refusal{http.StatusBadRequest, "Invalid" + name, "Specified parameter " + name + " is not valid."}
}

// encode writes v, an answer of Direct Mail, as the call wants it.
func (c *call) encode(v any) (contentType string, body []byte) {
	if c.xml {
		body, _ = xml.Marshal(v) // structs of strings and numbers always can
		return "text/xml;charset=utf-8", append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`), body...)
	}
	body, _ = json.Marshal(v)
	return "application/json;charset=utf-8", body
}

func (c *call) succeed(w http.ResponseWriter, v any) {
	contentType, body := c.encode(v)
	send(w, http.StatusOK, contentType, body)
}

// fail answers with an error of Direct Mail.
func (s *Sandbox) fail(w http.ResponseWriter, c *call, reason *refusal) {
	s.log.InfoContext(c.r.Context(), "call refused", "code", reason.code, "status", reason.status, "request_id", c.id)
	contentType, body := c.encode(errorAnswer{
		RequestID: c.id, Message: reason.message, HostID: c.r.Host, Code: reason.code,
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + reason.code + "&product=Dm&requestId=" + c.id,
	})
	send(w, reason.status, contentType, body)
}

// page answers with the gateway's HTML page, which has no Code.
func (s *Sandbox) page(w http.ResponseWriter, r *http.Request, status int) {
	s.log.InfoContext(r.Context(), "page served", "status", status)
	title := strconv.Itoa(status) + " " + cmp.Or(pageTitles[status], http.StatusText(status))
	send(w, status, "text/html", fmt.Appendf(nil, "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\r\n"+
		"<html>\r\n<head><title>%[1]s</title></head>\r\n<body bgcolor=\"white\">\r\n<h1>%[1]s</h1>\r\n"+
		"<p>Sorry for the inconvenience.</p>\r\n<hr/>Powered by Tengine</body>\r\n</html>\r\n", title))
}

// pageTitles are the names of statuses that nginx and its kin name in their own way.
var pageTitles = map[int]string{
	http.StatusRequestURITooLong:  "Request-URI Too Large",
	http.StatusServiceUnavailable: "Service Temporarily Unavailable",
	http.StatusGatewayTimeout:     "Gateway Time-out",
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, XML or a fixed page, all escaped, with nosniff; the client may be gone
}
