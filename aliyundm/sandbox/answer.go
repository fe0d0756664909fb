package sandbox

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
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

// encode writes v, a receipt or a errorAnswer, as the call wants it.
func (c *call) encode(v any) (contentType string, body []byte) {
	if c.xml {
		body, _ = xml.Marshal(v) // two structs of strings always can
		return "text/xml;charset=utf-8", append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`), body...)
	}
	body, _ = json.Marshal(v)
	return "application/json;charset=utf-8", body
}

// refuse answers with an error of Direct Mail.
func (s *Sandbox) refuse(w http.ResponseWriter, r *http.Request, c *call, reason *refusal) {
	s.log.InfoContext(r.Context(), "call refused", "code", reason.code, "status", reason.status, "request_id", c.id)
	contentType, body := c.encode(errorAnswer{
		RequestID: c.id, Message: reason.message, HostID: c.host, Code: reason.code,
		Recommend: "https://api.aliyun.com/troubleshoot?q=" + reason.code + "&product=Dm&requestId=" + c.id,
	})
	send(w, reason.status, contentType, body)
}

// page answers with the gateway's HTML page, which has no Code.
func (s *Sandbox) page(w http.ResponseWriter, r *http.Request, status int) {
	s.log.InfoContext(r.Context(), "page served", "status", status)
	title := strconv.Itoa(status) + " " + pageTitle(status)
	send(w, status, "text/html", fmt.Appendf(nil, "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\r\n"+
		"<html>\r\n<head><title>%[1]s</title></head>\r\n<body bgcolor=\"white\">\r\n<h1>%[1]s</h1>\r\n"+
		"<p>Sorry for the inconvenience.</p>\r\n<hr/>Powered by Tengine</body>\r\n</html>\r\n", title))
}

// pageTitle is the name of a status as nginx and its kin have it.
func pageTitle(status int) string {
	switch status {
	case http.StatusRequestURITooLong:
		return "Request-URI Too Large"
	case http.StatusServiceUnavailable:
		return "Service Temporarily Unavailable"
	case http.StatusGatewayTimeout:
		return "Gateway Time-out"
	}
	return http.StatusText(status)
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON, XML or a fixed page, all escaped, with nosniff; the client may be gone
}
