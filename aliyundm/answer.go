package aliyundm

import (
	"encoding/json"
	"encoding/xml"
	"regexp"
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

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	uuidPattern = regexp.MustCompile(`^[0-9A-Fa-f]+(-[0-9A-Fa-f]+){4}$`)
	codePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`) // words, joined by dots
	longNumber  = regexp.MustCompile(`[0-9]{4}`)               // as codes in mails have
)

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
	for _, id := range []*text{&a.EnvID, &a.RequestID} {
		if !idPattern.MatchString(string(*id)) {
			*id = ""
		}
	}
	if code := string(a.Code); !codePattern.MatchString(code) || longNumber.MatchString(code) {
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

// uuid returns t if it has the form of a RequestId, so that nothing else that a gateway
// may put in its place is logged.
func uuid(t text) string {
	if len(t) < 16 || !uuidPattern.MatchString(string(t)) {
		return ""
	}
	return string(t)
}
