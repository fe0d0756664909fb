package aliyundm

import (
	"encoding/json"
	"encoding/xml"
	"strings"
)

// An answer of Direct Mail or STS is a receipt, an error, or what a query asked
// for. JSON is asked for, but gateways have answered in XML all the same.
type answer struct {
	XMLName   xml.Name `json:"-" xml:""`
	EnvID     text     `json:"EnvId" xml:"EnvId"`
	RequestID text     `json:"RequestId" xml:"RequestId"`
	Code      text     `json:"Code" xml:"Code"`
	Message   text     `json:"Message" xml:"Message"`

	status int
	body   []byte
}

// text is a JSON string; any other JSON value is read as an empty one, so that an
// odd member does not hide the others.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	_ = json.Unmarshal(data, &s)
	*t = text(s)
	return nil
}

// parseAnswer leaves the members empty that are missing, or not of the form that
// Direct Mail gives them.
func parseAnswer(status int, body []byte) answer {
	var a answer
	if json.Unmarshal(body, &a) != nil {
		a = answer{}
		if xml.Unmarshal(body, &a) != nil || a.XMLName.Local != "Error" && a.XMLName.Local != "SingleSendMailResponse" {
			a = answer{}
		}
	}
	const maxIdentifier = 64
	for _, id := range []*text{&a.EnvID, &a.RequestID} {
		if len(*id) > maxIdentifier || !isToken(string(*id)) {
			*id = ""
		}
	}
	// A code is words, joined by dots.
	foreign := func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '-' && r != '.' && r != '_' }
	if len(a.Code) > maxIdentifier || strings.ContainsFunc(string(a.Code), foreign) || hasLongNumber(string(a.Code)) {
		a.Code = ""
	}
	a.status, a.body = status, body
	return a
}

// failure is the error for an answer without what was asked for.
func (a answer) failure() *Error {
	e := &Error{
		Class: classify(a.status, string(a.Code)), Code: string(a.Code), Status: a.status,
		RequestID: uuid(a.RequestID), Message: scrub(string(a.Message)),
	}
	if e.Code == "" {
		e.Message = "the answer is not one of Direct Mail's"
	}
	return e
}

// uuid returns t if it has the form of a RequestId, hexadecimal in five groups, so
// that nothing else that a gateway may put in its place is logged.
func uuid(t text) string {
	foreign := func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF-", r) }
	if len(t) < 16 || strings.Count(string(t), "-") != 4 || strings.ContainsFunc(string(t), foreign) {
		return ""
	}
	return string(t)
}

// hasLongNumber reports whether s has four digits in a row, as codes in mails have.
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
