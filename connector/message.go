package connector

import (
	"errors"

	"dmconnector/internal/strictjson"
)

// A Message is one send request: Logto's SendMessageData and the client's IP.
type Message struct {
	To      string         // as the caller wrote it; not checked yet
	Type    string         // a usage type
	Payload map[string]any // decoded JSON, numbers as json.Number; never nil after ParseMessage
	IP      string         // of the client that asked for the code; may be empty
}

// ParseMessage reads the body {to, type, payload, ip?} of Logto's HTTP email
// connector. Unknown keys and a missing payload are accepted, as every payload
// key is optional there. Errors are of type [*InvalidError] and repeat nothing
// of the body.
func ParseMessage(data []byte) (Message, error) {
	var report Report
	tree, err := strictjson.Decode(data)
	if syntax, ok := errors.AsType[*strictjson.Error](err); ok {
		report.errorf("", "is not acceptable JSON at line %d, column %d", syntax.Line, syntax.Column)
		return Message{}, report.Err()
	}
	s := shape{report: &report}
	body, ok := as[map[string]any](s, tree, "")
	if !ok {
		return Message{}, report.Err()
	}
	m := Message{
		To:      text(s, body, "to", true),
		Type:    text(s, body, "type", true),
		Payload: map[string]any{},
		IP:      text(s, body, "ip", false),
	}
	if payload, ok := body["payload"]; ok {
		m.Payload, _ = as[map[string]any](s, payload, "/payload")
	}
	return m, report.Err()
}

// text returns the string under key. An optional one may be absent or null.
func text(s shape, body map[string]any, key string, required bool) string {
	tree, ok := body[key]
	if !required && tree == nil {
		return ""
	}
	if !ok {
		s.report.errorf(child("", key), "is missing")
		return ""
	}
	v, ok := as[string](s, tree, child("", key))
	if ok && v == "" && required {
		s.report.errorf(child("", key), "is empty")
	}
	return v
}

// preference returns a payload's text under key, or "".
func (m Message) preference(key string) string {
	v, _ := m.Payload[key].(string)
	return v
}
