package aliyundm

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
)

// answer is what Direct Mail says, a receipt or an error. JSON is asked for, but
// gateways have answered in XML all the same.
type answer struct {
	XMLName   xml.Name `xml:""`
	EnvID     text     `xml:"EnvId"`
	RequestID text     `xml:"RequestId"`
	Code      text     `xml:"Code"`
	Message   text     `xml:"Message"`
}

type text string

// textOf returns a JSON string, or "" if something else stands in its place.
func textOf(v any) text {
	s, _ := v.(string)
	return text(s)
}

// readAnswer turns an answer into a receipt, or into an [*Error].
func readAnswer(status int, body []byte) (*Receipt, error) {
	a := parseAnswer(body)
	if status == http.StatusOK && a.EnvID != "" && a.RequestID != "" {
		return &Receipt{EnvID: string(a.EnvID), RequestID: string(a.RequestID.requestID())}, nil
	}
	return nil, a.refusal(status)
}

// refusal is the error for an answer without what was asked for.
func (a answer) refusal(status int) *Error {
	e := &Error{
		Class: classify(status, string(a.Code)), Code: string(a.Code), Status: status,
		RequestID: string(a.RequestID.requestID()), Message: scrub(string(a.Message)),
	}
	if e.Code == "" {
		e.Message = "the answer is not one of Direct Mail's"
	}
	return e
}

// parseAnswer returns the zero answer for what is none.
func parseAnswer(body []byte) answer {
	var (
		a      answer
		fields struct {
			EnvID     any `json:"EnvId"`
			RequestID any `json:"RequestId"`
			Code      any `json:"Code"`
			Message   any `json:"Message"`
		}
	)
	if json.Unmarshal(body, &fields) == nil {
		a = answer{EnvID: textOf(fields.EnvID), RequestID: textOf(fields.RequestID), Code: textOf(fields.Code), Message: textOf(fields.Message)}
	} else if xml.Unmarshal(body, &a) != nil || a.XMLName.Local != "Error" && a.XMLName.Local != "SingleSendMailResponse" {
		return answer{}
	}
	return answer{
		EnvID: a.EnvID.identifier(), RequestID: a.RequestID.identifier(),
		Code: a.Code.code(), Message: a.Message,
	}
}

const maxIdentifier = 64

// identifier returns t if it has the form of an EnvId or a RequestId.
func (t text) identifier() text {
	if len(t) > maxIdentifier || !isToken(string(t)) {
		return ""
	}
	return t
}

// requestID returns t if it has the form of a RequestId, hexadecimal in five
// groups, so that nothing which a gateway may put in its place is logged.
func (t text) requestID() text {
	foreign := func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF-", r) }
	if len(t) < 16 || strings.Count(string(t), "-") != 4 || strings.ContainsFunc(string(t), foreign) {
		return ""
	}
	return t
}

// code returns t if it has the form of an error code: words, joined by dots.
func (t text) code() text {
	if len(t) > maxIdentifier || strings.ContainsFunc(string(t), notInCode) || hasLongNumber(string(t)) {
		return ""
	}
	return t
}

func notInCode(r rune) bool {
	return !isLetter(r) && !isDigit(r) && r != '-' && r != '.' && r != '_'
}

// hasLongNumber reports whether s has four digits in a row, as mail codes have.
func hasLongNumber(s string) bool {
	run := 0
	for _, r := range s {
		run++
		if !isDigit(r) {
			run = 0
		}
		if run == 4 {
			return true
		}
	}
	return false
}
